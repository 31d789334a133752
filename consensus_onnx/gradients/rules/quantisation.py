"""Quantisation, straight through: rounding counts as the identity, saturation as a wall.

The gradient with respect to a quantised tensor q is the one with respect to its integers as if they were real numbers:
a float tensor of the same shape. The real numbers that q encodes are scale (q - zero), so their gradient is that
divided by scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import helper

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.facts import INTEGERS
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter

_VERSIONS = (13, 19, 21, 23, 24, 25, 28)


@gradient_rule("QuantizeLinear", _VERSIONS)
def quantize_linear(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g / scale where x is encoded without saturation, else 0; scale and zero point get none."""
    g = first(grads)
    x = node.inputs[0]
    kind = emit.fact(node.outputs[0]).elem_type
    step = _scale(node, emit, x)
    dx = emit.op("Div", emit.cast_like(g, x), step)
    nothing: list[Grad] = [None] * (len(node.inputs) - 1)
    if kind not in INTEGERS:  # float8: its range is not left in practice
        return [dx, *nothing]
    limits = np.iinfo(helper.tensor_dtype_to_np_dtype(kind))
    zero = _along_axis(node, emit, emit.cast_like(node.inputs[2], x)) if node.has_input(2) else emit.scalar(0, x)
    lowest, highest = (
        emit.op("Mul", emit.op("Sub", emit.scalar(limit, x), zero), step)
        for limit in (limits.min - 0.5, limits.max + 0.5)
    )
    inside = emit.op("And", emit.op("GreaterOrEqual", x, lowest), emit.op("LessOrEqual", x, highest))
    return [emit.op("Where", inside, dx, emit.scalar(0, x)), *nothing]


@gradient_rule("DequantizeLinear", _VERSIONS)
def dequantize_linear(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dq = g scale, dscale = sum(g y / scale); the zero point gets none."""
    g = first(grads)
    step = _scale(node, emit, g)
    dq = emit.op("Mul", g, step) if 0 in node.wanted else None
    dscale = None
    if 1 in node.wanted:
        scale = node.inputs[1]
        each = emit.op("Div", emit.op("Mul", g, emit.cast_like(node.outputs[0], g)), step)
        block = node.integer("block_size", 0)
        if block:
            axis = node.axis(1, node.rank(scale))
            members = np.arange(int(node.shape(step)[axis]))[:, None] // block  # type: ignore[arg-type]
            each = emit.along(each, axis, members == np.arange(int(node.shape(scale)[axis])))  # type: ignore[arg-type]
        dscale = emit.cast_like(emit.reshape_like(emit.unbroadcast(each, scale if block else step), scale), scale)
    return [dq, dscale, None][: len(node.inputs)]


@gradient_rule("DynamicQuantizeLinear", (11,))
def dynamic_quantize_linear(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g / scale: the range is chosen so that nothing saturates; its own movement counts as none."""
    return [None if grads[0] is None else emit.op("Div", grads[0], node.outputs[1])]


def _scale(node: NodeView, emit: GraphWriter, like: str) -> str:
    """Return a node's scale in another tensor's type, in a shape that broadcasts to its input's."""
    return _along_axis(node, emit, emit.cast_like(node.inputs[1], like))


def _along_axis(node: NodeView, emit: GraphWriter, parameter: str) -> str:
    """Return a scale or zero point in a shape that broadcasts along the node's axis."""
    if emit.rank(parameter) == 0 or emit.shape(parameter) == (1,):
        return emit.op("Reshape", parameter, emit.ints([]))
    rank = node.rank(node.inputs[0])
    axis = node.axis(1, rank)
    block = node.integer("block_size", 0)
    if block and emit.rank(parameter) == rank:  # one parameter for each block of neighbours along the axis
        return _repeated(node, emit, parameter, axis, block)
    return emit.op("Reshape", parameter, emit.ints([-1 if at == axis else 1 for at in range(rank)]))


def _repeated(node: NodeView, emit: GraphWriter, parameter: str, axis: int, block: int) -> str:
    """Return a parameter with each entry repeated along the blocked axis, cut to the input's size."""
    size = node.shape(node.inputs[0])[axis]
    if not isinstance(size, int):
        raise ModelError(f"node {node.label!r} ({node.proto.op_type}): its blocked axis {axis} varies")
    return emit.op("Gather", parameter, emit.constant(np.arange(size) // block), axis=axis)
