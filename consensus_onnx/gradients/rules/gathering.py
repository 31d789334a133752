"""Picking entries by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consensus_onnx.arrays import AnyArray
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("Gather", (13,))
def gather(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g added to the rows it was picked from."""
    g = first(grads)
    x, indices = node.inputs
    rank = node.rank(x)
    axis = node.axis(0, rank)
    size = node.shape(x)[axis]
    picked = node.constant(1)
    if picked is not None and isinstance(size, int):
        rows = picked.reshape(-1) % size
        if picked.ndim == 0:
            return [emit.embed(emit.unsqueeze(g, [axis]), x, axis, int(rows[0])), None]
        flat = emit.reshape(g, [*node.shape(x)[:axis], len(rows), *node.shape(x)[axis + 1 :]])
        if len(rows) and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
            return [emit.embed(flat, x, axis, int(rows[0])), None]
        if len(set(rows.tolist())) == len(rows):  # each row at most once: pick it from g, or from a row of zeros
            return [_permuted(emit, flat, x, axis, rows, size), None]
    # ScatterND adds whole rows along the first axis.
    order = [axis, *(at for at in range(rank) if at != axis)]
    index_rank = node.rank(indices)
    lead = [*range(axis, axis + index_rank)]
    moved = emit.transpose(g, [*lead, *(at for at in range(emit.rank(g)) if at not in lead)])
    zeros = emit.transpose(emit.zeros_like(x, g), order)
    rows_at = emit.unsqueeze(emit.op("Cast", indices, to=7), [index_rank])
    summed = emit.scattered("ScatterND", zeros, rows_at, moved)
    return [emit.transpose(summed, [int(at) for at in np.argsort(order)]), None]


def _permuted(emit: GraphWriter, g: str, x: str, axis: int, rows: AnyArray, size: int) -> str:
    """Return x's gradient where no row was picked twice: a Gather from g with one row of zeros appended."""
    source = np.full(size, len(rows), np.int64)
    source[rows] = np.arange(len(rows))
    if len(rows) < size:
        rank = emit.rank(x)
        g = emit.pad(g, [0] * rank, [1 if at == axis else 0 for at in range(rank)])
    return emit.op("Gather", g, emit.constant(source), axis=axis)


@gradient_rule("GatherElements", (13,))
def gather_elements(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g added to the entries it was picked from."""
    g = first(grads)
    x, indices = node.inputs
    axis = node.axis(0, node.rank(x))
    return [emit.scattered("ScatterElements", emit.zeros_like(x, g), indices, g, axis=axis), None]


@gradient_rule("GatherND", (13,))
def gather_nd(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g added to the slices it was picked from."""
    g = first(grads)
    x, indices = node.inputs
    for axis in reversed(range(node.integer("batch_dims", 0))):
        indices = _with_position(emit, indices, axis)
    return [emit.scattered("ScatterND", emit.zeros_like(x, g), indices, g), None]


def _with_position(emit: GraphWriter, indices: str, axis: int) -> str:
    """Return index tuples (..., k) with their own position along an axis in front, (..., k + 1)."""
    rank = emit.rank(indices)
    size = emit.op("Gather", emit.shape_of(indices), emit.constant(np.asarray(axis)))
    counted = emit.op("Range", emit.constant(np.asarray(0)), size, emit.constant(np.asarray(1)))
    counted = emit.unsqueeze(counted, [at for at in range(rank) if at != axis])
    lead = emit.cut(indices, rank - 1, 0, 1)
    return emit.op("Concat", emit.op("Expand", counted, emit.shape_of(lead)), indices, axis=rank - 1)


@gradient_rule("Compress", (11, 28))
def compress(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g at the entries that were kept, whose places are known."""
    g = first(grads)
    x = node.inputs[0]
    kept = np.flatnonzero(node.require_constant(1, "condition"))
    if not node.has_attribute("axis"):
        flat = emit.op("Reshape", x, emit.ints([-1]))
        return [emit.reshape_like(_placed(node, emit, g, flat, 0, kept), x), None]
    return [_placed(node, emit, g, x, node.axis(0, node.rank(x)), kept), None]


def _placed(node: NodeView, emit: GraphWriter, g: str, x: str, axis: int, rows: AnyArray) -> str:
    """Return g at the given rows of one axis of x's shape, zeros elsewhere."""
    size = emit.shape(x)[axis]
    if not isinstance(size, int):
        raise ModelError(f"node {node.label!r} ({node.proto.op_type}): axis {axis} varies; it needs a static size")
    return _permuted(emit, g, x, axis, rows, size)


@gradient_rule("TopK", (11, 24))
def top_k(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = the values' gradient at the places they were taken from."""
    g = first(grads)
    x = node.inputs[0]
    axis = node.axis(-1, node.rank(x))
    indices = node.outputs[1]
    if not indices:
        bounds: dict[str, Any] = {
            "axis": axis,
            "largest": node.integer("largest", 1),
            "sorted": node.integer("sorted", 1),
        }
        _, indices = emit.ops("TopK", node.inputs, ("values", "indices"), **bounds)
    return [emit.op("ScatterElements", emit.zeros_like(x, g), indices, g, axis=axis), None]


@gradient_rule("Trilu", (14,))
def trilu(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = the same triangle of g."""
    g = first(grads)
    return [emit.op("Trilu", g, *node.inputs[1:], upper=node.integer("upper", 1)), None][: len(node.inputs)]
