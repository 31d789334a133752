"""Curves over a number of members as plain SVG: laid out here, drawn by lines.html."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from consensus_onnx.report.label_placement import Box
from consensus_onnx.report.scatter import Axis, nice_ticks

WIDTH, HEIGHT = 780.0, 360.0
FRAME = Box(left=58.0, top=10.0, right=WIDTH - 20.0, bottom=HEIGHT - 44.0)
_MARGIN = 0.07


@dataclass(frozen=True)
class Curve:
    """Points on the page; `note` tells each in words."""

    places: tuple[tuple[float, float], ...]
    notes: tuple[str, ...]

    @property
    def path(self) -> str:
        """The points as an SVG polyline."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.places)


@dataclass(frozen=True)
class Lines:
    """A plot ready to be drawn: a mean with its band, a median, and a level to reach."""

    description: str
    x_axis: Axis
    y_axis: Axis
    mean: Curve
    median: Curve
    band: str
    level: float | None
    level_text: str
    width: float = WIDTH
    height: float = HEIGHT
    frame: Box = FRAME


@dataclass(frozen=True)
class Trials:
    """What is drawn: by size the mean, median and the ends of the band of its trials."""

    sizes: Sequence[int]
    mean: Sequence[float]
    median: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def lay_out_lines(
    trials: Trials, description: str, titles: tuple[str, str], level: float | None = None, level_text: str = ""
) -> Lines:
    """Lay a plot of trials over size out.

    Parameters
    ----------
    trials : Trials
        Sizes whose mean is not finite are left out; at least one must be left.
    description : str
        What the plot shows, for those who do not see it.
    titles : (str, str)
        Of the two axes.
    level : float, optional
        A horizontal line, such as what the full committee reaches.
    level_text : str
        What the line is.

    Returns
    -------
    Lines
        In SVG units, y downwards.
    """
    known = [index for index, value in enumerate(trials.mean) if math.isfinite(value)]
    sizes = [trials.sizes[index] for index in known]
    heights = [column[index] for index in known for column in (trials.low, trials.high)]
    heights += [] if level is None else [level]
    spread = max(heights) - min(heights) or 0.01
    low, high = min(heights) - _MARGIN * spread, max(heights) + _MARGIN * spread
    left, right = 0.0, sizes[-1] * 1.03 + 0.5

    def at(size: float, value: float) -> tuple[float, float]:
        x = FRAME.left + (size - left) / (right - left) * (FRAME.right - FRAME.left)
        return x, FRAME.bottom - (value - low) / (high - low) * (FRAME.bottom - FRAME.top)

    def curve(column: Sequence[float], word: str) -> Curve:
        notes = tuple(f"{trials.sizes[i]} members: {word} {column[i]:.3f}" for i in known)
        return Curve(tuple(at(trials.sizes[i], column[i]) for i in known), notes)

    edge = [at(trials.sizes[i], trials.high[i]) for i in known]
    edge += [at(trials.sizes[i], trials.low[i]) for i in reversed(known)]
    return Lines(
        description,
        Axis(titles[0], tuple((at(value, low)[0], text) for value, text in nice_ticks(left, right) if value % 1 == 0)),
        Axis(titles[1], tuple((at(0.0, value)[1], text) for value, text in nice_ticks(low, high))),
        curve(trials.mean, "mean"),
        curve(trials.median, "median"),
        " ".join(f"{x:.1f},{y:.1f}" for x, y in edge),
        None if level is None else at(0.0, level)[1],
        level_text,
    )
