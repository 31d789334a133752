"""A member x member matrix as plain SVG: laid out here, drawn by heatmap.html."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from consensus_onnx.arrays import Float64Array
from consensus_onnx.report.colours import heat_colours, hex_colour
from consensus_onnx.report.templating import clean

_LABEL = 28  # characters of a name
_NAMES = 182.0  # width of the names at the left
_WIDEST, _CELL = 560.0, 26.0  # of the matrix and of one cell


@dataclass(frozen=True)
class Cell:
    """One pair: where, which colour, and what hovering tells."""

    x: float
    y: float
    colour: str
    note: str


@dataclass(frozen=True)
class HeatRow:
    """One member: its name beside its row."""

    index: int
    slot: int
    name: str
    y: float
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Heatmap:
    """A matrix ready to be drawn; `scale` holds (colour, text) from low to high."""

    description: str
    rows: tuple[HeatRow, ...]
    size: float
    left: float
    width: float
    height: float
    scale: tuple[tuple[str, str], ...]


def lay_out_heatmap(
    matrix: Float64Array, order: Sequence[int], names: Sequence[str], slots: Sequence[int], description: str
) -> Heatmap:
    """Lay a matrix out, members in the given order.

    Parameters
    ----------
    matrix : float64 (M, M)
        Similarities, nan where unknown; the diagonal is not coloured by its value.
    order : sequence of int
        At least two members.
    names : sequence of str
        Of all M members.
    slots : sequence of int
        Colour of each member's family.
    description : str
        What the plot shows, for those who do not see it.

    Returns
    -------
    Heatmap
        In SVG units; colours spread from the least to the largest similarity of two members.
    """
    chosen = list(order)
    part = matrix[np.ix_(chosen, chosen)]
    off = part[~np.eye(len(chosen), dtype=bool)]
    off = off[np.isfinite(off)]
    low, high = (float(off.min()), float(off.max())) if off.size else (0.0, 1.0)
    size = min(_CELL, _WIDEST / len(chosen))
    rows = []
    for place, member in enumerate(chosen):
        cells = []
        for across, other in enumerate(chosen):
            value = float(part[place, across])
            if place == across or not math.isfinite(value):
                continue
            level = (value - low) / (high - low) if high > low else 0.5
            red, green, blue = heat_colours(np.array([level]))[0].tolist()
            note = f"{clean(names[member], _LABEL)} and {clean(names[other], _LABEL)}: {value:.2f}"
            cells.append(Cell(_NAMES + across * size, place * size, hex_colour((red, green, blue)), note))
        rows.append(HeatRow(member, slots[member], clean(names[member], _LABEL), place * size, tuple(cells)))
    levels = [low + share * (high - low) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    colours = [hex_colour(tuple(heat_colours(np.array([share]))[0].tolist())) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    scale = tuple((colour, f"{level:.2f}") for colour, level in zip(colours, levels, strict=True))
    side = size * len(chosen)
    return Heatmap(description, tuple(rows), size, _NAMES, _NAMES + side + 2, side + 2, scale)
