"""Quantisation, straight through: rounding counts as the identity, saturation as a wall.

The gradient with respect to a quantised tensor is the one with respect to the real numbers it encodes, so it is a float
tensor of the same shape.
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

_VERSIONS = (13, 19, 21, 23, 24, 25)


@gradient_rule("QuantizeLinear", _VERSIONS)
def quantize_linear(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g where x is encoded without saturation, else 0; scale and zero point get none."""
    g = first(grads)
    x, scale = node.inputs[:2]
    kind = emit.fact(node.outputs[0]).elem_type
    if node.integer("block_size", 0):
        raise ModelError(f"node {node.label!r} (QuantizeLinear): no gradient for blocked quantisation")
    nothing: list[Grad] = [None] * (len(node.inputs) - 1)
    if kind not in INTEGERS:  # float8: its range is not left in practice
        return [emit.cast_like(g, x), *nothing]
    limits = np.iinfo(helper.tensor_dtype_to_np_dtype(kind))
    step = _along_axis(node, emit, emit.cast_like(scale, x))
    zero = _along_axis(node, emit, emit.cast_like(node.inputs[2], x)) if node.has_input(2) else emit.scalar(0, x)
    lowest, highest = (
        emit.op("Mul", emit.op("Sub", emit.scalar(limit, x), zero), step)
        for limit in (limits.min - 0.5, limits.max + 0.5)
    )
    inside = emit.op("And", emit.op("GreaterOrEqual", x, lowest), emit.op("LessOrEqual", x, highest))
    return [emit.op("Where", inside, emit.cast_like(g, x), emit.scalar(0, x)), *nothing]


@gradient_rule("DequantizeLinear", _VERSIONS)
def dequantize_linear(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g for the encoded real numbers; scale and zero point get none."""
    return [first(grads), *([None] * (len(node.inputs) - 1))]


@gradient_rule("DynamicQuantizeLinear", (11,))
def dynamic_quantize_linear(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g: the range is chosen so that nothing saturates."""
    return [grads[0]]


def _along_axis(node: NodeView, emit: GraphWriter, parameter: str) -> str:
    """Return a scale or zero point in a shape that broadcasts along the node's axis."""
    if emit.rank(parameter) == 0 or emit.shape(parameter) == (1,):
        return emit.op("Reshape", parameter, emit.ints([]))
    rank = node.rank(node.inputs[0])
    axis = node.axis(1, rank)
    return emit.op("Reshape", parameter, emit.ints([-1 if at == axis else 1 for at in range(rank)]))
