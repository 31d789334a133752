"""The input gradient of max pooling."""

from __future__ import annotations

from typing import Any

from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.writer import GraphWriter


def max_pool_by_indices(emit: GraphWriter, node: NodeView, gradient: str) -> str:
    """Add each gradient at the flat index of its window's maximum, which MaxPool itself tells."""
    x = node.inputs[0]
    kept = ("kernel_shape", "strides", "pads", "dilations")
    attributes: dict[str, Any] = {name: node.integers(name) for name in kept}
    attributes["ceil_mode"] = node.integer("ceil_mode", 0)
    attributes["auto_pad"] = node.text("auto_pad", "NOTSET")
    if attributes["auto_pad"] != "NOTSET":
        attributes["pads"] = None
    _, indices = emit.ops("MaxPool", (x,), ("", "indices"), **attributes)
    flat = emit.op("Reshape", gradient, emit.ints([-1]))
    places = emit.op("Reshape", indices, emit.ints([-1]))
    zeros = emit.op("Reshape", emit.zeros_like(x, gradient), emit.ints([-1]))
    return emit.reshape_like(emit.scattered("ScatterElements", zeros, places, flat, axis=0), x)
