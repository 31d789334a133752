"""Normalisations, as exported classifiers use them: with fixed statistics, or with those of the sample itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("BatchNormalization", (15,))
def batch_normalization(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g scale / std per channel, with std = sqrt(variance + epsilon): the statistics are the stored ones.

    With n = (x - mean) / std: dscale = sum(g n), dbias = sum(g), dmean = -scale sum(g) / std,
    dvariance = -scale sum(g n) / (2 std^2).
    """
    g = first(grads)
    if node.integer("training_mode", 0):
        raise ModelError(
            f"node {node.label!r} (BatchNormalization): training_mode is set; export the model in eval mode"
        )
    x, scale, bias, mean, variance = node.inputs
    spread = emit.op("Sqrt", emit.op("Add", variance, emit.scalar(node.real("epsilon", 1e-5), variance)))
    factor = emit.op("Div", scale, spread)
    dims = [-1, *[1] * (node.rank(x) - 2)]
    dx = dscale = dbias = dmean = dvariance = None
    if 0 in node.wanted:
        per_channel = emit.op("Reshape", factor, emit.ints(dims))
        dx = emit.op("Mul", g, emit.cast_like(per_channel, g))
    others = [0, *range(2, node.rank(x))]
    if node.wanted & {2, 3}:
        total = emit.reduce("ReduceSum", g, others, keepdims=False)
        dbias = emit.cast_like(total, bias)
        dmean = emit.op("Neg", emit.op("Mul", emit.cast_like(total, mean), factor))
    if node.wanted & {1, 4}:
        centred = emit.op("Sub", x, emit.cast_like(emit.op("Reshape", mean, emit.ints(dims)), x))
        total = emit.reduce("ReduceSum", emit.op("Mul", g, centred), others, keepdims=False)
        dscale = emit.op("Div", emit.cast_like(total, variance), spread)
        dvariance = emit.op("Div", emit.op("Mul", dscale, emit.scaled(factor, -0.5)), spread)
        dscale = emit.cast_like(dscale, scale)
    return [dx, dscale, dbias, dmean, dvariance]


@gradient_rule("LayerNormalization", (17,))
def layer_normalization(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = (h - mean(h) - n mean(h n)) / std, with n the normalised x and h = g scale; dscale = sum(g n).

    n and 1 / std come from one more LayerNormalization without scale, a single kernel. Gradients of the outputs Mean
    and InvStdDev add gm / N and -gs n / (N std^2) for N entries.
    """
    x, scale = node.inputs[:2]
    rank = node.rank(x)
    axis = node.axis(-1, rank)
    axes = list(range(axis, rank))
    g, *of_statistics = grads
    ones = emit.constant(np.ones([int(dim) for dim in _static(node, x)[axis:]], emit.fact(x).dtype))
    epsilon = node.real("epsilon", 1e-5)
    normal, _, inverse = emit.ops("LayerNormalization", (x, ones), ("", "-", "inverse"), axis=axis, epsilon=epsilon)
    parts: list[str] = []
    dscale = dbias = None
    if g is not None:
        parts.append(_centred(emit, emit.op("Mul", g, scale), normal, emit.cast_like(inverse, x), axes))
        dscale = emit.unbroadcast(emit.op("Mul", g, normal), scale) if 1 in node.wanted else None
        dbias = emit.unbroadcast(g, node.inputs[2]) if 2 in node.wanted else None
    count = int(np.prod(_static(node, x)[axis:]))
    for at, statistic in enumerate(of_statistics):
        if statistic is not None:
            slope = emit.op("Neg", emit.op("Mul", normal, _squared(emit, inverse, x))) if at else ones
            share = emit.scaled(emit.cast_like(statistic, x), 1 / count)
            parts.append(emit.expand_like(emit.op("Mul", share, slope), x))
    dx = parts[0]
    for part in parts[1:]:
        dx = emit.op("Add", dx, part)
    return [dx, dscale, dbias][: len(node.inputs)]


def _squared(emit: GraphWriter, value: str, like: str) -> str:
    """Return a square in another tensor's type."""
    return emit.cast_like(emit.op("Mul", value, value), like)


@gradient_rule("InstanceNormalization", (6, 22))
def instance_normalization(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = (h - mean(h) - n mean(h n)) / std per channel; dscale = sum(g n), dbias = sum(g).

    n is the normalised x and h = g scale.
    """
    g = first(grads)
    x, scale = node.inputs[:2]
    axes = list(range(2, node.rank(x)))
    centred = emit.op("Sub", x, emit.reduce("ReduceMean", x, axes))
    normal, inverse = _standardised(emit, centred, axes, node.real("epsilon", 1e-5))
    per_channel = emit.op("Reshape", scale, emit.ints([-1, *[1] * len(axes)]))
    others = [0, *axes]
    return [
        _centred(emit, emit.op("Mul", g, per_channel), normal, inverse, axes) if 0 in node.wanted else None,
        emit.reduce("ReduceSum", emit.op("Mul", g, normal), others, keepdims=False) if 1 in node.wanted else None,
        emit.reduce("ReduceSum", g, others, keepdims=False) if 2 in node.wanted else None,
    ]


@gradient_rule("LpNormalization", (1, 22))
def lp_normalization(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """With n = |x|_p: dx = (g - d|x|_p/dx sum(g y)) / n, where d|x|_2/dx = y and d|x|_1/dx = sign(x)."""
    g = first(grads)
    x, y = node.inputs[0], node.outputs[0]
    axis = node.axis(-1, node.rank(x))
    order = node.integer("p", 2)
    norm = emit.reduce("ReduceL2" if order == 2 else "ReduceL1", x, [axis])
    slope = y if order == 2 else emit.op("Sign", x)
    along = emit.reduce("ReduceSum", emit.op("Mul", g, y), [axis])
    return [emit.op("Div", emit.op("Sub", g, emit.op("Mul", slope, along)), norm)]


@gradient_rule("LRN", (13,))
def lrn(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """y = x s^-beta, s = bias + alpha / size sum of x^2 over the channel window.

    dx = g s^-beta - 2 alpha beta / size x W^T(g y / s), with W the channel window: a 1x1 Conv with a band matrix.
    """
    g = first(grads)
    x, y = node.inputs[0], node.outputs[0]
    size = node.integer("size", 1)
    alpha, beta, bias = node.real("alpha", 1e-4), node.real("beta", 0.75), node.real("bias", 1.0)
    channels = node.shape(x)[1]
    if not isinstance(channels, int):
        raise ModelError(f"node {node.label!r} (LRN): its gradient needs a static number of channels")
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    rows, columns = np.indices((channels, channels))
    band = ((columns >= rows - before) & (columns <= rows + after)).astype(emit.fact(x).dtype)
    ones = [1] * (node.rank(x) - 2)
    summed = emit.op("Conv", emit.op("Mul", x, x), emit.constant(band.reshape(channels, channels, *ones)))
    s = emit.op("Add", emit.scaled(summed, alpha / size), emit.scalar(bias, x))
    direct = emit.op("Mul", g, emit.op("Pow", s, emit.scalar(-beta, x)))
    ratio = emit.op("Div", emit.op("Mul", g, y), s)
    back = emit.op("Conv", ratio, emit.constant(np.ascontiguousarray(band.T).reshape(channels, channels, *ones)))
    return [emit.op("Sub", direct, emit.op("Mul", emit.scaled(x, 2 * alpha * beta / size), back))]


def _standardised(emit: GraphWriter, centred: str, axes: Sequence[int], epsilon: float) -> tuple[str, str]:
    """Return the normalised tensor and 1 / std."""
    variance = emit.reduce("ReduceMean", emit.op("Mul", centred, centred), axes)
    inverse = emit.op("Reciprocal", emit.op("Sqrt", emit.op("Add", variance, emit.scalar(epsilon, centred))))
    return emit.op("Mul", centred, inverse), inverse


def _centred(emit: GraphWriter, h: str, normal: str, inverse: str, axes: Sequence[int]) -> str:
    """Return (c - n mean(c n)) / std with c = h - mean(h): mean(c n) is mean(h n), because n has mean 0."""
    centred = emit.op("Sub", h, emit.reduce("ReduceMean", h, axes))
    tilt = emit.reduce("ReduceMean", emit.op("Mul", centred, normal), axes)
    return emit.op("Mul", emit.op("Sub", centred, emit.op("Mul", normal, tilt)), inverse)


def _static(node: NodeView, x: str) -> list[int]:
    """Return a shape whose varying dimensions are -1."""
    return [dim if isinstance(dim, int) else -1 for dim in node.shape(x)]
