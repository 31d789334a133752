"""Convolutions and pools on NumPy arrays in the arrays' own precision: one step per tap of the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from consensus_onnx.arrays import Float64Array, Int64Array


@dataclass(frozen=True)
class Taps:
    """Where a sliding window meets its input.

    Parameters
    ----------
    sizes : tuple of int
        Spatial sizes of the input.
    kernel, strides, dilations : tuple of int
        Per spatial axis.
    pads : tuple of (int, int)
        Places before and after each axis.
    outs : tuple of int
        Spatial sizes of the output.
    """

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    outs: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """Sizes of a padded input that every window fits into."""
        return tuple(
            max(size + before + after, (out - 1) * stride + (width - 1) * gap + 1)
            for size, (before, after), out, stride, width, gap in zip(
                self.sizes, self.pads, self.outs, self.strides, self.kernel, self.dilations, strict=True
            )
        )

    def padded(self, x: Float64Array, value: float) -> Float64Array:
        """Return x (B, C, *sizes) within its padding."""
        if self.reach == self.sizes:
            return x
        whole = np.full((*x.shape[:2], *self.reach), value, x.dtype)
        whole[self.inside()] = x
        return whole

    def inside(self) -> tuple[Any, ...]:
        """Return the place of the input in the padded one."""
        return (..., *(slice(front, front + size) for size, (front, _) in zip(self.sizes, self.pads, strict=True)))

    def places(self) -> list[tuple[Any, ...]]:
        """Return, for every tap in row-major order, what all windows read there in the padded input."""
        return [
            (
                ...,
                *(
                    slice(at * gap, at * gap + (out - 1) * stride + 1, stride)
                    for at, gap, out, stride in zip(tap, self.dilations, self.outs, self.strides, strict=True)
                ),
            )
            for tap in product(*map(range, self.kernel))
        ]


def taps_of(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str | None,
    *,
    ceil_mode: bool = False,
) -> Taps:
    """Return the windows that ONNX's attributes describe.

    With `ceil_mode` a last window may reach beyond the padding, but not begin there.
    """
    rank = len(kernel)
    strides, dilations = tuple(strides or (1,) * rank), tuple(dilations or (1,) * rank)
    given = tuple(pads or (0,) * (2 * rank)) if auto_pad in (None, "", "NOTSET") else (0,) * (2 * rank)
    both, outs = list(zip(given[:rank], given[rank:], strict=True)), []
    for axis, (size, width, gap, stride) in enumerate(zip(sizes, kernel, dilations, strides, strict=True)):
        extent = (width - 1) * gap + 1
        if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            whole = max((-(-size // stride) - 1) * stride + extent - size, 0)
            small, large = whole // 2, whole - whole // 2
            both[axis] = (small, large) if auto_pad == "SAME_UPPER" else (large, small)
        before, after = both[axis]
        room = size + before + after - extent
        out = (-(-room // stride) if ceil_mode else room // stride) + 1
        outs.append(out - (ceil_mode and (out - 1) * stride >= size + before))
    return Taps(tuple(sizes), tuple(kernel), strides, dilations, tuple(both), tuple(outs))


def convolve(x: Float64Array, weight: Float64Array, taps: Taps, group: int) -> Float64Array:
    """Correlate x (B, C, *sizes) with a kernel (O, C/g, *kernel), by one matrix product per group.

    Returns
    -------
    ndarray of shape (B, O, *outs)
    """
    batch, outputs, places = len(x), weight.shape[0], int(np.prod(taps.outs))
    padded = taps.padded(x, 0)
    factors = weight.reshape(group, outputs // group, weight.shape[1], -1)
    total = np.zeros((batch, group, outputs // group, places), np.result_type(x, weight))
    product = np.multiply if factors.shape[1:3] == (1, 1) else np.matmul  # the first where a group is one channel
    step = np.empty_like(total)  # one for all taps: to allocate 25 MB anew costs as much as to fill them
    for at, place in enumerate(taps.places()):
        window = padded[place].reshape(batch, group, -1, places)
        total += product(factors[..., at], window, out=step)
    return np.reshape(total, (batch, outputs, *taps.outs))


def transposed(y: Float64Array, weight: Float64Array, taps: Taps, group: int) -> Float64Array:
    """Add y (B, O, *outs), times a kernel (O, C/g, *kernel), to the places of its windows: convolve's transpose.

    Returns
    -------
    ndarray of shape (B, C, *sizes)
    """
    batch, inputs, places = len(y), weight.shape[1], int(np.prod(taps.outs))
    factors = weight.reshape(group, -1, inputs, int(np.prod(taps.kernel)))
    rows = y.reshape(batch, group, -1, places)
    whole = np.zeros((batch, group * inputs, *taps.reach), np.result_type(y, weight))
    for at, place in enumerate(taps.places()):
        whole[place] += (factors[..., at].swapaxes(1, 2) @ rows).reshape(batch, -1, *taps.outs)
    inner: Float64Array = whole[taps.inside()]
    return inner


def largest(x: Float64Array, taps: Taps, *, columns_first: bool = False) -> tuple[Float64Array, Int64Array]:
    """Return each window's maximum and its flat index in x; the first of several equal ones, as ONNX Runtime's.

    With `columns_first` places within a plane are counted down its columns (MaxPool's storage_order 1).
    """
    best = np.full((*x.shape[:2], *taps.outs), -np.inf, x.dtype)
    where = np.zeros(best.shape, np.int64)
    padded = taps.padded(x, -np.inf)
    flat = np.zeros(taps.reach, np.int64)
    flat[taps.inside()] = np.arange(int(np.prod(taps.sizes))).reshape(taps.sizes, order="F" if columns_first else "C")
    for place in taps.places():
        value = padded[place]
        better = value > best
        best = np.where(better, value, best)
        where = np.where(better, flat[place], where)
    planes = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * len(taps.outs))
    return best, where + planes * int(np.prod(taps.sizes))


def average(x: Float64Array, taps: Taps, *, include_pad: bool) -> Float64Array:
    """Return each window's mean, over its places in x or over those in the padding too."""
    total = np.zeros((*x.shape[:2], *taps.outs), x.dtype)
    counted = np.zeros(taps.reach)
    if include_pad:
        counted[tuple(slice(size + sum(pad)) for size, pad in zip(taps.sizes, taps.pads, strict=True))] = 1
    counted[taps.inside()] = 1
    padded, count = taps.padded(x, 0), np.zeros(taps.outs)
    for place in taps.places():
        total += padded[place]
        count += counted[place]
    return total / count
