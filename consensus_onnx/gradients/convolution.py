"""The input gradient of a convolution, as several graphs that compute the same numbers at different cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.facts import Dim
from consensus_onnx.gradients.windows import Windows
from consensus_onnx.gradients.writer import GraphWriter


@dataclass(frozen=True)
class Convolution:
    """A convolution whose input gradient is asked for.

    Parameters
    ----------
    weight : str
        W (O, C/g, *kernel), a constant or not.
    x : str
        The input (B, C, *spatial).
    group : int
        Number of groups g.
    windows : Windows
        Kernel, strides, dilations, padding.
    """

    weight: str
    x: str
    group: int
    windows: Windows


def by_convolution(emit: GraphWriter, gradient: str, conv: Convolution) -> str:
    """Stride 1: convolve the gradient with the kernel flipped in space and its channels swapped within each group."""
    windows = conv.windows
    before = [reach - 1 - pad for reach, pad in zip(windows.extent, windows.before, strict=True)]
    after = [reach - 1 - pad for reach, pad in zip(windows.extent, windows.after, strict=True)]
    return _correlate(
        emit, gradient, _flipped(emit, conv.weight, conv.group), conv.group, before, after, windows.dilations
    )


def by_transposed_convolution(emit: GraphWriter, gradient: str, conv: Convolution) -> str:
    """Any stride: ONNX's ConvTranspose, whose weight layout is the convolution's own."""
    windows = conv.windows
    leftover = [
        size - ((out - 1) * stride + reach - front - back)
        for size, out, stride, reach, front, back in zip(
            _static(emit, conv.x),
            _static(emit, gradient),
            windows.strides,
            windows.extent,
            windows.before,
            windows.after,
            strict=True,
        )
    ]
    return emit.op(
        "ConvTranspose",
        gradient,
        conv.weight,
        group=conv.group,
        strides=windows.strides,
        dilations=windows.dilations,
        pads=[*windows.before, *windows.after],
        output_padding=leftover,
    )


def by_phases(emit: GraphWriter, gradient: str, conv: Convolution) -> str:
    """Stride > 1, sizes that may vary, and a constant kernel: a stride-1 convolution per phase of the input grid.

    Input index i = s q + r meets kernel tap k from output o = q + (r + p - k d) / s where that is whole. So each phase
    r is a convolution over q with the taps that fit, all at the resolution of the output: no zero is multiplied but
    those that fill the phases' kernels to equal size. DepthToSpace interleaves two axes.
    """
    windows, group = conv.windows, conv.group
    weight = emit.fact(conv.weight).constant
    if weight is None:
        raise ModelError(f"the kernel {conv.weight!r} is computed and its input's size varies: no gradient for both")
    rank = len(windows.kernel)
    taps = [_phase_taps(windows, axis) for axis in range(rank)]
    lowest = [min(offset for phase in axis for _, offset in phase) for axis in taps]
    highest = [max(offset for phase in axis for _, offset in phase) for axis in taps]
    outputs, inputs = weight.shape[0] // group, weight.shape[1]
    phases = list(product(*(range(stride) for stride in windows.strides)))
    reach = [high - low + 1 for low, high in zip(lowest, highest, strict=True)]
    # (g, C/g, phase, O/g, *taps): channel-major, so that groups stay together and DepthToSpace can use its CRD order
    kernels = np.zeros((group, inputs, len(phases), outputs, *reach), weight.dtype)
    source = weight.reshape(group, outputs, inputs, *windows.kernel)
    for index, phase in enumerate(phases):
        for chosen in product(*(taps[axis][phase[axis]] for axis in range(rank))):
            tap: tuple[Any, ...] = (..., *(k for k, _ in chosen))
            place: tuple[Any, ...] = (..., *(offset - lowest[axis] for axis, (_, offset) in enumerate(chosen)))
            kernels[:, :, index][place] += np.swapaxes(source[tap], 1, 2)
    kernel = emit.constant(kernels.reshape(group * inputs * len(phases), outputs, *reach))
    sizes, outs = _spatial(emit, conv.x), _spatial(emit, gradient)
    steps = [_steps(size, out, windows, axis) for axis, (size, out) in enumerate(zip(sizes, outs, strict=True))]
    before = [-low for low in lowest]
    after = [step + high for step, high in zip(steps, highest, strict=True)]
    y = _correlate(emit, gradient, kernel, group, before, after, (1,) * rank)
    return _crop(emit, _interleave(emit, y, windows.strides), conv.x)


def by_stuffing(emit: GraphWriter, gradient: str, conv: Convolution) -> str:
    """Stride > 1: zeros between the gradient's entries, then the stride-1 form.

    The zeros come from repeating every entry (Resize) and a 0/1 mask, which ONNX Runtime does in its blocked layout.
    """
    windows = conv.windows
    outs, sizes = _static(emit, gradient), _static(emit, conv.x)
    scales = np.asarray([1.0, 1.0, *windows.strides], np.float32)
    repeated = emit.op(
        "Resize",
        gradient,
        "",
        emit.constant(scales),
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )
    mask = np.zeros([1, 1, *(out * stride for out, stride in zip(outs, windows.strides, strict=True))])
    every: tuple[Any, ...] = (..., *(slice(None, None, stride) for stride in windows.strides))
    mask[every] = 1
    stuffed = emit.op("Mul", repeated, emit.constant(mask.astype(emit.fact(gradient).dtype)))
    before = [reach - 1 - pad for reach, pad in zip(windows.extent, windows.before, strict=True)]
    after = [
        size - out * stride - front + reach - 1
        for size, out, stride, front, reach in zip(sizes, outs, windows.strides, before, windows.extent, strict=True)
    ]
    kernel = _flipped(emit, conv.weight, conv.group)
    return _correlate(emit, stuffed, kernel, conv.group, before, after, windows.dilations)


def is_depthwise(emit: GraphWriter, conv: Convolution) -> bool:
    """Say whether every group holds one input channel."""
    return conv.group > 1 and emit.shape(conv.weight)[1] == 1


def _flipped(emit: GraphWriter, weight: str, group: int) -> str:
    """Return W (O, C/g, *k) as (C, O/g, *k), flipped in space."""
    shape = [dim for dim in emit.shape(weight) if isinstance(dim, int)]
    rank = len(shape) - 2
    constant = emit.fact(weight).constant
    if constant is not None:  # at once: each step of the way below would be hashed and kept
        turned = constant.reshape(group, shape[0] // group, *shape[1:]).swapaxes(1, 2)
        return emit.constant(np.flip(turned.reshape(group * shape[1], -1, *shape[2:]), tuple(range(2, 2 + rank))))
    flat = emit.reshape(weight, [group, shape[0] // group, *shape[1:]])
    swapped = emit.transpose(flat, [0, 2, 1, *range(3, 3 + rank)])
    merged = emit.reshape(swapped, [group * shape[1], shape[0] // group, *shape[2:]])
    axes = [2 + axis for axis in range(rank) if shape[2 + axis] > 1]
    if not axes:
        return merged
    ones = [-1] * len(axes)
    far = [np.iinfo(np.int64).min + 1] * len(axes)
    return emit.op("Slice", merged, emit.ints(ones), emit.ints(far), emit.ints(axes), emit.ints(ones))


def _correlate(
    emit: GraphWriter,
    x: str,
    kernel: str,
    group: int,
    before: Sequence[int],
    after: Sequence[int],
    dilations: Sequence[int],
) -> str:
    """Append a stride-1 Conv; negative padding takes rows of x away first, because ONNX Runtime refuses it."""
    crop_before, crop_after = [0, 0], [0, 0]
    crop_before += [min(pad, 0) for pad in before]
    crop_after += [min(pad, 0) for pad in after]
    x = emit.pad(x, crop_before, crop_after)
    pads = [max(pad, 0) for pad in (*before, *after)]
    return emit.op("Conv", x, kernel, group=group, pads=pads, dilations=list(dilations))


def _phase_taps(windows: Windows, axis: int) -> list[list[tuple[int, int]]]:
    """Return, for every phase of one axis, its kernel taps and the output each reads, relative to q."""
    stride, gap, pad = windows.strides[axis], windows.dilations[axis], windows.before[axis]
    return [
        [(k, (r + pad - k * gap) // stride) for k in range(windows.kernel[axis]) if (r + pad - k * gap) % stride == 0]
        for r in range(stride)
    ]


def _steps(size: Dim, out: Dim, windows: Windows, axis: int) -> int:
    """Return how many more steps of stride s cover the input than there are outputs; the most possible if it varies."""
    stride = windows.strides[axis]
    if isinstance(size, int) and isinstance(out, int):
        return -(-size // stride) - out
    slack = windows.extent[axis] - windows.before[axis] - windows.after[axis]
    return max(-(-length // stride) - ((length - slack) // stride + 1) for length in range(slack, slack + stride))


def _interleave(emit: GraphWriter, y: str, strides: Sequence[int]) -> str:
    """Return (B, C * phases, *q) as (B, C, *(q * s))."""
    if len(strides) == 2 and strides[0] == strides[1]:
        return emit.op("DepthToSpace", y, blocksize=strides[0], mode="CRD")
    shape = emit.shape(y)
    rank = len(strides)
    depth = shape[1]
    assert isinstance(depth, int)
    channels = depth // int(np.prod(strides))
    split = emit.reshape(y, [shape[0], channels, *strides, *shape[2:]])
    order = [0, 1]
    for axis in range(rank):
        order += [2 + rank + axis, 2 + axis]
    return _merge(emit, emit.transpose(split, order), [shape[0], channels], shape[2:], strides)


def _merge(emit: GraphWriter, y: str, lead: Sequence[Dim], sizes: Sequence[Dim], strides: Sequence[int]) -> str:
    """Return (B, C, q, s, ...) as (B, C, q s, ...)."""
    whole = [dim for dim in sizes if isinstance(dim, int)]
    if len(whole) != len(sizes):
        raise ModelError("strided windows on one or three axes need static sizes; give the model's input static sizes")
    return emit.reshape(y, [*lead, *(size * stride for size, stride in zip(whole, strides, strict=True))])


def _crop(emit: GraphWriter, y: str, like: str) -> str:
    """Return y cut (or filled with zeros) at the far end of its spatial axes to another tensor's size."""
    have, want = emit.shape(y), emit.shape(like)
    axes = [axis for axis in range(2, len(want)) if have[axis] != want[axis]]
    if not axes:
        return y
    if all(isinstance(have[axis], int) and isinstance(want[axis], int) for axis in axes):
        after = [0] * len(want)
        for axis in axes:
            after[axis] = int(want[axis]) - int(have[axis])  # type: ignore[arg-type]
        return emit.pad(y, [0] * len(want), after)
    ends = emit.op("Slice", emit.shape_of(like), emit.ints([2]), emit.ints([len(want)]))
    return emit.op("Slice", y, emit.ints([0] * (len(want) - 2)), ends, emit.ints(range(2, len(want))))


def _spatial(emit: GraphWriter, x: str) -> tuple[Dim, ...]:
    return emit.shape(x)[2:]


def _static(emit: GraphWriter, x: str) -> tuple[int, ...]:
    """Return spatial sizes that have to be static."""
    sizes = tuple(dim for dim in _spatial(emit, x) if isinstance(dim, int))
    if len(sizes) != emit.rank(x) - 2:
        raise ModelError(f"the spatial sizes of {x!r} vary, and its gradient by ConvTranspose needs them static")
    return sizes
