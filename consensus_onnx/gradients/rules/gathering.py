"""Picking entries by index, and putting them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consensus_onnx.arrays import AnyArray
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
    zeros = emit.transpose(emit.zeros_like(x), order)
    rows_at = emit.unsqueeze(emit.op("Cast", indices, to=7), [index_rank])
    summed = emit.op("ScatterND", zeros, rows_at, moved, reduction="add")
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
    return [emit.op("ScatterElements", emit.zeros_like(x), indices, g, axis=axis, reduction="add"), None]


@gradient_rule("GatherND", (13,))
def gather_nd(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g added to the slices it was picked from; batch_dims = 0 only."""
    g = first(grads)
    if node.integer("batch_dims", 0):
        node.require_constant(0, "data with batch_dims > 0")
    return [emit.op("ScatterND", emit.zeros_like(node.inputs[0]), node.inputs[1], g, reduction="add"), None]


@gradient_rule("ScatterND", (16, 18))
def scatter_nd(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Replacing: ddata = g with the written slices zero, dupdates = g there. Adding: ddata = g, dupdates = g there."""
    g = first(grads)
    _, indices, updates = node.inputs
    reduction = node.text("reduction", "none")
    if reduction not in ("none", "add"):
        node.require_constant(0, f"data under reduction {reduction!r}")
    ddata: Grad = g
    if reduction == "none" and 0 in node.wanted:
        ddata = emit.op("ScatterND", g, indices, emit.zeros_like(updates))
    return [ddata, None, emit.op("GatherND", g, indices) if 2 in node.wanted else None]


@gradient_rule("ScatterElements", (16, 18))
def scatter_elements(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Replacing: ddata = g with the written entries zero, dupdates = g there. Adding: ddata = g, dupdates = g there."""
    g = first(grads)
    data, indices, updates = node.inputs
    reduction = node.text("reduction", "none")
    if reduction not in ("none", "add"):
        node.require_constant(0, f"data under reduction {reduction!r}")
    axis = node.axis(0, node.rank(data))
    ddata: Grad = g
    if reduction == "none" and 0 in node.wanted:
        ddata = emit.op("ScatterElements", g, indices, emit.zeros_like(updates), axis=axis)
    return [ddata, None, emit.op("GatherElements", g, indices, axis=axis) if 2 in node.wanted else None]


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
    return [emit.op("ScatterElements", emit.zeros_like(x), indices, g, axis=axis), None]


@gradient_rule("CumSum", (14,))
def cum_sum(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = the cumulative sum of g from the other end."""
    g = first(grads)
    turned = 1 - node.integer("reverse", 0)
    return [emit.op("CumSum", g, node.inputs[1], exclusive=node.integer("exclusive", 0), reverse=turned), None]


@gradient_rule("Trilu", (14,))
def trilu(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = the same triangle of g."""
    g = first(grads)
    return [emit.op("Trilu", g, *node.inputs[1:], upper=node.integer("upper", 1)), None][: len(node.inputs)]
