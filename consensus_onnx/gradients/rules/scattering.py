"""Writing entries by index, over what was there or together with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("ScatterND", (16, 18))
def scatter_nd(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return the gradients of what was written over and of what was written; see `_scattered`."""
    indices = node.inputs[1]

    def pick(x: str) -> str:
        return emit.op("GatherND", x, indices)

    def put(x: str, updates: str, reduction: str) -> str:
        return emit.scattered("ScatterND", x, indices, updates, reduction=reduction)

    return _scattered(node, first(grads), emit, pick, put)


@gradient_rule("ScatterElements", (16, 18))
def scatter_elements(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return the gradients of what was written over and of what was written; see `_scattered`."""
    indices = node.inputs[1]
    axis = node.axis(0, node.rank(node.inputs[0]))

    def pick(x: str) -> str:
        return emit.op("GatherElements", x, indices, axis=axis)

    def put(x: str, updates: str, reduction: str) -> str:
        return emit.scattered("ScatterElements", x, indices, updates, axis=axis, reduction=reduction)

    return _scattered(node, first(grads), emit, pick, put)


def _scattered(
    node: NodeView, g: str, emit: GraphWriter, pick: Callable[[str], str], put: Callable[[str, str, str], str]
) -> Sequence[Grad]:
    """Return ddata and dupdates, by the node's reduction.

    none: ddata = g with the written entries zero, dupdates = g there. add: ddata = g, dupdates = g there.
    mul: ddata = g times the product of an entry's updates, dupdates = g y / update there (undefined at update 0).
    max, min: those equal to the result share its g equally.
    """
    data, _, updates = node.inputs
    y = node.outputs[0]
    match node.text("reduction", "none"):
        case "none":
            ddata = put(g, emit.zeros_like(updates, g), "none") if 0 in node.wanted else None
            return [ddata, None, pick(g) if 2 in node.wanted else None]
        case "add":
            return [g, None, pick(g) if 2 in node.wanted else None]
        case "mul":
            products = put(emit.expand_like(emit.scalar(1, data), data), updates, "mul")
            dupdates = emit.op("Div", pick(emit.op("Mul", g, y)), updates)
            return [emit.op("Mul", g, products), None, dupdates]
        case _:
            kept = emit.cast_like(emit.op("Equal", data, y), g)
            written = emit.cast_like(emit.op("Equal", updates, pick(y)), g)
            share = emit.op("Div", g, put(kept, written, "add"))
            return [emit.op("Mul", share, kept), None, emit.op("Mul", pick(share), written)]
