from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus_onnx.report.scatter import FRAME, Point, _inside, lay_out, nice_ticks


def points(x, y):
    return [Point(f"m{i}", a, b, i, 0, "", b - 0.1, b + 0.1) for i, (a, b) in enumerate(zip(x, y, strict=True))]


def draw(x, y, fitted=True):
    return lay_out(points(x, y), "", ("x", "number"), ("y", "number"), fitted=fitted)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_ticks_are_few_round_and_inside(low, span):
    ticks = nice_ticks(low, low + span)
    values = [value for value, _ in ticks]
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-9 * span <= value <= low + (1 + 1e-9) * span for value in values)
    assert len({text for _, text in ticks}) == len(ticks)
    assert np.allclose([float(text.replace("\N{MINUS SIGN}", "-")) for _, text in ticks], values)


def test_points_keep_their_order_and_stay_in_the_frame():
    plot = draw([0.5, 0.7, 0.9], [0.2, 0.8, 0.4])
    across = [mark.x for mark in plot.marks]
    down = [mark.y for mark in plot.marks]
    assert across == sorted(across)
    assert np.argsort(down).tolist() == [1, 2, 0]  # SVG counts downwards
    assert all(FRAME.left < x < FRAME.right for x in across)
    assert all(FRAME.top < y < FRAME.bottom for mark in plot.marks for y in mark.whisker)


def test_line_is_numpys_least_squares():
    rng = np.random.default_rng(3)
    x, y = rng.random(9), rng.random(9)
    plot = draw(x, y)
    slope, offset = np.polyfit(x, y, 1)
    by_x = {mark.x: mark for mark in plot.marks}
    left = by_x[plot.line[0]]
    unit = (plot.marks[0].y - plot.marks[1].y) / (y[1] - y[0])  # pixels per unit of y
    assert plot.line[1] == pytest.approx(left.y + unit * (left.point.y - (slope * left.point.x + offset)))


@pytest.mark.parametrize(("x", "y"), [([0.5], [0.5]), ([0.5, 0.5], [0.1, 0.2]), ([0.5] * 4, [0.5] * 4)])
def test_degenerate_plots_are_drawn_without_line(x, y):
    plot = draw(x, y)
    assert plot.line is None
    assert len(plot.marks) == len(x)
    assert all(np.isfinite([mark.x, mark.y]).all() for mark in plot.marks)


def test_point_without_interval_has_no_whisker():
    (mark,) = lay_out([Point("a", 1.0, 2.0, 0, 0, "")], "", ("x", "number"), ("y", "number"), fitted=False).marks
    assert mark.whisker is None


def test_a_steep_fit_is_cut_at_the_frame():
    x1, y1, x2, y2 = _inside(100.0, FRAME.top - 50.0, 300.0, FRAME.bottom + 100.0)
    assert (y1, y2) == (FRAME.top, FRAME.bottom)
    slope = (FRAME.bottom - FRAME.top + 150.0) / 200.0
    assert (y2 - y1) / (x2 - x1) == pytest.approx(slope)
    assert _inside(1.0, 20.0, 2.0, 30.0) == (1.0, 20.0, 2.0, 30.0)


def test_references_are_no_part_of_the_fit():
    members = [Point(str(i), float(i), 2.0 * i, i, 0, "") for i in range(4)]
    far = Point("consensus", 3.0, 50.0, -1, 0, "", reference=True)
    axes = (("x", "number"), ("y", "number"))
    with_it, without = (lay_out(points, "text", *axes, fitted=True) for points in ([*members, far], members))
    slopes = [(plot.line[3] - plot.line[1]) / (plot.line[2] - plot.line[0]) for plot in (with_it, without)]
    assert abs(slopes[0]) < abs(slopes[1])  # the same line on a taller scale
    ends = [(mark.x, mark.y) for mark in with_it.marks[:4]]
    assert with_it.line == pytest.approx((*ends[0], *ends[3]))
