"""ONNX Runtime's attention and the normalisation of sums that stands around it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from onnx import NodeProto

from consensus_onnx.gradients.expansion import expansion
from consensus_onnx.gradients.expansions.fused import MICROSOFT
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.writer import GraphWriter


@expansion("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_layer_normalization(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """Return the layer norm of x + skip + bias, and that sum; simplified: without mean and beta."""
    simplified = node.proto.op_type == "SkipSimplifiedLayerNormalization"
    x, skip, gamma = node.inputs[:3]
    total = emit.op("Add", x, skip)
    bias = 3 if simplified else 4
    if node.has_input(bias):
        total = emit.op("Add", total, node.inputs[bias])
    epsilon = node.real("epsilon", 1e-12)
    if any(node.outputs[1:3]):
        return None
    if simplified:
        mean_square = emit.reduce("ReduceMean", emit.op("Mul", total, total), [emit.rank(total) - 1])
        spread = emit.op("Sqrt", emit.op("Add", mean_square, emit.scalar(epsilon, total)))
        y = emit.op("Mul", emit.op("Div", total, spread), gamma)
    else:
        y = _layer_norm(emit, total, gamma, epsilon)
        y = emit.op("Add", y, node.inputs[3]) if node.has_input(3) else y
    return [y, "", "", total]


@expansion("Attention", domain=MICROSOFT)
def attention(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """Return the attention of x W + b, cut into queries, keys and values."""
    if any(node.has_input(position) for position in (3, 4, 6)) or any(node.outputs[1:]):
        return None  # masks by length and caches: language models
    if node.integer("unidirectional", 0) or node.integer("do_rotary", 0):
        return None
    x, weights = node.inputs[:2]
    projected = emit.op("MatMul", x, weights)
    if node.has_input(2):
        projected = emit.op("Add", projected, node.inputs[2])
    width = emit.shape(projected)[-1]
    if not isinstance(width, int):
        return None
    sizes = node.integers("qkv_hidden_sizes", (width // 3,) * 3) or ()
    q, k, v = emit.ops("Split", (projected, emit.ints(sizes)), ("q", "k", "v"), axis=2)
    added = node.inputs[5] if node.has_input(5) else ""
    return [_attend(node, emit, q, k, v, added)]


@expansion("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """Return the attention of separate queries, keys and values (B, tokens, width)."""
    if any(node.has_input(position) for position in (4, 6, 7, 8, 9)) or any(node.outputs[1:]):
        return None
    if node.integer("unidirectional", 0):
        return None
    if not (node.has_input(1) and node.has_input(2)) or any(node.rank(name) != 3 for name in node.inputs[:3]):
        return None
    parts = list(node.inputs[:3])
    if node.has_input(3):
        widths = [emit.shape(part)[-1] for part in parts]
        if not all(isinstance(width, int) for width in widths):
            return None
        ends = np.cumsum([0, *widths])
        for at, part in enumerate(parts):
            bias = emit.cut(node.inputs[3], 0, int(ends[at]), int(ends[at + 1]))
            parts[at] = emit.op("Add", part, bias)
    q, k, v = parts
    return [_attend(node, emit, q, k, v, node.inputs[5] if node.has_input(5) else "")]


def replaced_softmaxes(nodes: Sequence[NodeProto]) -> set[str]:
    """Return the results of Softmax, among nodes of one graph, that a Where goes on to replace in places."""
    makers = {name: node for node in nodes for name in node.output}
    found = set()
    for node in nodes:
        for name in node.input[1:] if node.op_type == "Where" else ():
            maker = makers.get(name)
            while maker is not None and maker.op_type in ("Cast", "CastLike", "Identity"):
                maker = makers.get(maker.input[0])
            if maker is not None and maker.op_type == "Softmax":
                found.add(maker.output[0])
    return found


def softmax_of_nothing(node: NodeView, emit: GraphWriter) -> Sequence[str]:
    """Return the softmax, and 0 in a row of nothing but -inf, where it is no number.

    For attention that replaces such rows later: the gradient of 0 that `Where(masked, 0, y)` passes on to them would
    be multiplied by y, which is no number.
    """
    x = node.inputs[0]
    axis = node.axis(-1, node.rank(x))
    dead = emit.op("IsInf", emit.reduce("ReduceMax", x, [axis]), detect_positive=0)
    y = emit.op("Softmax", emit.op("Where", dead, emit.scalar(0, x), x), axis=axis)
    return [emit.op("Where", dead, emit.scalar(0, x), y)]


def _attend(node: NodeView, emit: GraphWriter, q: str, k: str, v: str, added: str) -> str:
    """Return softmax(scale q k^T + added) v, head by head, with the heads side by side again."""
    heads = node.integer("num_heads", 1)
    queries, keys, values = (_by_head(emit, part, heads) for part in (q, k, v))
    depth = emit.shape(queries)[-1]
    assert isinstance(depth, int)
    scale = node.real("scale", 0.0) or 1 / math.sqrt(depth)
    scores = emit.op("MatMul", emit.scaled(queries, scale), emit.transpose(keys, [0, 1, 3, 2]))
    if added:
        scores = emit.op("Add", scores, added)
    mixed = emit.op("MatMul", emit.op("Softmax", scores, axis=-1), values)
    joined = emit.transpose(mixed, [0, 2, 1, 3])
    width = emit.shape(v)[-1]
    assert isinstance(width, int)
    return emit.op("Reshape", joined, emit.ints([0, 0, width]))


def _by_head(emit: GraphWriter, x: str, heads: int) -> str:
    """Return (B, tokens, heads width) as (B, heads, tokens, width)."""
    width = emit.shape(x)[-1]
    assert isinstance(width, int)
    return emit.transpose(emit.op("Reshape", x, emit.ints([0, 0, heads, width // heads])), [0, 2, 1, 3])


def _layer_norm(emit: GraphWriter, x: str, gamma: str, epsilon: float) -> str:
    """Return (x - mean) / std gamma over the last axis."""
    axes = [emit.rank(x) - 1]
    centred = emit.op("Sub", x, emit.reduce("ReduceMean", x, axes))
    variance = emit.reduce("ReduceMean", emit.op("Mul", centred, centred), axes)
    spread = emit.op("Sqrt", emit.op("Add", variance, emit.scalar(epsilon, x)))
    return emit.op("Mul", emit.op("Div", centred, spread), gamma)
