"""Resizing is linear and separate in the axes: its gradient is the transposed matrix along each axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from consensus_onnx.arrays import Float64Array
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter

_ROUNDINGS: dict[str, Callable[[Float64Array], Float64Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@gradient_rule("Resize", (13, 18, 19))
def resize(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = M^T g along each resized axis, M the interpolation matrix (out, in)."""
    if 0 not in node.wanted:
        return [None] * len(node.inputs)
    g = first(grads)
    x = node.inputs[0]
    rank = node.rank(x)
    axes = [axis % rank for axis in node.integers("axes", range(rank)) or ()]
    given = node.constant(2)
    scales = dict(zip(axes, given.tolist(), strict=True)) if given is not None and given.size else {}
    cropping = node.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
    regions = _regions(node, axes) if cropping else {}
    for axis in axes:
        size, out = node.shape(x)[axis], node.shape(node.outputs[0])[axis]
        if size == out and scales.get(axis, 1.0) == 1.0 and regions.get(axis, (0, 1)) == (0, 1):
            continue
        if not isinstance(size, int) or not isinstance(out, int):
            raise ModelError(f"node {node.label!r} (Resize): axis {axis} varies; its gradient needs static sizes")
        matrix = interpolation(node, size, out, scales.get(axis, out / size), regions.get(axis))
        g = emit.along(g, axis, matrix)
    return [g, *([None] * (len(node.inputs) - 1))]


def _regions(node: NodeView, axes: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Return the range of each axis, in shares of its size, that tf_crop_and_resize cuts out."""
    roi = node.require_constant(1, "region of interest").tolist()
    return dict(zip(axes, zip(roi[: len(axes)], roi[len(axes) :], strict=True), strict=True))


def interpolation(
    node: NodeView, size: int, out: int, scale: float, region: tuple[float, float] | None = None
) -> Float64Array:
    """Return the matrix (out, in) that a Resize node applies along an axis; beyond the input a crop reads nothing."""
    if region is not None:
        start, end = region
        places = (start + (end - start) * (np.arange(out) / (out - 1) if out > 1 else np.full(out, 0.5))) * (size - 1)
        inside = (places >= 0) & (places <= size - 1)
        return _matrix(node, size, out, scale, places) * inside[:, None]
    return _matrix(node, size, out, scale, _places(node, size, out, scale))


def _matrix(node: NodeView, size: int, out: int, scale: float, places: Float64Array) -> Float64Array:
    """Return the weights of the inputs that each place looks at."""
    mode = node.text("mode", "nearest")
    antialias = bool(node.integer("antialias", 0)) and scale < 1
    matrix: Float64Array = np.zeros((out, size))
    rows = np.arange(out)
    if mode == "nearest":
        nearest = _ROUNDINGS[node.text("nearest_mode", "round_prefer_floor")](places)
        matrix[rows, np.clip(nearest, 0, size - 1).astype(int)] = 1
        return matrix
    stretch = 1 / scale if antialias else 1.0
    kernel = _triangle if mode == "linear" else _cubic(node.real("cubic_coeff_a", -0.75))
    reach = int(np.ceil((1 if mode == "linear" else 2) * stretch)) + 1
    base = np.floor(places).astype(int)
    weights = {shift: kernel((places - (base + shift)) / stretch) for shift in range(-reach, reach + 1)}
    if antialias or (mode == "cubic" and node.integer("exclude_outside", 0)):
        for shift, weight in weights.items():
            inside = (base + shift >= 0) & (base + shift < size)
            weights[shift] = np.where(inside, weight, 0) if node.integer("exclude_outside", 0) else weight
        total = sum(weights.values())
        weights = {shift: weight / total for shift, weight in weights.items()}
    for shift, weight in weights.items():
        np.add.at(matrix, (rows, np.clip(base + shift, 0, size - 1)), weight)
    return matrix


def _places(node: NodeView, size: int, out: int, scale: float) -> Float64Array:
    """Return the place in the input that each output looks at."""
    x = np.arange(out, dtype=np.float64)
    match node.text("coordinate_transformation_mode", "half_pixel"):
        case "half_pixel":
            return (x + 0.5) / scale - 0.5
        case "half_pixel_symmetric":
            # the output is as wide as its rounded-down size, the input's centre stays the centre
            shrunk = out / (scale * size)
            return size / 2 * (1 - shrunk) + (x + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (x + 0.5) / scale - 0.5 if out > 1 else np.zeros(out)
        case "align_corners":
            return x * (size - 1) / (out - 1) if out > 1 else np.zeros(out)
        case "asymmetric":
            return x / scale
        case other:
            raise ModelError(f"node {node.label!r} (Resize): no gradient for coordinate_transformation_mode {other!r}")


def _triangle(distance: Float64Array) -> Float64Array:
    return np.asarray(np.maximum(1 - np.abs(distance), 0))


def _cubic(a: float) -> Callable[[Float64Array], Float64Array]:
    """Return Keys' cubic kernel."""

    def kernel(distance: Float64Array) -> Float64Array:
        d = np.abs(distance)
        near = ((a + 2) * d - (a + 3)) * d**2 + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.asarray(np.where(d <= 1, near, np.where(d < 2, far, 0)))

    return kernel
