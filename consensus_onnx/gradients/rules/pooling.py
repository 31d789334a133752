"""Pooling over windows and over everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from consensus_onnx.arrays import Float64Array
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.convolution import Convolution
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.windows import Windows, windows_of
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("MaxPool", (12, 22))
def max_pool(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g added at each window's maximum; the first of several equal maxima takes it all."""
    g = first(grads)
    return [emit.lowering.max_pool(emit, node, g)]


@gradient_rule("AveragePool", (11, 19, 22))
def average_pool(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g / count spread over each window; padding counts where count_include_pad says so."""
    g = first(grads)
    x = node.inputs[0]
    sizes = node.shape(x)[2:]
    windows = windows_of(node, node.integers("kernel_shape") or (), sizes)
    outputs = node.shape(node.outputs[0])[2:]
    static = [size for size in (*sizes, *outputs) if isinstance(size, int)]
    if len(static) < 2 * len(sizes):
        raise ModelError(f"node {node.label!r} (AveragePool): its gradient needs static spatial sizes")
    inner, outer = static[: len(sizes)], static[len(sizes) :]
    count = _counts(windows, inner, outer, include_pad=bool(node.integer("count_include_pad", 0)))
    if (
        all(size == 1 for size in outer)
        and windows.extent == tuple(inner) == windows.kernel
        and not any(windows.before)
    ):
        return [emit.expand_like(emit.scaled(g, 1 / float(count.reshape(-1)[0])), x)]
    if (count == count.reshape(-1)[0]).all():
        value = 1 / float(count.reshape(-1)[0])
    else:
        g, value = emit.op("Mul", g, emit.constant((1 / count).astype(emit.fact(g).dtype))), 1.0
    return [_spread(emit, node, g, windows, inner, outer, value)]


@gradient_rule("LpPool", (11, 18, 22))
def lp_pool(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = x |x|^(p - 2) times g y^(1 - p) spread over each window; 0 where y = 0."""
    g = first(grads)
    x, y = node.inputs[0], node.outputs[0]
    order = node.integer("p", 2)
    sizes, outputs = node.shape(x)[2:], node.shape(y)[2:]
    static = [size for size in (*sizes, *outputs) if isinstance(size, int)]
    if len(static) < 2 * len(sizes):
        raise ModelError(f"node {node.label!r} (LpPool): its gradient needs static spatial sizes")
    windows = windows_of(node, node.integers("kernel_shape") or (), sizes)
    share = _over_norm(emit, g, y, order)
    spread = _spread(emit, node, share, windows, static[: len(sizes)], static[len(sizes) :], 1.0)
    return [emit.op("Mul", _powered(emit, x, order), spread)]


@gradient_rule("GlobalAveragePool", (1, 22))
def global_average_pool(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g / (positions), the same everywhere."""
    g = first(grads)
    x = node.inputs[0]
    sizes = [size for size in node.shape(x)[2:] if isinstance(size, int)]
    if len(sizes) == node.rank(x) - 2:
        return [emit.expand_like(emit.scaled(g, 1 / int(np.prod(sizes))), x)]
    count = emit.op("Div", emit.op("Size", x), emit.op("Size", g))
    return [emit.expand_like(emit.op("Div", g, emit.cast_like(count, g)), x)]


@gradient_rule("GlobalMaxPool", (1, 22))
def global_max_pool(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g at each channel's maximum; the first of several equal maxima takes it all."""
    g = first(grads)
    x = node.inputs[0]
    channels = list(node.shape(x)[:2])
    flat = emit.op("Reshape", x, emit.ints([0, 0, -1]))
    place = emit.op("ArgMax", flat, axis=2, keepdims=1)
    placed = emit.op("ScatterElements", emit.zeros_like(flat, g), place, emit.reshape(g, [*channels, 1]), axis=2)
    return [emit.reshape_like(placed, x)]


@gradient_rule("GlobalLpPool", (2,))
def global_lp_pool(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g x |x|^(p - 2) y^(1 - p); 0 where y = 0."""
    g = first(grads)
    order = node.integer("p", 2)
    x = node.inputs[0]
    return [emit.op("Mul", _powered(emit, x, order), _over_norm(emit, g, node.outputs[0], order))]


def _powered(emit: GraphWriter, x: str, order: int) -> str:
    """Return x |x|^(p - 2) = sign(x) |x|^(p - 1)."""
    if order == 2:
        return x
    if order == 1:
        return emit.op("Sign", x)
    return emit.op("Mul", emit.op("Sign", x), emit.op("Pow", emit.op("Abs", x), emit.scalar(order - 1, x)))


def _over_norm(emit: GraphWriter, g: str, y: str, order: int) -> str:
    """Return g y^(1 - p), 0 where y = 0."""
    if order == 1:
        return g
    at_zero = emit.op("Equal", y, emit.scalar(0, y))
    safe = emit.op("Where", at_zero, emit.scalar(1, y), y)
    return emit.op(
        "Div", emit.op("Where", at_zero, emit.scalar(0, g), g), emit.op("Pow", safe, emit.scalar(order - 1, y))
    )


def _counts(windows: Windows, inner: Sequence[int], outer: Sequence[int], *, include_pad: bool) -> Float64Array:
    """Return how many entries each window averages, shape (*outer), float64."""
    count: Float64Array = np.ones((), np.float64)
    for axis, (size, outs) in enumerate(zip(inner, outer, strict=True)):
        front, back = windows.before[axis], windows.after[axis]
        taps = np.arange(windows.kernel[axis]) * windows.dilations[axis]
        places = np.arange(outs)[:, None] * windows.strides[axis] - front + taps
        # ceil_mode lets a last window reach beyond the padding; nothing counts there
        low, high = (-front, size + back) if include_pad else (0, size)
        count = np.multiply.outer(count, ((places >= low) & (places < high)).sum(1))
    return np.maximum(count, 1)


def _spread(
    emit: GraphWriter,
    node: NodeView,
    g: str,
    windows: Windows,
    inner: Sequence[int],
    outer: Sequence[int],
    value: float,
) -> str:
    """Add each entry of g times a value to every place of its window."""
    x = node.inputs[0]
    # ceil_mode may put outputs beyond what the padding says: pad as far as the last window reaches.
    after = tuple(
        max((outs - 1) * stride + reach - front - size, back)
        for outs, stride, reach, front, size, back in zip(
            outer, windows.strides, windows.extent, windows.before, inner, windows.after, strict=True
        )
    )
    channels = node.shape(x)[1]
    if not isinstance(channels, int):
        raise ModelError(f"node {node.label!r} ({node.proto.op_type}): its gradient needs a static number of channels")
    if (
        windows.kernel == windows.strides
        and not any(windows.before)
        and list(inner) == [size * stride for size, stride in zip(outer, windows.strides, strict=True)]
    ):
        scales = np.asarray([1.0, 1.0, *windows.strides], np.float32)
        return emit.op(
            "Resize",
            emit.scaled(g, value),
            "",
            emit.constant(scales),
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )
    weight = emit.constant(np.full((channels, 1, *windows.kernel), value, emit.fact(g).dtype))
    return emit.lowering.convolution(emit, g, Convolution(weight, x, channels, replace(windows, after=after)))
