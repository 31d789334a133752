"""Spatial transformers: sampling an image at the points of a grid, and the grid of an affine map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from consensus_onnx.gradients.expansion import expansion
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.writer import GraphWriter


class Tap(NamedTuple):
    """Places along one axis (N, 1, points), whole numbers, and what they weigh, real ones."""

    place: str
    weight: str


@expansion("GridSample")
def grid_sample(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """y = sum over taps of the product of their weights along each axis times x there.

    The last entry of a grid point is the first spatial axis. Nearest has one tap per axis, linear two, cubic four.
    """
    x, grid = node.inputs
    channels, *sizes = (dim for dim in node.shape(x)[1:])
    static = [size for size in (channels, *sizes) if isinstance(size, int)]
    rank = len(sizes)
    if len(static) < rank + 1:
        return None
    flat_grid = emit.op("Reshape", grid, emit.ints([0, -1, rank]))  # (N, points, rank)
    taps: list[list[Tap]] = []
    for axis, size in enumerate(static[1:]):
        u = emit.transpose(emit.cut(flat_grid, 2, rank - 1 - axis, rank - axis), [0, 2, 1])
        taps.append(_taps(node, emit, u, size))
    total = sampled(emit, emit.op("Reshape", x, emit.ints([0, 0, -1])), static[0], static[1:], taps)
    return [emit.reshape(total, [emit.shape(x)[0], static[0], *emit.shape(grid)[1:-1]])]


@expansion("AffineGrid")
def affine_grid(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """Return theta (N, r, r + 1) times the points (x, y, 1) or (x, y, z, 1) of a regular grid over [-1, 1]."""
    theta, size = node.inputs
    tails = [None if value is None else tuple(value[2:].tolist()) for value in node.facts[size].values]
    if None in tails or len(set(tails)) > 1:
        return None
    spatial: tuple[int, ...] = tails[0] or ()
    axes = []
    for count in spatial:
        end = 1.0 if node.integer("align_corners", 0) else 1 - 1 / count
        axes.append(np.linspace(-end, end, count))
    points = np.stack([*reversed(np.meshgrid(*axes, indexing="ij")), np.ones(spatial)], -1)
    flat = emit.constant(points.reshape(-1, len(spatial) + 1).astype(emit.fact(theta).dtype))
    grid = emit.op("MatMul", flat, emit.transpose(theta, [0, 2, 1]))
    return [emit.op("Reshape", grid, emit.ints([0, *spatial, len(spatial)]))]


def sampled(emit: GraphWriter, pixels: str, channels: int, sizes: Sequence[int], taps: Sequence[Sequence[Tap]]) -> str:
    """Return weighted sums (N, C, points) of pixels (N, C, all) of images of some sizes; taps are given per axis."""
    every = emit.constant(np.asarray([1, channels, 1]))
    terms = []
    for chosen in product(*taps):
        place, weight = chosen[0]
        for size, tap in zip(sizes[1:], chosen[1:], strict=True):
            place = emit.op("Add", emit.scaled(place, size), tap.place)
            weight = emit.op("Mul", weight, tap.weight)
        index = emit.op("Expand", place, every)
        value = emit.op("GatherElements", pixels, index, axis=2)
        terms.append(emit.op("Mul", value, emit.cast_like(weight, pixels)))
    total = terms[0]
    for term in terms[1:]:
        total = emit.op("Add", total, term)
    return total


def linear_taps(emit: GraphWriter, place: str, size: int) -> list[Tap]:
    """Return the two pixels along one axis beside places given in pixels; zeros lie around the image."""
    return _neighbours(emit, place, (0, 1), _triangle, "zeros", size, (0.0, size - 1.0))


def _taps(node: NodeView, emit: GraphWriter, u: str, size: int) -> list[Tap]:
    """Return the pixels along one axis that a coordinate in [-1, 1] looks at."""
    padding = node.text("padding_mode", "zeros")
    aligned = bool(node.integer("align_corners", 0))
    mode = node.text("mode", "linear")
    # the middles of the first and last pixels, or their outer edges, lie at -1 and 1
    half = (size - 1) / 2 if aligned else size / 2
    place = emit.op("Add", emit.scaled(u, half), emit.scalar((size - 1) / 2, u))
    edges = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
    if mode == "nearest":
        place = emit.op("Round", place)
    if mode not in ("cubic", "bicubic"):
        place = _brought_inside(emit, place, padding, size, edges)
    if mode == "nearest":
        return [_tap(emit, place, emit.op("Add", emit.scaled(u, 0), emit.scalar(1, u)), padding, size, edges)]
    if mode in ("cubic", "bicubic"):
        return _neighbours(emit, place, (-1, 0, 1, 2), _cubic, padding, size, edges)
    return _neighbours(emit, place, (0, 1), _triangle, padding, size, edges)


def _neighbours(
    emit: GraphWriter,
    place: str,
    shifts: Sequence[int],
    kernel: Callable[[GraphWriter, str, int], str],
    padding: str,
    size: int,
    edges: tuple[float, float],
) -> list[Tap]:
    """Return the pixels at some shifts from the one before each place, weighed by a kernel of their distance."""
    base = emit.op("Floor", place)
    part = emit.op("Sub", place, base)
    taps = []
    for shift in shifts:
        distance = emit.op("Sub", part, emit.scalar(shift, part))
        pixel = emit.op("Add", base, emit.scalar(shift, base))
        taps.append(_tap(emit, pixel, kernel(emit, distance, shift), padding, size, edges))
    return taps


def _tap(emit: GraphWriter, pixel: str, weight: str, padding: str, size: int, edges: tuple[float, float]) -> Tap:
    """Return a pixel brought into the image; padding with zeros takes the weight of those outside."""
    if padding == "zeros":
        inside = emit.op(
            "And",
            emit.op("GreaterOrEqual", pixel, emit.scalar(0, pixel)),
            emit.op("LessOrEqual", pixel, emit.scalar(size - 1, pixel)),
        )
        weight = emit.op("Where", inside, weight, emit.scalar(0, weight))
    else:
        pixel = _brought_inside(emit, pixel, padding, size, edges)
    # Whole numbers before they count rows: float16 has none above 2048. And NaN becomes one, which is brought inside.
    place = emit.op("Cast", emit.op("Floor", pixel), to=TensorProto.INT64)
    return Tap(emit.op("Clip", place, emit.scalar(0, place), emit.scalar(size - 1, place)), weight)


def _brought_inside(emit: GraphWriter, place: str, padding: str, size: int, edges: tuple[float, float]) -> str:
    """Return a place clamped to the outer pixels, or mirrored at the edges."""
    if padding == "border":
        return emit.op("Clip", place, emit.scalar(0, place), emit.scalar(size - 1, place))
    if padding == "reflection":
        low, span = edges[0], edges[1] - edges[0]
        if span == 0:
            return emit.scaled(place, 0)
        away = emit.op("Abs", emit.op("Sub", place, emit.scalar(low, place)))
        wrapped = emit.op("Mod", away, emit.scalar(2 * span, place), fmod=1)
        back = emit.op("Abs", emit.op("Sub", wrapped, emit.scalar(span, place)))
        return emit.op("Sub", emit.scalar(low + span, place), back)
    return place


def _triangle(emit: GraphWriter, distance: str, shift: int) -> str:
    """Return 1 - |distance|, the distance being in [0, 1] for shift 0 and in [-1, 0] for shift 1."""
    signed = distance if shift else emit.op("Neg", distance)
    return emit.op("Add", signed, emit.scalar(1, distance))


def _cubic(emit: GraphWriter, distance: str, shift: int) -> str:
    """Return Keys' cubic with a = -0.75: one polynomial for the inner pixels, another for the outer ones."""
    a = -0.75
    d = distance if shift <= 0 else emit.op("Neg", distance)
    near, far = ((1.0, 0.0, -(a + 3), a + 2), (-4 * a, 8 * a, -5 * a, a))
    coefficients: Sequence[float] = near if shift in (0, 1) else far
    result = emit.op("Add", emit.scaled(d, coefficients[3]), emit.scalar(coefficients[2], d))
    for coefficient in (coefficients[1], coefficients[0]):
        result = emit.op("Add", emit.op("Mul", result, d), emit.scalar(coefficient, d))
    return result
