"""Reductions over axes: g is spread back over the reduced entries, weighted by each entry's share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


def _reduced_axes(node: NodeView) -> list[int]:
    """Return the reduced axes, counted from the front, from the attribute (before 18) or the input."""
    rank = node.rank(node.inputs[0])
    axes = node.integers("axes")
    if node.has_input(1):
        axes = tuple(int(axis) for axis in node.require_constant(1, "axes").reshape(-1))
    if not axes:
        return [] if node.integer("noop_with_empty_axes", 0) else list(range(rank))
    return sorted(axis % max(rank, 1) for axis in axes)


def _kept(node: NodeView, emit: GraphWriter, name: str) -> str:
    """Return the output, or its gradient, with the reduced axes kept as size 1."""
    return name if node.integer("keepdims", 1) else emit.unsqueeze(name, _reduced_axes(node))


def _answer(node: NodeView, dx: str) -> Sequence[Grad]:
    return [dx, None][: len(node.inputs)]


@gradient_rule("ReduceSum", (13,))
def reduce_sum(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g."""
    g = first(grads)
    return _answer(node, emit.expand_like(_kept(node, emit, g), node.inputs[0]))


@gradient_rule("ReduceMean", (13, 18))
def reduce_mean(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g / n."""
    g = first(grads)
    x = node.inputs[0]
    g = _kept(node, emit, g)
    sizes = [node.shape(x)[axis] for axis in _reduced_axes(node)]
    static = [size for size in sizes if isinstance(size, int)]
    if len(static) == len(sizes):
        return _answer(node, emit.expand_like(emit.scaled(g, 1 / max(int(np.prod(static)), 1)), x))
    count = emit.op("Div", emit.op("Size", x), emit.op("Size", g))
    return _answer(node, emit.expand_like(emit.op("Div", g, emit.cast_like(count, g)), x))


@gradient_rule("ReduceMax", (13, 18, 20))
def reduce_max(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g at the extreme entry; entries that tie share g equally."""
    g = first(grads)
    x = node.inputs[0]
    hits = emit.cast_like(emit.op("Equal", x, _kept(node, emit, node.outputs[0])), x)
    count = emit.reduce("ReduceSum", hits, _reduced_axes(node))
    return _answer(node, emit.op("Mul", emit.op("Div", _kept(node, emit, g), count), hits))


gradient_rule("ReduceMin", (13, 18, 20))(reduce_max)


@gradient_rule("ReduceL1", (13, 18))
def reduce_l1(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g sign(x)."""
    g = first(grads)
    return _answer(node, emit.op("Mul", _kept(node, emit, g), emit.op("Sign", node.inputs[0])))


@gradient_rule("ReduceL2", (13, 18))
def reduce_l2(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g x / y, 0 where y = 0."""
    g = first(grads)
    y = _kept(node, emit, node.outputs[0])
    at_zero = emit.op("Equal", y, emit.scalar(0, y))
    over = emit.op("Div", _kept(node, emit, g), emit.op("Where", at_zero, emit.scalar(1, y), y))
    return _answer(node, emit.op("Mul", node.inputs[0], over))


@gradient_rule("ReduceSumSquare", (13, 18))
def reduce_sum_square(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = 2 g x."""
    g = first(grads)
    return _answer(node, emit.op("Mul", emit.scaled(_kept(node, emit, g), 2), node.inputs[0]))


@gradient_rule("ReduceLogSum", (13, 18, 28))
def reduce_log_sum(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g e^-y."""
    g = first(grads)
    inverse = emit.op("Exp", emit.op("Neg", _kept(node, emit, node.outputs[0])))
    return _answer(node, emit.expand_like(emit.op("Mul", _kept(node, emit, g), inverse), node.inputs[0]))


@gradient_rule("ReduceLogSumExp", (13, 18, 28))
def reduce_log_sum_exp(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g e^(x - y)."""
    g = first(grads)
    share = emit.op("Exp", emit.op("Sub", node.inputs[0], _kept(node, emit, node.outputs[0])))
    return _answer(node, emit.op("Mul", _kept(node, emit, g), share))


@gradient_rule("ReduceProd", (13, 18))
def reduce_prod(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g times the product of the other entries (exact where entries are 0), one axis after the other."""
    g = _kept(node, emit, first(grads))
    axes = _reduced_axes(node)
    partial = [node.inputs[0]]
    for axis in axes[:-1]:
        partial.append(emit.reduce("ReduceProd", partial[-1], [axis]))
    for axis, x in zip(reversed(axes), reversed(partial), strict=True):
        g = emit.op("Mul", g, _product_of_others(node, emit, x, axis))
    return _answer(node, g)


def _product_of_others(node: NodeView, emit: GraphWriter, x: str, axis: int) -> str:
    """Return, for each entry, the product of the others along an axis: of the n - 1 rotations of the axis."""
    size = node.shape(x)[axis]
    if not isinstance(size, int):
        raise ModelError(f"node {node.label!r} (ReduceProd): axis {axis} varies; its gradient needs a static size")
    others = emit.expand_like(emit.scalar(1, x), x)
    for shift in range(1, size):
        turned = emit.op("Concat", emit.cut(x, axis, shift), emit.cut(x, axis, 0, shift), axis=axis)
        others = emit.op("Mul", others, turned)
    return others
