"""Operators that move entries without changing them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.facts import INTEGERS
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("Reshape", (14, 19, 21, 23, 24, 25))
def reshape(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g in the shape of x."""
    g = first(grads)
    return [emit.reshape_like(g, node.inputs[0]), None][: len(node.inputs)]


gradient_rule("Squeeze", (13, 21, 23, 24, 25))(reshape)
gradient_rule("Unsqueeze", (13, 21, 23, 24, 25))(reshape)


@gradient_rule("Flatten", (13, 21, 23, 24, 25))
def flatten(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g in the shape of x."""
    g = first(grads)
    return [emit.reshape_like(g, node.inputs[0])]


@gradient_rule("Identity", (16, 19, 21, 23, 24, 25))
def identity(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g."""
    return [grads[0]]


@gradient_rule("Dropout", (13, 22))
def dropout(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g: an exported classifier drops nothing."""
    training, ratio = node.constant(2), node.constant(1)
    if node.has_input(2) and (training is None or training.any()) and (ratio is None or float(ratio) > 0):
        raise ModelError(f"node {node.label!r} (Dropout): training_mode may be set; export the model in eval mode")
    return [grads[0], None, None][: len(node.inputs)]


@gradient_rule("Cast", (13, 19, 21, 23, 24, 25, 28))
def cast(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g in the type of x.

    Integers are met only on the way from a quantised tensor: their gradient is that of the same real numbers.
    """
    g = first(grads)
    return [g if emit.fact(node.inputs[0]).elem_type in INTEGERS else emit.cast_like(g, node.inputs[0])]


@gradient_rule("Transpose", (13, 21, 23, 24, 25))
def transpose(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g with the axes put back."""
    g = first(grads)
    rank = node.rank(node.inputs[0])
    order = node.integers("perm", tuple(reversed(range(rank)))) or ()
    return [emit.transpose(g, [int(axis) for axis in np.argsort(order)])]


@gradient_rule("Expand", (13,))
def expand(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g summed over the copies."""
    g = first(grads)
    return [emit.unbroadcast(g, node.inputs[0]), None]


@gradient_rule("Tile", (13,))
def tile(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g summed over the copies."""
    g = first(grads)
    x = node.inputs[0]
    repeats = [int(count) for count in node.require_constant(1, "number of repeats")]
    shape = node.shape(x)
    # (..., r d, ...) -> (..., r, d, ...)
    split = [
        part for count, dim in zip(repeats, shape, strict=True) for part in ((count, dim) if count != 1 else (dim,))
    ]
    axes, at = [], 0
    for count in repeats:
        if count != 1:
            axes.append(at)
            at += 1
        at += 1
    return [emit.reduce("ReduceSum", emit.reshape(g, split), axes, keepdims=False), None]


@gradient_rule("DepthToSpace", (13, 28))
def depth_to_space(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g with each block's entries back in the channels."""
    g = first(grads)
    block = node.integer("blocksize", 1)
    if node.text("mode", "DCR") == "DCR":
        return [emit.op("SpaceToDepth", g, blocksize=block)]
    x = node.inputs[0]
    batch, depth, height, width = node.shape(x)
    # (B, C, h, b, w, b) -> (B, C, b, b, h, w)
    assert isinstance(depth, int)
    split = emit.reshape(g, [batch, depth // block**2, height, block, width, block])
    return [emit.reshape_like(emit.transpose(split, [0, 1, 3, 5, 2, 4]), x)]


@gradient_rule("SpaceToDepth", (13, 28))
def space_to_depth(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g with the channels back in each block."""
    g = first(grads)
    return [emit.op("DepthToSpace", g, blocksize=node.integer("blocksize", 1), mode=node.text("mode", "DCR"))]
