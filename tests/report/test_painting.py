from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.report.figures import standalone_svg
from consensus_onnx.report.heatmap import lay_out_heatmap
from consensus_onnx.report.lines import FRAME as LINES_FRAME
from consensus_onnx.report.lines import Trials, lay_out_lines
from consensus_onnx.report.painting import SCALE, paint
from consensus_onnx.report.scatter import Point, lay_out
from consensus_onnx.report.shapes import read_svg


def colour_at(image, x, y):
    return image.getpixel((round(SCALE * x), round(SCALE * y)))


def test_points_stand_where_they_were_laid_out_in_the_colours_of_their_families():
    points = [Point(f"m{i}", float(i), float(i * i), i, slot, "") for i, slot in enumerate((1, 2, 0))]
    reference = Point("consensus", 1.0, 4.0, -1, 0, "", reference=True)
    plot = lay_out([*points, reference], "text", ("x", "number"), ("y", "number"), fitted=False)
    image = paint(read_svg(standalone_svg(plot)))
    assert image.size == (SCALE * plot.width, SCALE * plot.height)
    colours = [(0x1F, 0x77, 0xB4), (0xD1, 0x62, 0x2B), (0x8A, 0x92, 0x9B), (0x1B, 0x1F, 0x24)]
    for mark, colour in zip(plot.marks, colours, strict=True):
        assert colour_at(image, mark.x, mark.y) == pytest.approx(colour, abs=3)
    assert colour_at(image, 2, 2) == (255, 255, 255)


def test_lines_have_their_band_and_their_level():
    trials = Trials((1, 5, 10), (0.3, 0.5, 0.6), (0.3, 0.5, 0.6), (0.1, 0.3, 0.6), (0.5, 0.7, 0.6))
    plot = lay_out_lines(trials, "text", ("n", "AP"), 0.65, "full")
    image = paint(read_svg(standalone_svg(plot)))
    assert colour_at(image, LINES_FRAME.right - 3, plot.level) == pytest.approx((0xA3, 0x34, 0x1F), abs=40)
    x, y = plot.mean.places[1]
    assert colour_at(image, x, y) == pytest.approx((0x0B, 0x6B, 0x6B), abs=3)
    inside = colour_at(image, x + 20.3, y + 33.7)
    assert inside[0] < inside[1] <= 255  # the pale green of the band


def test_dashed_lines_have_gaps():
    points = [Point(str(i), float(i), float(i), i, 0, "") for i in range(3)]
    plot = lay_out(points, "text", ("x", "number"), ("y", "number"), fitted=True)
    image = paint(read_svg(standalone_svg(plot)))
    x1, y1, x2, y2 = plot.line
    shares = np.linspace(0.1, 0.4, 200)
    dark = [sum(colour_at(image, x1 + s * (x2 - x1), y1 + s * (y2 - y1))) < 500 for s in shares]
    assert 0.3 < np.mean(dark) < 0.8


def test_cells_have_their_colours_and_titles_are_written():
    matrix = np.array([[1.0, 0.1, 0.5], [0.1, 1.0, 0.9], [0.5, 0.9, 1.0]])
    plot = lay_out_heatmap(matrix, (0, 1, 2), ["a", "b", "c"], [1, 2, 3], "text")
    image = paint(read_svg(standalone_svg(plot)))
    for row in plot.rows:
        for cell in row.cells:
            wanted = tuple(int(cell.colour[start : start + 2], 16) for start in (1, 3, 5))
            assert colour_at(image, cell.x + plot.size / 2, cell.y + plot.size / 2) == pytest.approx(wanted, abs=3)
    assert np.asarray(image)[:, : round(SCALE * (plot.left - 14))].min() < 100  # names
