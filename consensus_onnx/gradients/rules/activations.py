"""Activations with parameters or kinks. At a kink the gradient is PyTorch's; each rule says which that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("Relu", (14,))
def relu(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g where y > 0, else 0 (0 at the kink)."""
    g = first(grads)
    return [emit.lowering.where_above(emit, g, node.outputs[0], 0.0)]


@gradient_rule("Clip", (13,))
def clip(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g where low < y < high, else 0 (0 at the bounds, as PyTorch's ReLU6, not its clamp).

    A bound that is computed gets the g of the entries beyond it.
    """
    g = first(grads)
    x, y = node.inputs[0], node.outputs[0]
    answers: list[Grad] = [None, None, None]
    largest = np.finfo(np.float32).max
    steps = (
        (1, emit.lowering.where_above, "Greater", "Less"),
        (2, emit.lowering.where_below, "Less", "Greater"),
    )
    dx = g
    for position, keep, inside, outside in steps:
        if not node.has_input(position):
            continue
        bound, value = node.inputs[position], node.constant(position)
        if value is None:
            dx = emit.op("Where", emit.op(inside, y, bound), dx, emit.scalar(0, g))
        elif abs(float(value)) < largest:
            dx = keep(emit, dx, y, float(value))
        if position in node.wanted:
            chosen = emit.op(outside, x, bound)
            if node.has_input(1) and node.has_input(2):  # where the bounds cross, the upper one decides
                crossed = emit.op("Less", node.inputs[2], node.inputs[1])
                chosen = (
                    emit.op("Or", chosen, crossed) if position == 2 else emit.op("And", chosen, emit.op("Not", crossed))
                )
            beyond = emit.op("Where", chosen, g, emit.scalar(0, g))
            answers[position] = emit.unbroadcast(beyond, bound)
    answers[0] = dx
    return answers[: len(node.inputs)]


@gradient_rule("LeakyRelu", (16,))
def leaky_relu(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g where x > 0, else alpha g (alpha at the kink)."""
    g = first(grads)
    alpha = node.real("alpha", 0.01)
    passed = emit.scaled(emit.lowering.where_above(emit, g, node.inputs[0], 0.0), 1 - alpha)
    return [emit.op("Add", passed, emit.scaled(g, alpha))]


@gradient_rule("PRelu", (16,))
def prelu(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g where x > 0, else slope g (slope at the kink); dslope = g x where x <= 0."""
    g = first(grads)
    x, slope = node.inputs
    positive = emit.op("Greater", x, emit.scalar(0, x))
    dx = emit.op("Where", positive, g, emit.op("Mul", g, slope))
    if 1 not in node.wanted:
        return [dx, None]
    dslope = emit.op("Where", positive, emit.scalar(0, x), emit.op("Mul", g, x))
    return [dx, emit.unbroadcast(dslope, slope)]


def _two_sided(emit: GraphWriter, g: str, x: str, right: str, left: str) -> str:
    """Return g right where x > 0, else g left."""
    slope = emit.op("Where", emit.op("Greater", x, emit.scalar(0, x)), right, left)
    return emit.op("Mul", g, slope)


@gradient_rule("Elu", (6, 22))
def elu(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g where x > 0, else alpha e^x g (alpha at 0)."""
    g = first(grads)
    x = node.inputs[0]
    left = emit.op("Add", node.outputs[0], emit.scalar(node.real("alpha", 1.0), x))
    return [_two_sided(emit, g, x, emit.scalar(1, x), left)]


@gradient_rule("Selu", (6, 22))
def selu(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = gamma g where x > 0, else gamma alpha e^x g = (y + gamma alpha) g."""
    g = first(grads)
    x = node.inputs[0]
    alpha, gamma = node.real("alpha", 1.67326319217681884765625), node.real("gamma", 1.05070102214813232421875)
    left = emit.op("Add", node.outputs[0], emit.scalar(alpha * gamma, x))
    return [_two_sided(emit, g, x, emit.scalar(gamma, x), left)]


@gradient_rule("Celu", (12, 28))
def celu(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g where x > 0, else e^(x / alpha) g = (y / alpha + 1) g."""
    g = first(grads)
    x = node.inputs[0]
    left = emit.op("Add", emit.scaled(node.outputs[0], 1 / node.real("alpha", 1.0)), emit.scalar(1, x))
    return [_two_sided(emit, g, x, emit.scalar(1, x), left)]


@gradient_rule("ThresholdedRelu", (10, 22))
def thresholded_relu(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g where x > alpha, else 0 (0 at alpha)."""
    g = first(grads)
    return [emit.lowering.where_above(emit, g, node.inputs[0], node.real("alpha", 1.0))]


@gradient_rule("Shrink", (9,))
def shrink(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g where |x| > lambd, else 0 (0 at the jumps)."""
    g = first(grads)
    return [emit.lowering.where_above(emit, g, emit.op("Abs", node.inputs[0]), node.real("lambd", 0.5))]


@gradient_rule("HardSigmoid", (6, 22))
def hard_sigmoid(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = alpha g where 0 < y < 1, else 0 (0 at both bounds)."""
    g = first(grads)
    y = node.outputs[0]
    inside = emit.lowering.where_below(emit, emit.lowering.where_above(emit, g, y, 0.0), y, 1.0)
    return [emit.scaled(inside, node.real("alpha", 0.2))]


@gradient_rule("Gelu", (20,))
def gelu(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g (Phi(x) + x phi(x)); with approximate="tanh" the derivative of x (1 + tanh u(x)) / 2."""
    g = first(grads)
    x = node.inputs[0]
    if node.text("approximate", "none") == "none":
        u = emit.scaled(x, math.sqrt(0.5))
        twice_cumulative = emit.op("Add", emit.op("Erf", u), emit.scalar(1, x))
        return [gelu_gradient(emit, emit.scaled(g, 0.5), twice_cumulative, x, u, math.sqrt(0.5))]
    squared = emit.op("Mul", x, x)
    # u = sqrt(2 / pi) (x + 0.044715 x^3), u' = sqrt(2 / pi) (1 + 3 * 0.044715 x^2)
    scale, cubic = math.sqrt(2 / math.pi), 0.044715
    u = emit.op("Mul", x, emit.op("Add", emit.scalar(scale, x), emit.scaled(squared, scale * cubic)))
    slope = emit.op("Add", emit.scalar(scale, x), emit.scaled(squared, 3 * scale * cubic))
    t = emit.op("Tanh", u)
    rest = emit.op("Mul", emit.op("Mul", x, slope), emit.lowering.one_minus(emit, emit.op("Mul", t, t)))
    twice = emit.op("Add", emit.op("Add", t, emit.scalar(1, x)), rest)
    return [emit.op("Mul", g, emit.scaled(twice, 0.5))]


def gelu_gradient(emit: GraphWriter, g: str, shifted: str, x: str, u: str, s: float) -> str:
    """Return the gradient of x (1 + erf(u)) with u = s x: g (1 + erf(u) + x e^(ln(2 s / sqrt(pi)) - u^2))."""
    exponent = emit.op("Sub", emit.scalar(math.log(2 * s / math.sqrt(math.pi)), x), emit.op("Mul", u, u))
    return emit.op("Mul", g, emit.op("Add", shifted, emit.op("Mul", x, emit.op("Exp", exponent))))


@gradient_rule("Swish", (24,))
def swish(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g (s + alpha y (1 - s)), with s = sigmoid(alpha x)."""
    g = first(grads)
    alpha = node.real("alpha", 1.0)
    s = emit.op("Sigmoid", emit.scaled(node.inputs[0], alpha))
    return [swish_gradient(emit, g, s, emit.scaled(node.outputs[0], alpha))]


def swish_gradient(emit: GraphWriter, g: str, s: str, y: str) -> str:
    """Return g (s + y (1 - s)), with s a sigmoid."""
    return emit.op("Mul", g, emit.op("Add", s, emit.op("Mul", y, emit.lowering.one_minus(emit, s))))
