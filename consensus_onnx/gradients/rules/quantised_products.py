"""Products of quantised tensors: the gradient of the same product of real numbers.

As in `quantisation.py` the gradient with respect to integers is that of the same real numbers. Where a result is
quantised, an entry at either end of the range counts as saturated: nothing passes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import helper

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.convolution import Convolution
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.windows import windows_of
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("MatMulInteger", (10,))
def matmul_integer(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """With Y = (A - a0) (B - b0): dA = G (B - b0)^T, dB = (A - a0)^T G."""
    zeros = [node.inputs[at] if node.has_input(at) else "" for at in (2, 3)]
    answers = _product(node, emit, first(grads), node.inputs[:2], zeros)
    return [*answers, None, None][: len(node.inputs)]


@gradient_rule("QLinearMatMul", (10, 21))
def qlinear_matmul(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """With Y = sa sb / sy (A - a0) (B - b0): dA = sa sb / sy G (B - b0)^T, G zero where Y is at a limit."""
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, _ = node.inputs
    g = _unsaturated(node, emit, first(grads))
    per_row = emit.unsqueeze(a_scale, [emit.rank(a_scale)]) if emit.rank(a_scale) == 1 else a_scale
    factor = emit.op("Div", emit.op("Mul", per_row, b_scale), y_scale)
    g = emit.op("Mul", g, emit.cast_like(factor, g))
    da, db = _product(node, emit, g, (a, b), (a_zero, b_zero), (0, 3))
    return [da, None, None, db, None, None, None, None]


@gradient_rule("ConvInteger", (10,))
def conv_integer(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dX: the transposed convolution of g with W - w0."""
    x, weight = node.inputs[:2]
    zero = node.inputs[3] if node.has_input(3) else ""
    return [_convolution(node, emit, first(grads), x, weight, zero), None, None, None][: len(node.inputs)]


@gradient_rule("QLinearConv", (10,))
def qlinear_conv(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dX: sx sw / sy times the transposed convolution of g with W - w0, g zero where Y is at a limit."""
    x, x_scale, _, weight, w_scale, w_zero, y_scale = node.inputs[:7]
    g = _unsaturated(node, emit, first(grads))
    factor = emit.op("Div", emit.op("Mul", x_scale, w_scale), y_scale)
    if emit.rank(factor) == 1:  # one weight scale per channel of the result
        factor = emit.op("Reshape", factor, emit.ints([-1, *[1] * (node.rank(x) - 2)]))
    g = emit.op("Mul", g, emit.cast_like(factor, g))
    return [_convolution(node, emit, g, x, weight, w_zero), *([None] * (len(node.inputs) - 1))]


def _product(
    node: NodeView,
    emit: GraphWriter,
    g: str,
    factors: Sequence[str],
    zeros: Sequence[str],
    positions: Sequence[int] = (0, 1),
) -> list[Grad]:
    """Return the gradients of both factors of a matrix product of integers less their zero points."""
    if min(node.rank(name) for name in factors) < 2:
        raise ModelError(f"node {node.label!r} ({node.proto.op_type}): no gradient for products with vectors")
    a, b = (
        _shifted(emit, name, zero, g, column=not at) for at, (name, zero) in enumerate(zip(factors, zeros, strict=True))
    )
    da = db = None
    if positions[0] in node.wanted:
        da = emit.unbroadcast(emit.op("MatMul", g, _turned(emit, b)), a)
    if positions[1] in node.wanted:
        db = emit.unbroadcast(emit.op("MatMul", _turned(emit, a), g), b)
    return [da, db]


def _convolution(node: NodeView, emit: GraphWriter, g: str, x: str, weight: str, zero: str) -> str:
    """Return the input gradient of a convolution of integers."""
    shape = node.shape(weight)
    if any(position in node.wanted for position, name in enumerate(node.inputs) if name == weight):
        raise ModelError(f"node {node.label!r} ({node.proto.op_type}): its kernel depends on the input")
    kernel = [dim for dim in shape[2:] if isinstance(dim, int)]
    real = emit.cast_like(weight, g)
    if zero:
        shift = emit.cast_like(zero, g)
        if emit.rank(shift) == 1:
            shift = emit.op("Reshape", shift, emit.ints([-1, *[1] * (len(shape) - 1)]))
        real = emit.op("Sub", real, shift)
    windows = windows_of(node, kernel, node.shape(x)[2:])
    return emit.lowering.convolution(emit, g, Convolution(real, x, node.integer("group", 1), windows))


def _shifted(emit: GraphWriter, x: str, zero: str, like: str, *, column: bool) -> str:
    """Return x less its zero point as real numbers; a zero point per row of A stands in a column."""
    real = emit.cast_like(x, like)
    if not zero:
        return real
    shift = emit.cast_like(zero, like)
    if column and emit.rank(shift) == 1 and emit.shape(shift) != (1,):
        shift = emit.unsqueeze(shift, [1])
    return emit.op("Sub", real, shift)


def _unsaturated(node: NodeView, emit: GraphWriter, g: str) -> str:
    """Return g where the quantised result lies strictly inside its range, else 0."""
    y = node.outputs[0]
    kind = emit.fact(y).elem_type
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind))
    if dtype.kind not in "iu":
        return g
    limits = np.iinfo(dtype)
    real = emit.cast_like(y, g)  # ONNX Runtime compares int8 and uint8 as floats or not at all
    inside = emit.op(
        "And",
        emit.op("Greater", real, emit.scalar(int(limits.min), g)),
        emit.op("Less", real, emit.scalar(int(limits.max), g)),
    )
    return emit.op("Where", inside, g, emit.scalar(0, g))


def _turned(emit: GraphWriter, x: str) -> str:
    """Return a matrix, or a stack of them, with its last two axes swapped."""
    rank = emit.rank(x)
    return emit.transpose(x, [*range(rank - 2), rank - 1, rank - 2])
