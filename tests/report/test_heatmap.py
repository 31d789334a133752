from __future__ import annotations

import numpy as np

from consensus_onnx.report.colours import HEAT_ANCHORS
from consensus_onnx.report.heatmap import lay_out_heatmap


def test_order_colours_and_gaps():
    matrix = np.array([[1.0, 0.2, 0.8], [0.2, 1.0, np.nan], [0.8, np.nan, 1.0]])
    plot = lay_out_heatmap(matrix, (2, 0, 1), ["a", "b", "c"], [1, 0, 2], "text")
    assert [row.name for row in plot.rows] == ["c", "a", "b"]
    assert [row.index for row in plot.rows] == [2, 0, 1]
    assert [len(row.cells) for row in plot.rows] == [1, 2, 1]  # no diagonal, no unknown pair
    assert plot.rows[0].cells[0].colour == HEAT_ANCHORS[-1]  # the most alike pair is the brightest
    assert plot.rows[2].cells[0].colour == HEAT_ANCHORS[0]
    assert plot.rows[0].cells[0].note == "c and a: 0.80"
    assert [text for _, text in plot.scale] == ["0.20", "0.35", "0.50", "0.65", "0.80"]


def test_equal_pairs_have_one_colour():
    plot = lay_out_heatmap(np.full((3, 3), 0.4), (0, 1, 2), ["a", "b", "c"], [0, 0, 0], "text")
    assert len({cell.colour for row in plot.rows for cell in row.cells}) == 1
