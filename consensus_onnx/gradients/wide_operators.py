"""Operators for ONNX's reference evaluator where its own are not exact in float64, or too slow for whole networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from consensus_onnx.arrays import Float64Array


def wide_operators() -> tuple[type, ...]:
    """Return the classes to give to `ReferenceEvaluator(new_ops=...)`."""
    from onnx.reference.op_run import OpRun
    from scipy.special import erf

    class Erf(OpRun):
        """The evaluator's own rounds to float32."""

        op_domain = ""

        def _run(self, x: Float64Array) -> tuple[Float64Array]:
            return (erf(x),)

    class LRN(OpRun):
        """The evaluator's own stops at channel B, the batch size."""

        op_domain = ""

        def _run(self, x: Float64Array, alpha: float, beta: float, bias: float, size: int) -> tuple[Float64Array]:
            before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
            squares = np.pad(x * x, [(0, 0), (before, after), *[(0, 0)] * (x.ndim - 2)])
            total = sum(squares[:, shift : shift + x.shape[1]] for shift in range(size))
            return (x / (bias + alpha / size * total) ** beta,)

    class Conv(OpRun):
        """The evaluator's own walks groups one by one: twice the time of a mobile network."""

        op_domain = ""

        def _run(
            self,
            x: Float64Array,
            weight: Float64Array,
            bias: Float64Array | None = None,
            auto_pad: str | None = None,
            dilations: Sequence[int] | None = None,
            group: int | None = None,
            kernel_shape: Sequence[int] | None = None,
            pads: Sequence[int] | None = None,
            strides: Sequence[int] | None = None,
        ) -> tuple[Float64Array]:
            rank = x.ndim - 2
            strides, dilations = list(strides or [1] * rank), list(dilations or [1] * rank)
            y = convolve(
                x, weight, _pads(x, weight, auto_pad, pads, strides, dilations), strides, dilations, group or 1
            )
            return (y if bias is None else y + bias.reshape(-1, *[1] * rank),)

    return Erf, LRN, Conv


def convolve(
    x: Float64Array,
    weight: Float64Array,
    pads: Sequence[tuple[int, int]],
    strides: Sequence[int],
    dilations: Sequence[int],
    group: int,
) -> Float64Array:
    """Correlate x (B, C, *spatial) with a kernel (O, C/g, *kernel), by one matrix product per group.

    Parameters
    ----------
    x, weight : ndarray
        Input and kernel.
    pads : sequence of (int, int)
        Zeros before and after each spatial axis.
    strides, dilations : sequence of int
        Per spatial axis.
    group : int
        Number of groups g.

    Returns
    -------
    ndarray of shape (B, O, *out)
    """
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    kernel = weight.shape[2:]
    outs = [
        (size - (width - 1) * gap - 1) // stride + 1
        for size, width, gap, stride in zip(padded.shape[2:], kernel, dilations, strides, strict=True)
    ]
    batch, outputs, places = len(x), weight.shape[0], int(np.prod(outs))
    windows = [
        padded[
            (
                slice(None),
                slice(None),
                *(
                    slice(at * gap, at * gap + (out - 1) * stride + 1, stride)
                    for at, gap, out, stride in zip(tap, dilations, outs, strides, strict=True)
                ),
            )
        ].reshape(batch, group, -1, places)
        for tap in product(*map(range, kernel))
    ]
    factors = weight.reshape(group, outputs // group, weight.shape[1], -1)
    if factors.shape[1:3] == (1, 1):  # depthwise
        total = sum(factors[..., at] * window for at, window in enumerate(windows))
    else:
        total = factors.swapaxes(2, 3).reshape(group, outputs // group, -1) @ np.concatenate(windows, 2)
    return np.asarray(total).reshape(batch, outputs, *outs)


def _pads(
    x: Float64Array,
    weight: Float64Array,
    auto_pad: str | None,
    pads: Sequence[int] | None,
    strides: Sequence[int],
    dilations: Sequence[int],
) -> list[tuple[int, int]]:
    rank = x.ndim - 2
    if auto_pad in (None, "", "NOTSET"):
        given = list(pads or [0] * (2 * rank))
        return list(zip(given[:rank], given[rank:], strict=True))
    if auto_pad == "VALID":
        return [(0, 0)] * rank
    found = []
    for size, width, gap, stride in zip(x.shape[2:], weight.shape[2:], dilations, strides, strict=True):
        whole = max((-(-size // stride) - 1) * stride + (width - 1) * gap + 1 - size, 0)
        small, large = whole // 2, whole - whole // 2
        found.append((small, large) if auto_pad == "SAME_UPPER" else (large, small))
    return found
