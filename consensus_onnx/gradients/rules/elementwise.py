"""Operators of one tensor, entry by entry: dx = g f'(x), with f' written in x and y = f(x).

Kinks: where f has two one-sided derivatives a rule says which value it takes, always PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter

# (writer, x, y) -> the tensor f'(x)
Derivative: TypeAlias = Callable[[GraphWriter, str, str], str]


def _elementwise(op_type: str, versions: Sequence[int]) -> Callable[[Derivative], Derivative]:
    """Register a derivative as the rule of an elementwise operator without attributes."""

    def register(derivative: Derivative) -> Derivative:
        @gradient_rule(op_type, versions)
        def rule(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
            g = first(grads)
            return [emit.op("Mul", g, derivative(emit, node.inputs[0], node.outputs[0]))]

        rule.__doc__ = derivative.__doc__
        return derivative

    return register


@_elementwise("Exp", (13,))
def exp(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = y."""
    return y


@_elementwise("Log", (13,))
def log(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 1 / x."""
    return emit.op("Reciprocal", x)


@_elementwise("Sqrt", (13,))
def sqrt(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 1 / (2 y); infinite at 0."""
    return emit.op("Div", emit.scalar(0.5, y), y)


@_elementwise("Reciprocal", (13,))
def reciprocal(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = -y^2."""
    return emit.op("Neg", emit.op("Mul", y, y))


@_elementwise("Abs", (13,))
def absolute(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = sign(x); 0 at the kink."""
    return emit.op("Sign", x)


@_elementwise("Sigmoid", (13,))
def sigmoid(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = y (1 - y)."""
    return emit.op("Mul", y, emit.lowering.one_minus(emit, y))


@_elementwise("Tanh", (13,))
def tanh(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 1 - y^2."""
    return emit.lowering.one_minus(emit, emit.op("Mul", y, y))


@_elementwise("Erf", (13,))
def erf(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 2 / sqrt(pi) e^(-x^2)."""
    bell = emit.op("Exp", emit.op("Neg", emit.op("Mul", x, x)))
    return emit.scaled(bell, 2 / math.sqrt(math.pi))


@_elementwise("Softplus", (1, 22))
def softplus(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = sigmoid(x)."""
    return emit.op("Sigmoid", x)


@_elementwise("Softsign", (1, 22))
def softsign(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 1 / (1 + |x|)^2."""
    one_sided = emit.op("Reciprocal", emit.op("Add", emit.op("Abs", x), emit.scalar(1, x)))
    return emit.op("Mul", one_sided, one_sided)


@_elementwise("HardSwish", (14, 22))
def hard_swish(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = x / 3 + 1/2 where -3 < x < 3, 0 up to -3, 1 from 3 on (the outer values at both kinks)."""
    inner = emit.op("Add", emit.scaled(x, 1 / 3), emit.scalar(0.5, x))
    above = emit.op("GreaterOrEqual", x, emit.scalar(3, x))
    below = emit.op("LessOrEqual", x, emit.scalar(-3, x))
    return emit.op("Where", above, emit.scalar(1, x), emit.op("Where", below, emit.scalar(0, x), inner))


@_elementwise("Mish", (18, 22))
def mish(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = t + x (1 - t^2) sigmoid(x), with t = tanh(softplus(x))."""
    t = emit.op("Tanh", emit.op("Softplus", x))
    slope = emit.op("Mul", tanh(emit, x, t), emit.op("Sigmoid", x))
    return emit.op("Add", t, emit.op("Mul", x, slope))


@_elementwise("Sin", (7, 22))
def sin(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = cos(x)."""
    return emit.op("Cos", x)


@_elementwise("Cos", (7, 22))
def cos(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = -sin(x)."""
    return emit.op("Neg", emit.op("Sin", x))


@_elementwise("Tan", (7, 22))
def tan(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 1 + y^2."""
    return emit.op("Add", emit.scalar(1, y), emit.op("Mul", y, y))


@_elementwise("Asin", (7, 22))
def asin(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 1 / sqrt(1 - x^2)."""
    return emit.op("Reciprocal", emit.op("Sqrt", _one_minus_square(emit, x)))


@_elementwise("Acos", (7, 22))
def acos(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = -1 / sqrt(1 - x^2)."""
    return emit.op("Neg", asin(emit, x, y))


@_elementwise("Atan", (7, 22))
def atan(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 1 / (1 + x^2)."""
    return emit.op("Reciprocal", tan(emit, y, x))


@_elementwise("Sinh", (9, 22))
def sinh(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = cosh(x)."""
    return emit.op("Cosh", x)


@_elementwise("Cosh", (9, 22))
def cosh(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = sinh(x)."""
    return emit.op("Sinh", x)


@_elementwise("Asinh", (9, 22))
def asinh(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 1 / sqrt(1 + x^2)."""
    return emit.op("Reciprocal", emit.op("Sqrt", tan(emit, y, x)))


@_elementwise("Acosh", (9, 22))
def acosh(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 1 / sqrt(x^2 - 1)."""
    return emit.op("Reciprocal", emit.op("Sqrt", emit.op("Neg", _one_minus_square(emit, x))))


@_elementwise("Atanh", (9, 22))
def atanh(emit: GraphWriter, x: str, y: str) -> str:
    """Return f' = 1 / (1 - x^2)."""
    return emit.op("Reciprocal", _one_minus_square(emit, x))


@gradient_rule("Neg", (13,))
def neg(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = -g."""
    g = first(grads)
    return [emit.op("Neg", g)]


def _one_minus_square(emit: GraphWriter, x: str) -> str:
    return emit.op("Sub", emit.scalar(1, x), emit.op("Mul", x, x))
