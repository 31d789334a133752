from __future__ import annotations

import math

import pytest

from consensus_onnx.report.lines import FRAME, Trials, lay_out_lines


def test_everything_lies_inside_and_low_is_below_high():
    trials = Trials((1, 2, 5), (0.3, 0.5, 0.6), (0.31, 0.5, 0.6), (0.1, 0.4, 0.6), (0.5, 0.6, 0.6))
    plot = lay_out_lines(trials, "text", ("members", "AP"), 0.62, "full")
    corners = [tuple(map(float, pair.split(","))) for pair in plot.band.split()]
    for x, y in [*plot.mean.places, *plot.median.places, *corners]:
        assert FRAME.left <= x <= FRAME.right
        assert FRAME.top <= y <= FRAME.bottom
    assert plot.level < plot.mean.places[-1][1]  # the level is higher, so further up
    xs = [x for x, _ in plot.mean.places]
    assert (xs[2] - xs[1]) / (xs[1] - xs[0]) == pytest.approx(3)
    assert plot.mean.notes[0] == "1 members: mean 0.300"


def test_sizes_without_a_number_are_left_out_and_flat_curves_are_fine():
    nan = math.nan
    plot = lay_out_lines(Trials((1, 2), (0.5, nan), (0.5, nan), (0.5, nan), (0.5, nan)), "text", ("n", "r"))
    assert len(plot.mean.places) == 1
    assert plot.level is None
