"""An object on the canvas: which part of each pixel it covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consensus_onnx_zoo.scenes.draws import Draws
from consensus_onnx_zoo.scenes.outlines import Outline
from consensus_onnx_zoo.scenes.textures import direction

_TURN = 0.32  # objects are turned by up to 35 degrees to either side
_SUBPIXELS = 3  # a pixel is asked at 3 x 3 points
_REACH = 2.1  # an outline ends at 1.05; aspect 1.3 and perspective 0.3 stretch it to less than this


@dataclass(frozen=True)
class Pose:
    """Where an object lies: a projective map from pixels to the outline's coordinates.

    Attributes
    ----------
    column, row : float
        Centre, pixels.
    radius : float
        Pixels.
    cosine, sine : float
        Of the turn.
    aspect : float
        Width over height before turning.
    tilt : tuple of float
        Perspective along x and y.
    holes : tuple of (x, y, squared radius)
        Round holes, in the outline's coordinates.
    """

    column: float
    row: float
    radius: float
    cosine: float
    sine: float
    aspect: float = 1.0
    tilt: tuple[float, float] = (0.0, 0.0)
    holes: tuple[tuple[float, float, float], ...] = ()


def draw_pose(draws: Draws, side: int, smallest: float, largest: float, most_holes: int) -> Pose:
    """Return a random pose; the centre keeps nearly a radius from every edge."""
    radius = draws.between(smallest, largest)
    keep = 0.85 * radius
    column, row = draws.between(keep, side - keep), draws.between(keep, side - keep)
    cosine, sine = direction(draws, _TURN)
    aspect, tilt = draws.between(0.8, 1.25), (draws.between(-0.25, 0.25), draws.between(-0.25, 0.25))
    holes = tuple(
        (draws.between(-0.6, 0.6), draws.between(-0.6, 0.6), draws.between(0.01, 0.03))
        for _ in range(draws.below(most_holes + 1))
    )
    return Pose(column, row, radius, cosine, sine, aspect, tilt, holes)


def coverage(outline: Outline, pose: Pose, side: int) -> npt.NDArray[np.float64]:
    """Return (side, side) parts 0..1 of each pixel that the object covers, in ninths."""
    covered = np.zeros((side, side))
    top, bottom = _span(pose.row, pose.radius, side)
    left, right = _span(pose.column, pose.radius, side)
    if top >= bottom or left >= right:
        return covered
    y = ((np.arange(top * _SUBPIXELS, bottom * _SUBPIXELS) + 0.5) / _SUBPIXELS - pose.row) / pose.radius
    x = ((np.arange(left * _SUBPIXELS, right * _SUBPIXELS) + 0.5) / _SUBPIXELS - pose.column) / pose.radius
    turned_x = x * pose.cosine + y[:, None] * pose.sine
    turned_y = y[:, None] * pose.cosine - x * pose.sine
    depth = 1 + pose.tilt[0] * turned_x + pose.tilt[1] * turned_y
    near = depth > 0.25
    depth = np.where(near, depth, 1.0)
    u, v = turned_x / depth / pose.aspect, turned_y / depth * pose.aspect
    inside = outline(u, v) & near
    for hole_x, hole_y, squared in pose.holes:
        inside &= (u - hole_x) * (u - hole_x) + (v - hole_y) * (v - hole_y) > squared
    counts = inside.reshape(bottom - top, _SUBPIXELS, right - left, _SUBPIXELS).sum(axis=(1, 3))
    covered[top:bottom, left:right] = counts / _SUBPIXELS**2
    return covered


def _span(centre: float, radius: float, side: int) -> tuple[int, int]:
    return max(0, int(centre - _REACH * radius)), min(side, int(centre + _REACH * radius) + 2)
