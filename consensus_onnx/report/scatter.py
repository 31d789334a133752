"""Scatter plots as plain SVG: laid out here, drawn by scatter.html.

No plotting library: a plot of one point per member needs none of plotly's 4.8 MB of script, follows the page's light
or dark colours, prints as vectors, and its names can be searched and copied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from consensus_onnx.report.label_placement import Box, Label, place_labels
from consensus_onnx.report.templating import clean

WIDTH, HEIGHT = 780.0, 450.0
FRAME = Box(left=58.0, top=10.0, right=WIDTH - 70.0, bottom=HEIGHT - 44.0)  # room for names at the right
_NAMES = Box(left=62.0, top=10.0, right=WIDTH - 2.0, bottom=HEIGHT - 46.0)
_MARGIN = 0.07  # of the data's range, kept free at either end
_LABEL_LENGTH = 32

Unit = Literal["number", "percent"]


@dataclass(frozen=True)
class Point:
    """A member in a plot; intervals are NaN where there are none.

    Attributes
    ----------
    name : str
        Its label.
    x, y : float
        Finite.
    index, slot : int
        Ties its marks together; colour of its family.
    note : str
        What hovering tells.
    y_low, y_high : float
        Interval of y.
    reference : bool
        Whether it is no member, such as the consensus: drawn as a diamond, no part of the fitted line.
    """

    name: str
    x: float
    y: float
    index: int
    slot: int
    note: str
    y_low: float = math.nan
    y_high: float = math.nan
    reference: bool = False


@dataclass(frozen=True)
class Axis:
    """A title, and (position, text) of each tick."""

    title: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Mark:
    """A point on the page; `whisker` is the vertical extent of its interval."""

    point: Point
    x: float
    y: float
    whisker: tuple[float, float] | None
    label: Label | None


@dataclass(frozen=True)
class Scatter:
    """A plot ready to be drawn; `line` is the least-squares line's (x1, y1, x2, y2)."""

    description: str
    x_axis: Axis
    y_axis: Axis
    marks: tuple[Mark, ...]
    line: tuple[float, float, float, float] | None
    width: float = WIDTH
    height: float = HEIGHT
    frame: Box = FRAME


def lay_out(
    points: Sequence[Point], description: str, x: tuple[str, Unit], y: tuple[str, Unit], *, fitted: bool
) -> Scatter:
    """Lay a scatter plot out.

    Parameters
    ----------
    points : sequence of Point
        At least one.
    description : str
        What the plot shows, for those who do not see it.
    x, y : (str, 'number' or 'percent')
        Title and unit of either axis.
    fitted : bool
        Whether to draw the least-squares line, where three points or more define one.

    Returns
    -------
    Scatter
        In SVG units, y downwards.
    """
    x_low, x_high = _limits([point.x for point in points])
    heights = [value for point in points for value in (point.y, point.y_low, point.y_high) if math.isfinite(value)]
    y_low, y_high = _limits(heights)

    def across(value: float) -> float:
        return FRAME.left + (value - x_low) / (x_high - x_low) * (FRAME.right - FRAME.left)

    def down(value: float) -> float:
        return FRAME.bottom - (value - y_low) / (y_high - y_low) * (FRAME.bottom - FRAME.top)

    places = [(across(point.x), down(point.y)) for point in points]
    names = [clean(point.name, _LABEL_LENGTH) for point in points]
    whiskers = [_whisker(point, down) for point in points]
    lines = [Box(x - 1, ends[1], x + 1, ends[0]) for (x, _), ends in zip(places, whiskers, strict=True) if ends]
    labels = place_labels(places, names, _NAMES, lines)
    marks = tuple(
        Mark(point, *place, ends, label)
        for point, place, ends, label in zip(points, places, whiskers, labels, strict=True)
    )
    members = [point for point in points if not point.reference]
    fit = _least_squares(members) if fitted else None
    line = None
    if fit is not None:
        slope, offset = fit
        ends = (min(point.x for point in members), max(point.x for point in members))
        line = _inside(across(ends[0]), down(slope * ends[0] + offset), across(ends[1]), down(slope * ends[1] + offset))
    return Scatter(
        description,
        Axis(x[0], tuple((across(value), text) for value, text in nice_ticks(x_low, x_high, x[1]))),
        Axis(y[0], tuple((down(value), text) for value, text in nice_ticks(y_low, y_high, y[1]))),
        marks,
        line,
    )


def nice_ticks(low: float, high: float, unit: Unit = "number", wanted: int = 6) -> list[tuple[float, str]]:
    """Return round values in [low, high] with their texts, in steps of 1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> [text for _, text in nice_ticks(0.48, 0.83, "percent")]
    ['50 %', '60 %', '70 %', '80 %']
    >>> [text for _, text in nice_ticks(0.0061, 0.0139)]
    ['0.008', '0.010', '0.012']
    """
    scale = 100.0 if unit == "percent" else 1.0
    low, high = low * scale, high * scale
    power = 10.0 ** math.floor(math.log10((high - low) / wanted))
    step = next(power * factor for factor in (1, 2, 5, 10) if (high - low) / (power * factor) <= wanted)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
    ending = " %" if unit == "percent" else ""
    return [(value / scale, f"{value:.{decimals}f}{ending}".replace("-", "\N{MINUS SIGN}")) for value in values]


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = _MARGIN * (high - low) or max(abs(high) * 0.1, 0.01)
    return low - margin, high + margin


def _whisker(point: Point, down: Callable[[float], float]) -> tuple[float, float] | None:
    if not (math.isfinite(point.y_low) and math.isfinite(point.y_high)):
        return None
    return down(point.y_low), down(point.y_high)


def _inside(x1: float, y1: float, x2: float, y2: float) -> tuple[float, float, float, float]:
    """Cut a line at the top and the bottom of the frame; a steep fit over few points leaves it."""

    def cut(x: float, y: float, to_x: float, to_y: float) -> tuple[float, float]:
        limit = min(max(y, FRAME.top), FRAME.bottom)
        return (x, y) if limit == y else (x + (limit - y) / (to_y - y) * (to_x - x), limit)

    return (*cut(x1, y1, x2, y2), *cut(x2, y2, x1, y1))


def _least_squares(points: Sequence[Point]) -> tuple[float, float] | None:
    """Return slope and offset, None where they are not defined."""
    if len(points) < 3:
        return None
    x_mean = math.fsum(point.x for point in points) / len(points)
    y_mean = math.fsum(point.y for point in points) / len(points)
    spread = math.fsum((point.x - x_mean) ** 2 for point in points)
    if spread == 0.0:
        return None
    slope = math.fsum((point.x - x_mean) * (point.y - y_mean) for point in points) / spread
    return slope, y_mean - slope * x_mean
