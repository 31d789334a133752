"""Tensors made from a few numbers: each number gets the g of the entries it went into."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("OneHot", (11, 28))
def one_hot(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dvalues = (sum of g where off, sum of g where on); indices and depth are integers in all but type."""
    if 2 not in node.wanted:
        return [None, None, None]
    g = first(grads)
    indices, depth, _ = node.inputs
    bits = emit.constant(np.asarray([0, 1], emit.fact(g).dtype))
    hot = emit.op("OneHot", indices, depth, bits, axis=node.integer("axis", -1))
    axes = range(emit.rank(g))
    on = emit.reduce("ReduceSum", emit.op("Mul", g, hot), axes, keepdims=False)
    off = emit.op("Sub", emit.reduce("ReduceSum", g, axes, keepdims=False), on)
    return [None, None, emit.op("Concat", emit.unsqueeze(off, [0]), emit.unsqueeze(on, [0]), axis=0)]


@gradient_rule("Range", (11, 27))
def range_(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """y_i = start + i delta: dstart = sum(g), ddelta = sum(i g); the limit only decides how many there are."""
    g = first(grads)
    start = emit.reduce("ReduceSum", g, [0], keepdims=False) if 0 in node.wanted else None
    if 2 not in node.wanted:
        return [start, None, None]
    zero, one = (emit.constant(np.asarray(value)) for value in (0, 1))
    counted = emit.op("Range", zero, emit.op("Squeeze", emit.shape_of(g)), one)
    weighted = emit.op("Mul", g, emit.cast_like(counted, g))
    return [start, None, emit.reduce("ReduceSum", weighted, [0], keepdims=False)]
