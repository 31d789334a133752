"""What surfaces look like: (side, side, 3) pictures, 0..255, from a stream of random numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from consensus_onnx_zoo.scenes.draws import Draws
from consensus_onnx_zoo.scenes.photographs import photograph_crop

Surface = npt.NDArray[np.float64]


def draw_surface(draws: Draws, side: int, colour: npt.NDArray[np.float64], photographs: float) -> Surface:
    """Return a surface: a photograph's crop, or a pattern between a colour and another one.

    Parameters
    ----------
    draws : Draws
        The stream.
    side : int
        Pixels.
    colour : float64 (3,)
        The pattern's first colour, 0..255.
    photographs : float
        Probability of a photograph.
    """
    if draws.happens(photographs):
        return photograph_crop(draws, side)
    other = np.clip(colour + 60 * (draws.grid(3) - 0.5) + draws.between(-30, 30), 0, 255)
    amount = (_flat, _clouds, _clouds, _stripes, _checks)[draws.below(5)](draws, side)[:, :, None]
    surface: Surface = colour * (1 - amount) + other * amount
    return surface


def clouds(draws: Draws, side: int, cells: int) -> npt.NDArray[np.float64]:
    """Return (side, side) numbers in [0, 1): random values on a lattice of cells, bilinear between."""
    lattice = draws.grid(cells + 2, cells + 2)
    place = np.arange(side) * (cells / side)
    whole = place.astype(np.int64)
    part = place - whole
    rows = lattice[whole] * (1 - part)[:, None] + lattice[whole + 1] * part[:, None]
    values: npt.NDArray[np.float64] = rows[:, whole] * (1 - part) + rows[:, whole + 1] * part
    return values


def direction(draws: Draws, reach: float = 1.0) -> tuple[float, float]:
    """Return the cosine and sine of a random angle, by the rational circle: no machine's cosine is needed.

    `reach` is the tangent of half the largest angle, to either side: 1 is a right angle, 0.32 is 35 degrees.
    """
    t = draws.between(-reach, reach)
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)


def _flat(draws: Draws, side: int) -> npt.NDArray[np.float64]:
    return np.full((side, side), draws.between(0, 1))


def _clouds(draws: Draws, side: int) -> npt.NDArray[np.float64]:
    cells = 2 + draws.below(6)
    return (clouds(draws, side, cells) * 4 + clouds(draws, side, 2 * cells) * 2 + clouds(draws, side, 4 * cells)) / 7


def _stripes(draws: Draws, side: int) -> npt.NDArray[np.float64]:
    cosine, sine = direction(draws)
    period, start = draws.between(5, 22), draws.between(0, 22)
    along = np.arange(side) * cosine + np.arange(side)[:, None] * sine + start
    return (np.floor(along / period) % 2).astype(np.float64)


def _checks(draws: Draws, side: int) -> npt.NDArray[np.float64]:
    cosine, sine = direction(draws)
    period = draws.between(5, 16)
    x, y = np.arange(side)[None, :], np.arange(side)[:, None]
    columns, rows = np.floor((x * cosine + y * sine) / period), np.floor((y * cosine - x * sine) / period)
    return ((columns + rows) % 2).astype(np.float64)
