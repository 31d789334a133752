"""Joining, splitting, cutting and padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import END, GraphWriter


@gradient_rule("Concat", (13,))
def concat(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Each input gets its own range of g."""
    g = first(grads)
    axis = node.axis(0, node.rank(node.outputs[0]))
    sizes = [node.shape(name)[axis] for name in node.inputs]
    if len(sizes) == 1:
        return [g]
    static = [size for size in sizes if isinstance(size, int)]
    if len(static) < len(sizes):
        lengths = [emit.op("Gather", emit.shape_of(name), emit.ints([axis])) for name in node.inputs]
        split = emit.op("Concat", *lengths, axis=0)
    else:
        split = emit.ints(static)
    parts = emit.ops("Split", (g, split), [str(at) for at in range(len(sizes))], axis=axis)
    return [part if at in node.wanted else None for at, part in enumerate(parts)]


@gradient_rule("Split", (13, 18))
def split(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = the gradients of the parts, joined; a part nobody used is zeros."""
    axis = node.axis(0, node.rank(node.inputs[0]))
    kind = next(g for g in grads if g is not None)
    parts = [emit.zeros_like(name, kind) if g is None else g for name, g in zip(node.outputs, grads, strict=True)]
    return [emit.op("Concat", *parts, axis=axis), None][: len(node.inputs)]


@gradient_rule("Slice", (13,))
def slice_(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = g put back where it was cut, zeros elsewhere; steps spread it, negative ones turn it round."""
    g = first(grads)
    x = node.inputs[0]
    shape = node.shape(x)
    starts = node.require_constant(1, "starts").tolist()
    ends = node.require_constant(2, "ends").tolist()
    axes = node.require_constant(3, "axes").tolist() if node.has_input(3) else list(range(len(starts)))
    steps = node.require_constant(4, "steps").tolist() if node.has_input(4) else [1] * len(starts)
    cuts = {axis % len(shape): cut for axis, *cut in zip(axes, starts, ends, steps, strict=True)}
    whole = {axis for axis, (start, end, step) in cuts.items() if step == 1 and start == 0 and end >= END}
    cuts = {axis: cut for axis, cut in cuts.items() if axis not in whole}
    dims = list(node.shape(node.outputs[0]))
    for axis, (start, end, step) in cuts.items():
        size = shape[axis]
        if not isinstance(size, int):
            raise ModelError(
                f"node {node.label!r} (Slice): axis {axis} of {x!r} varies; its gradient needs a static size"
            )
        picked = range(size)[slice(start, None if step < 0 and end < -size else end, step)]
        if len(picked) == size and step == 1:
            continue
        if step < 0:
            turn = [emit.ints([value]) for value in (-1, np.iinfo(np.int64).min + 1, axis, -1)]
            g = emit.op("Slice", g, *turn)
        lowest = min(picked) if picked else 0
        if abs(step) > 1 and len(picked) > 1:
            g = _spread(emit, g, axis, abs(step))
        dims[axis] = size
        if len(cuts) == 1:
            g = emit.embed(g, x, axis, lowest)
        else:
            have = emit.shape(g)[axis]
            assert isinstance(have, int)
            before = [lowest if at == axis else 0 for at in range(len(shape))]
            after = [size - lowest - have if at == axis else 0 for at in range(len(shape))]
            g = emit.pad(g, before, after)
    return [g, *([None] * (len(node.inputs) - 1))]


def _spread(emit: GraphWriter, g: str, axis: int, step: int) -> str:
    """Return g with step - 1 zeros between neighbours along one axis."""
    shape = list(emit.shape(g))
    count = shape[axis]
    assert isinstance(count, int)
    rank = len(shape)
    padded = emit.pad(
        emit.unsqueeze(g, [axis + 1]), [0] * (rank + 1), [step - 1 if at == axis + 1 else 0 for at in range(rank + 1)]
    )
    merged = emit.reshape(padded, [*shape[:axis], count * step, *shape[axis + 1 :]])
    return emit.cut(merged, axis, 0, (count - 1) * step + 1)


@gradient_rule("Pad", (13, 18, 19, 21, 23, 24, 25))
def pad(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = the part of g that lies over x; entries that padding copied also collect the copies' gradients.

    A padding value that is computed gets the rest of g.
    """
    g = first(grads)
    x = node.inputs[0]
    rank = node.rank(x)
    pads = [int(value) for value in node.require_constant(1, "pads").reshape(-1)]
    axes = list(range(rank))
    if node.has_input(3):
        axes = [int(axis) % rank for axis in node.require_constant(3, "axes").reshape(-1)]
    mode = node.text("mode", "constant")
    whole = g
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        if before == 0 and after == 0:
            continue
        if mode == "constant":
            sizes = [0] * rank, [0] * rank
            sizes[0][axis], sizes[1][axis] = -before, -after
            g = emit.pad(g, *sizes)
        else:
            g = _fold_back(emit, node, g, axis, before, after, mode)
    dvalue = None
    if 2 in node.wanted and mode == "constant":  # what is not over x was filled with the value
        totals = [emit.reduce("ReduceSum", part, range(rank), keepdims=False) for part in (whole, g)]
        dvalue = emit.op("Sub", *totals)
    return [g, None, dvalue, None][: len(node.inputs)]


def _fold_back(emit: GraphWriter, node: NodeView, g: str, axis: int, before: int, after: int, mode: str) -> str:
    """Sum g over the entries of one axis that padding copied from the same entry: a product with a 0/1 matrix."""
    size = node.shape(node.inputs[0])[axis]
    if not isinstance(size, int):
        raise ModelError(f"node {node.label!r} (Pad): axis {axis} varies; {mode} padding needs a static size")
    source = np.pad(np.arange(size), (max(before, 0), max(after, 0)), mode=mode)  # type: ignore[call-overload]
    source = source[max(-before, 0) : len(source) - max(-after, 0)]
    matrix = np.zeros((len(source), size))
    matrix[np.arange(len(source)), source] = 1
    return emit.along(g, axis, matrix)
