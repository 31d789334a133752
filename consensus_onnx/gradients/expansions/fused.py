"""What ONNX Runtime's optimiser fuses: products and convolutions with an activation, biased activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.expansion import expansion
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.writer import GraphWriter

MICROSOFT = "com.microsoft"


@expansion("Gelu", domain=MICROSOFT)
def gelu(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return x Phi(x)."""
    return [gelu_of(emit, node.inputs[0])]


@expansion("BiasGelu", domain=MICROSOFT)
def bias_gelu(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return the Gelu of x + bias."""
    return [gelu_of(emit, emit.op("Add", *node.inputs))]


@expansion("FastGelu", domain=MICROSOFT)
def fast_gelu(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 of x, or of x + bias."""
    x = emit.op("Add", *node.inputs) if node.has_input(1) else node.inputs[0]
    cubed = emit.op("Mul", emit.op("Mul", x, x), x)
    inner = emit.scaled(emit.op("Add", x, emit.scaled(cubed, 0.044715)), math.sqrt(2 / math.pi))
    return [emit.op("Mul", emit.scaled(x, 0.5), emit.op("Add", emit.op("Tanh", inner), emit.scalar(1, x)))]


@expansion("QuickGelu", domain=MICROSOFT)
def quick_gelu(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return x sigmoid(alpha x)."""
    x = node.inputs[0]
    return [emit.op("Mul", x, emit.op("Sigmoid", emit.scaled(x, node.real("alpha", 1.702))))]


@expansion("FusedMatMul", "TransposeMatMul", domain=MICROSOFT)
def fused_matmul(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """Return alpha A' B', with the last two axes of either turned."""
    if node.integer("transBatchA", 0) or node.integer("transBatchB", 0):
        return None
    sides = []
    for name, turned in zip(node.inputs, ("transA", "transB"), strict=True):
        rank = node.rank(name)
        order = [*range(rank - 2), rank - 1, rank - 2]
        sides.append(emit.transpose(name, order) if node.integer(turned, 0) and rank > 1 else name)
    return [emit.scaled(emit.op("MatMul", *sides), node.real("alpha", 1.0))]


@expansion("FusedGemm", domain=MICROSOFT)
def fused_gemm(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return the activation of alpha A' B' + beta C."""
    y = emit.op(
        "Gemm",
        *node.inputs,
        alpha=node.real("alpha", 1.0),
        beta=node.real("beta", 1.0),
        transA=node.integer("transA", 0),
        transB=node.integer("transB", 0),
    )
    parameters = [node.real(f"activation_{name}", math.nan) for name in ("alpha", "beta")]
    return [activated(node, emit, y, [value for value in parameters if not math.isnan(value)])]


@expansion("FusedConv", domain=MICROSOFT)
def fused_conv(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return the activation of Conv(x, W, b) + z."""
    y = emit.op(
        "Conv",
        *node.inputs[:3],
        group=node.integer("group", 1),
        auto_pad=node.text("auto_pad", "NOTSET"),
        **{name: node.integers(name) for name in ("kernel_shape", "strides", "pads", "dilations")},
    )
    if node.has_input(3):
        y = emit.op("Add", y, node.inputs[3])
    return [activated(node, emit, y, node.reals("activation_params"))]


def gelu_of(emit: GraphWriter, x: str) -> str:
    """Return x (1 + erf(x / sqrt(2))) / 2."""
    erf = emit.op("Erf", emit.scaled(x, math.sqrt(0.5)))
    return emit.op("Mul", emit.scaled(x, 0.5), emit.op("Add", erf, emit.scalar(1, x)))


def activated(node: NodeView, emit: GraphWriter, y: str, parameters: Sequence[float]) -> str:
    """Return what a fused node's `activation` makes of y."""
    name = node.text("activation", "")
    known: dict[str, Callable[[], str]] = {
        "": lambda: y,
        "Relu": lambda: emit.op("Relu", y),
        "Sigmoid": lambda: emit.op("Sigmoid", y),
        "Tanh": lambda: emit.op("Tanh", y),
        "LeakyRelu": lambda: emit.op("LeakyRelu", y, alpha=[*parameters, 0.01][0]),
        "Clip": lambda: emit.op("Clip", y, *(emit.scalar(bound, y) for bound in parameters)),
        "HardSigmoid": lambda: emit.op("HardSigmoid", y, alpha=[*parameters, 0.2][0], beta=[*parameters, 0.2, 0.5][1]),
    }
    if name not in known:
        raise ModelError(
            f"node {node.label!r} ({node.proto.op_type}): activation {name!r} is not known; expected one of "
            f"{', '.join(filter(None, known))}"
        )
    return known[name]()
