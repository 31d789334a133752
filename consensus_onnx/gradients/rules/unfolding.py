"""Operators that put entries back to where a window or a pool took them from: their gradient takes them again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("Col2Im", (18,))
def col2im(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = the blocks of g, each a column again: (N, C, *image) -> (N, C prod(block), L)."""
    g = first(grads)
    image = node.require_constant(1, "image shape").tolist()
    block = node.require_constant(2, "block shape").tolist()
    rank = len(image)
    strides = node.integers("strides", (1,) * rank) or ()
    dilations = node.integers("dilations", (1,) * rank) or ()
    pads = node.integers("pads", (0,) * (2 * rank)) or ()
    g = emit.pad(g, [0, 0, *pads[:rank]], [0, 0, *pads[rank:]])
    # (*block, *steps): where each entry of each block lies in the padded image, flattened
    place = np.zeros((1,) * (2 * rank), np.int64)
    sizes = [size + pads[axis] + pads[axis + rank] for axis, size in enumerate(image)]
    for axis, size in enumerate(sizes):
        steps = (size - dilations[axis] * (block[axis] - 1) - 1) // strides[axis] + 1
        taps = np.add.outer(np.arange(block[axis]) * dilations[axis], np.arange(steps) * strides[axis])
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = taps.shape
        place = place * size + taps.reshape(shape)
    columns = emit.op(
        "Gather",
        emit.op("Reshape", g, emit.ints([0, 0, -1])),
        emit.constant(place.reshape(int(np.prod(block)), -1)),
        axis=2,
    )
    return [emit.reshape_like(columns, node.inputs[0]), None, None]


@gradient_rule("MaxUnpool", (11, 22))
def max_unpool(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = the entries of g that x was written to."""
    g = first(grads)
    x, indices = node.inputs[:2]
    if node.has_input(2):
        raise ModelError(f"node {node.label!r} (MaxUnpool): no gradient where output_shape is given")
    flat = emit.op("Gather", emit.op("Reshape", g, emit.ints([-1])), emit.op("Reshape", indices, emit.ints([-1])))
    return [emit.reshape_like(flat, x), None]


@gradient_rule("ReverseSequence", (10, 28))
def reverse_sequence(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g with the same stretches turned round."""
    axes = {"batch_axis": node.integer("batch_axis", 1), "time_axis": node.integer("time_axis", 0)}
    return [emit.op("ReverseSequence", first(grads), node.inputs[1], **axes), None]
