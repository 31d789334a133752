"""Arithmetic of several tensors with broadcasting."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import NodeProto

from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.rules.activations import gelu_gradient, swish_gradient
from consensus_onnx.gradients.writer import GraphWriter

# Of the s in 1 + erf(s x) that is taken for GELU's (0.71): 2 s / sqrt(pi) has to be a number of float16, too.
_LARGEST_SCALE = 1e4


@gradient_rule("Add", (14,))
def add(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return da = db = g."""
    g = first(grads)
    return [emit.unbroadcast(g, name) if at in node.wanted else None for at, name in enumerate(node.inputs)]


gradient_rule("Sum", (13,))(add)


@gradient_rule("Sub", (14,))
def sub(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return da = g, db = -g."""
    g = first(grads)
    a, b = node.inputs
    return [
        emit.unbroadcast(g, a) if 0 in node.wanted else None,
        emit.op("Neg", emit.unbroadcast(g, b)) if 1 in node.wanted else None,
    ]


@gradient_rule("Mul", (14,))
def mul(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return da = g b, db = g a.

    Of x sigmoid(x) and x (1 + erf(s x)), as exporters write SiLU and GELU, the whole dx is made at once: three passes
    over memory fewer.
    """
    g = first(grads)
    a, b = node.inputs
    if node.wanted == {0, 1}:
        for at, (x, factor) in enumerate(((a, b), (b, a))):
            dx = None
            if _is_sigmoid_of(node.makers.get(factor), x):
                dx = swish_gradient(emit, g, factor, node.outputs[0])
            elif (parts := _gelu_parts(node, x, factor)) is not None:
                dx = gelu_gradient(emit, g, factor, *parts)
            if dx is not None:
                return [None, dx] if at else [dx, None]
    return [
        emit.unbroadcast(emit.op("Mul", g, b), a) if 0 in node.wanted else None,
        emit.unbroadcast(emit.op("Mul", g, a), b) if 1 in node.wanted else None,
    ]


def _is_sigmoid_of(maker: NodeProto | None, x: str) -> bool:
    return maker is not None and (maker.domain, maker.op_type, maker.input[0]) == ("", "Sigmoid", x)


def _gelu_parts(node: NodeView, h: str, factor: str) -> tuple[str, str, float] | None:
    """Return x, s x and s > 0 where a factor is 1 + erf(s x) and h is x or a multiple of it, else None."""
    shifted = node.makers.get(factor)
    if shifted is None or (shifted.domain, shifted.op_type) != ("", "Add"):
        return None
    for erf_of, one in (shifted.input, reversed(shifted.input)):
        erf, constant = node.makers.get(erf_of), node.facts[one].constant
        if erf is None or (erf.domain, erf.op_type) != ("", "Erf") or constant is None or (constant != 1).any():
            continue
        x, s = _multiple(node, erf.input[0])
        shapes = {node.facts[name].shape for name in (factor, h, x)}
        alike = len(shapes) == 1 and None not in shapes
        if alike and 0 < s < _LARGEST_SCALE and x in (h, _multiple(node, h)[0]):
            return x, erf.input[0], s
    return None


def _multiple(node: NodeView, y: str) -> tuple[str, float]:
    """Return x and s where a tensor is x times or by a number, else the tensor itself and 1."""
    maker = node.makers.get(y)
    if maker is None or maker.domain or maker.op_type not in ("Mul", "Div"):
        return y, 1.0
    for x, by in (maker.input, reversed(maker.input)):
        number = node.facts[by].constant
        if number is not None and number.size == 1:
            s = float(number.reshape(-1)[0])
            if maker.op_type == "Mul":
                return x, s
            if by == maker.input[1] and s != 0:
                return x, 1 / s
    return y, 1.0


@gradient_rule("Div", (14,))
def div(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return da = g / b, db = -g y / b."""
    g = first(grads)
    a, b = node.inputs
    over = emit.op("Mul", g, emit.op("Reciprocal", b)) if node.constant(1) is not None else emit.op("Div", g, b)
    da = emit.unbroadcast(over, a) if 0 in node.wanted else None
    if 1 not in node.wanted:
        return [da, None]
    return [da, emit.op("Neg", emit.unbroadcast(emit.op("Mul", over, node.outputs[0]), b))]


@gradient_rule("Mean", (13,))
def mean(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Each input gets g / n."""
    g = first(grads)
    share = emit.scaled(g, 1 / len(node.inputs))
    return [emit.unbroadcast(share, name) if at in node.wanted else None for at, name in enumerate(node.inputs)]


@gradient_rule("Max", (13,))
def maximum(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Each input gets g where it is the largest; inputs that tie share g equally."""
    g = first(grads)
    y = node.outputs[0]
    hits = [emit.cast_like(emit.op("Equal", name, y), y) for name in node.inputs]
    count = hits[0]
    for hit in hits[1:]:
        count = emit.op("Add", count, hit)
    share = emit.op("Div", g, count)
    return [
        emit.unbroadcast(emit.op("Mul", share, hit), name) if at in node.wanted else None
        for at, (name, hit) in enumerate(zip(node.inputs, hits, strict=True))
    ]


gradient_rule("Min", (13,))(maximum)


@gradient_rule("Pow", (15,))
def power(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return da = g b a^(b - 1), 0 where b = 0; db = g y log a, 0 where a = 0 and b >= 0."""
    g = first(grads)
    a, b = node.inputs
    exponent = emit.cast_like(b, a)
    da = db = None
    if 0 in node.wanted:
        constant = node.constant(1)
        if constant is not None and constant.size == 1 and float(constant.reshape(-1)[0]) == 2:
            slope = emit.scaled(a, 2)
        else:
            lowered = emit.op("Pow", a, emit.op("Sub", exponent, emit.scalar(1, a)))
            slope = emit.op("Mul", exponent, lowered)
            if constant is None or (constant == 0).any():
                flat = emit.op("Equal", exponent, emit.scalar(0, a))
                slope = emit.op("Where", flat, emit.scalar(0, a), slope)
        da = emit.unbroadcast(emit.op("Mul", g, slope), a)
    if 1 in node.wanted:
        growth = emit.op("Mul", node.outputs[0], emit.op("Log", a))
        at_zero = emit.op(
            "And", emit.op("Equal", a, emit.scalar(0, a)), emit.op("GreaterOrEqual", exponent, emit.scalar(0, a))
        )
        growth = emit.op("Where", at_zero, emit.scalar(0, a), growth)
        db = emit.unbroadcast(emit.op("Mul", g, growth), b)
    return [da, db]


@gradient_rule("Mod", (13, 28))
def mod(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return da = g; db = -g trunc(a / b) for the fmod of floats."""
    g = first(grads)
    a, b = node.inputs
    da = emit.unbroadcast(g, a) if 0 in node.wanted else None
    if 1 not in node.wanted:
        return [da, None]
    whole = emit.op("Div", emit.op("Sub", a, node.outputs[0]), b)
    return [da, emit.op("Neg", emit.unbroadcast(emit.op("Mul", g, whole), b))]


@gradient_rule("Where", (16,))
def where(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """The chosen side gets g, the other 0."""
    g = first(grads)
    condition, x, y = node.inputs
    zero = emit.scalar(0, g)
    return [
        None,
        emit.unbroadcast(emit.op("Where", condition, g, zero), x) if 1 in node.wanted else None,
        emit.unbroadcast(emit.op("Where", condition, zero, g), y) if 2 in node.wanted else None,
    ]
