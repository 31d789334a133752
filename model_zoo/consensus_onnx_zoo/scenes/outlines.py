"""The classes: outlines in coordinates where the object's radius is 1, as tests that need + - * / alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Grid = npt.NDArray[np.float64]
Region = npt.NDArray[np.bool_]
Outline = Callable[[Grid, Grid], Region]


def polygon(*corners: tuple[float, float]) -> Outline:
    """Return the inside of a closed polygon by the even-odd rule."""

    def inside(x: Grid, y: Grid) -> Region:
        odd = np.zeros(x.shape, dtype=bool)
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            if y0 != y1:
                crossed = (y0 > y) != (y1 > y)
                odd ^= crossed & (x < (y - y0) * ((x1 - x0) / (y1 - y0)) + x0)
        return odd

    return inside


def _disc(x: Grid, y: Grid) -> Region:
    return x * x + y * y < 0.8


def _ring(x: Grid, y: Grid) -> Region:
    squared = x * x + y * y
    return (squared < 1.0) & (squared > 0.36)


def _square(x: Grid, y: Grid) -> Region:
    return np.maximum(abs(x), abs(y)) < 0.8


def _frame(x: Grid, y: Grid) -> Region:
    reach = np.maximum(abs(x), abs(y))
    return (reach < 0.88) & (reach > 0.52)


def _cross(x: Grid, y: Grid) -> Region:
    return (np.minimum(abs(x), abs(y)) < 0.3) & (np.maximum(abs(x), abs(y)) < 1.0)


def _crescent(x: Grid, y: Grid) -> Region:
    return (x * x + y * y < 1.0) & ((x - 0.5) * (x - 0.5) + y * y > 0.64)


def _heart(x: Grid, y: Grid) -> Region:
    x, y = x * 1.2, 0.1 - y * 1.2
    bulge = x * x + y * y - 1
    return bulge * bulge * bulge - x * x * y * y * y < 0


def _hourglass(x: Grid, y: Grid) -> Region:
    return (abs(y) < 0.9) & (abs(x) < 0.12 + 0.8 * abs(y))


OUTLINES: dict[str, Outline] = {
    "disc": _disc,
    "ring": _ring,
    "square": _square,
    "frame": _frame,
    "triangle": polygon((0.0, -1.0), (0.95, 0.7), (-0.95, 0.7)),
    "cross": _cross,
    # Points at radius 1.05, notches at 0.45; decimals, because cosines differ in the last bit between machines.
    "star": polygon(
        (0.0, -1.05),
        (0.2645, -0.3641),
        (0.9986, -0.3245),
        (0.428, 0.1391),
        (0.6172, 0.8495),
        (0.0, 0.45),
        (-0.6172, 0.8495),
        (-0.428, 0.1391),
        (-0.9986, -0.3245),
        (-0.2645, -0.3641),
    ),
    "crescent": _crescent,
    "heart": _heart,
    "arrow": polygon((1.0, 0.0), (0.2, -0.75), (0.2, -0.28), (-1.0, -0.28), (-1.0, 0.28), (0.2, 0.28), (0.2, 0.75)),
    "hourglass": _hourglass,
    "bolt": polygon((0.35, -1.0), (-0.65, 0.15), (-0.1, 0.15), (-0.35, 1.0), (0.65, -0.2), (0.1, -0.2)),
}
"""Name of each class and its outline: true inside. The class index is the position."""

CLASSES: tuple[str, ...] = tuple(OUTLINES)
