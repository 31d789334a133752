"""Convolutions whose taps look at places that the network computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.arrays import Float64Array
from consensus_onnx.gradients.expansion import expansion
from consensus_onnx.gradients.expansions.sampling import linear_taps, sampled
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.windows import Windows, windows_of
from consensus_onnx.gradients.writer import GraphWriter


@expansion("DeformConv")
def deform_conv(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """Return a 1x1 convolution of what each tap of the kernel finds at its moved place.

    Tap k of output o reads x at s o - p + d k + offset, linearly between pixels and zero outside (Dai et al. 2017),
    times its mask (Zhu et al. 2019). Channels of one offset group share their places.
    """
    x, weight, offset = node.inputs[:3]
    channels, *sizes = _static(node, x, 1) or [0]
    outs, (outputs, inputs, *kernel) = _static(node, offset, 2), _static(node, weight, 0) or [0, 0]
    if not sizes or not outs or not kernel:
        return None
    groups, taps = node.integer("offset_group", 1), int(np.prod(kernel))
    points = taps * int(np.prod(outs))
    moves = emit.op("Reshape", offset, emit.ints([-1, taps, len(sizes), int(np.prod(outs))]))  # (N * groups, ...)
    found = []
    for axis, (size, still) in enumerate(zip(sizes, _places(windows_of(node, kernel, sizes), outs), strict=True)):
        move = emit.op("Reshape", emit.cut(moves, 2, axis, axis + 1), emit.ints([-1, 1, points]))
        place = emit.op("Add", move, emit.constant(still.astype(emit.fact(offset).dtype)))
        found.append(linear_taps(emit, place, size))
    pixels = emit.op("Reshape", x, emit.ints([-1, channels // groups, int(np.prod(sizes))]))
    seen = sampled(emit, pixels, channels // groups, sizes, found)
    if node.has_input(4):
        seen = emit.op("Mul", seen, emit.op("Reshape", node.inputs[4], emit.ints([-1, 1, points])))
    columns = emit.op("Reshape", seen, emit.ints([-1, channels * taps, *outs]))
    row = emit.reshape(weight, [outputs, inputs * taps, *(1 for _ in kernel)])
    bias = [node.inputs[3]] if node.has_input(3) else []
    return [emit.op("Conv", columns, row, *bias, group=node.integer("group", 1))]


def _places(windows: Windows, outs: Sequence[int]) -> list[Float64Array]:
    """Return, for each axis, where every tap of every output looks if nothing moves it, (1, 1, taps * outputs)."""
    steps = [
        stride * np.arange(out) - pad for stride, out, pad in zip(windows.strides, outs, windows.before, strict=True)
    ]
    reaches = [gap * np.arange(size) for gap, size in zip(windows.dilations, windows.kernel, strict=True)]
    starts, shifts = np.meshgrid(*steps, indexing="ij"), np.meshgrid(*reaches, indexing="ij")
    return [
        np.add.outer(shift.ravel(), start.ravel()).reshape(1, 1, -1).astype(np.float64)
        for shift, start in zip(shifts, starts, strict=True)
    ]


def _static(node: NodeView, name: str, first: int) -> list[int]:
    """Return a tensor's sizes from one axis on; none where one of them is not known."""
    shape = (node.facts[name].shape or ())[first:]
    static = [dim for dim in shape if isinstance(dim, int)]
    return static if len(static) == len(shape) else []
