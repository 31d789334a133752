"""Running sums and products along one axis."""

from __future__ import annotations

from collections.abc import Sequence

from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("CumSum", (14,))
def cum_sum(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = the cumulative sum of g from the other end."""
    return [_summed_back(node, emit, first(grads)), None]


@gradient_rule("CumProd", (26,))
def cum_prod(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = (cumulative sum of g y from the other end) / x; undefined (NaN) where x = 0."""
    weighted = emit.op("Mul", first(grads), node.outputs[0])
    return [emit.op("Div", _summed_back(node, emit, weighted), node.inputs[0]), None]


def _summed_back(node: NodeView, emit: GraphWriter, g: str) -> str:
    """Return, for each entry, the sum of g over the results it took part in."""
    turned = 1 - node.integer("reverse", 0)
    return emit.op("CumSum", g, node.inputs[1], exclusive=node.integer("exclusive", 0), reverse=turned)
