"""ONNX Runtime's quantised operators: back to real numbers, the operator itself, and quantised again.

The results can differ by one step of the scale where an exact result falls between two steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consensus_onnx.gradients.expansion import expansion
from consensus_onnx.gradients.expansions.fused import MICROSOFT
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.writer import GraphWriter


@expansion("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def qlinear_arithmetic(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return A + B or A B; inputs A, its scale and zero point, B's, C's."""
    operator = {"QLinearAdd": "Add", "QLinearMul": "Mul"}[node.proto.op_type]
    return [_quantised(node, emit, emit.op(operator, _real(node, emit, 0), _real(node, emit, 3)), 6)]


@expansion(
    "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearGlobalAveragePool", "QLinearAveragePool",
    "QLinearReduceMean", domain=MICROSOFT,
)  # fmt: skip
def qlinear_of_one(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """Return the operator of that name on X; inputs X, its scale and zero point, Y's."""
    operator = node.proto.op_type.removeprefix("QLinear")
    if node.integer("channels_last", 0):
        return None
    attributes: dict[str, Any] = {}
    match operator:
        case "LeakyRelu":
            attributes["alpha"] = node.real("alpha", 0.01)
        case "Softmax":
            attributes["axis"] = node.integer("axis", -1)
            if (
                node.integer("opset", 13) < 13
                and node.axis(-1, node.rank(node.inputs[0])) != node.rank(node.inputs[0]) - 1
            ):
                return None
        case "AveragePool":
            attributes = {name: node.integers(name) for name in ("kernel_shape", "strides", "pads")}
            attributes["ceil_mode"] = node.integer("ceil_mode", 0)
            attributes["count_include_pad"] = node.integer("count_include_pad", 0)
            attributes["auto_pad"] = node.text("auto_pad", "NOTSET")
        case "ReduceMean":
            axes = node.integers("axes") or tuple(range(node.rank(node.inputs[0])))
            mean = emit.reduce(operator, _real(node, emit, 0), axes, keepdims=bool(node.integer("keepdims", 1)))
            return [_quantised(node, emit, mean, 3)]
    return [_quantised(node, emit, emit.op(operator, _real(node, emit, 0), **attributes), 3)]


@expansion("QLinearConcat", domain=MICROSOFT)
def qlinear_concat(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return the inputs joined; Y's scale and zero point come first, then each input with its own."""
    parts = [_real(node, emit, position) for position in range(2, len(node.inputs), 3)]
    return [_quantised(node, emit, emit.op("Concat", *parts, axis=node.integer("axis", 0)), 0)]


@expansion("QGemm", domain=MICROSOFT)
def qgemm(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return alpha A' B' + C, C in steps of alpha sa sb; quantised where Y has a scale."""
    flip = {"transA": node.integer("transA", 0), "transB": node.integer("transB", 0)}
    a, b = _real(node, emit, 0), _real(node, emit, 3, axis=0 if flip["transB"] else 1)
    alpha = node.real("alpha", 1.0)
    y = emit.op("Gemm", a, b, alpha=alpha, **flip)
    if node.has_input(6):
        step = emit.scaled(emit.op("Mul", node.inputs[1], node.inputs[4]), alpha)
        y = emit.op("Add", y, emit.op("Mul", emit.cast_like(node.inputs[6], step), step))
    return [_quantised(node, emit, y, 7) if node.has_input(7) else y]


@expansion("MatMulIntegerToFloat", domain=MICROSOFT)
def matmul_integer_to_float(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return sa (A - a0) sb (B - b0) + bias."""
    a = _dequantised(node, emit, 0, 2, 4, axis=node.rank(node.inputs[0]) - 2)
    b = _dequantised(node, emit, 1, 3, 5, axis=node.rank(node.inputs[1]) - 1)
    y = emit.op("MatMul", a, b)
    return [emit.op("Add", y, node.inputs[6]) if node.has_input(6) else y]


@expansion("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_matmul(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return A, quantised by its own range, times sb (B - b0), plus bias."""
    q, scale, zero = emit.ops("DynamicQuantizeLinear", node.inputs[:1], ("q", "scale", "zero"))
    b = _dequantised(node, emit, 1, 2, 3, axis=node.rank(node.inputs[1]) - 1)
    y = emit.op("MatMul", emit.op("DequantizeLinear", q, scale, zero), b)
    return [emit.op("Add", y, node.inputs[4]) if node.has_input(4) else y]


def _real(node: NodeView, emit: GraphWriter, position: int, axis: int = 1) -> str:
    """Return the real numbers of the quantised tensor at a position, whose scale and zero point follow it."""
    return _dequantised(node, emit, position, position + 1, position + 2, axis)


def _dequantised(node: NodeView, emit: GraphWriter, x: int, scale: int, zero: int, axis: int) -> str:
    names = [node.inputs[x], node.inputs[scale], *([node.inputs[zero]] if node.has_input(zero) else [])]
    parameters = [emit.op("Reshape", name, emit.ints([])) if emit.shape(name) == (1,) else name for name in names[1:]]
    return emit.op("DequantizeLinear", names[0], *parameters, axis=axis)


def _quantised(node: NodeView, emit: GraphWriter, y: str, scale: int) -> str:
    """Return real numbers in steps of the scale at a position, whose zero point follows it."""
    zero = [node.inputs[scale + 1]] if node.has_input(scale + 1) else []
    given = [emit.op("Reshape", name, emit.ints([])) for name in (node.inputs[scale], *zero)]
    return emit.op("QuantizeLinear", y, *given)
