"""Softmax and its logarithm, along one axis."""

from __future__ import annotations

from collections.abc import Sequence

from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("Softmax", (13,))
def softmax(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = y (g - sum(g y))."""
    g = first(grads)
    y = node.outputs[0]
    axis = node.axis(-1, node.rank(y))
    weighted = emit.op("Mul", g, y)
    total = emit.reduce("ReduceSum", weighted, [axis])
    return [emit.op("Sub", weighted, emit.op("Mul", y, total))]


@gradient_rule("LogSoftmax", (13,))
def log_softmax(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g - softmax(x) sum(g)."""
    g = first(grads)
    y = node.outputs[0]
    axis = node.axis(-1, node.rank(y))
    total = emit.reduce("ReduceSum", g, [axis])
    return [emit.op("Sub", g, emit.op("Mul", emit.op("Exp", y), total))]
