"""Operators for ONNX's reference evaluator where its own are not exact in float64, wrong, or too slow for networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array, Int64Array
from consensus_onnx.gradients.wide_windows import average, convolve, largest, taps_of, transposed

Ints = Sequence[int] | None


def wide_operators() -> tuple[type, ...]:
    """Return the classes to give to `ReferenceEvaluator(new_ops=...)`."""
    return (*_elementwise(), *_windows(), *_moving())


def _elementwise() -> tuple[type, ...]:
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

    return Erf, LRN


def _windows() -> tuple[type, ...]:
    from onnx.reference.op_run import OpRun
    from onnx.reference.ops.op_conv_transpose import ConvTranspose as OwnConvTranspose

    class Conv(OpRun):
        """The evaluator's own walks groups one by one: twice the time of a mobile network."""

        op_domain = ""

        def _run(
            self,
            x: Float64Array,
            weight: Float64Array,
            bias: Float64Array | None = None,
            auto_pad: str | None = None,
            dilations: Ints = None,
            group: int | None = None,
            kernel_shape: Ints = None,
            pads: Ints = None,
            strides: Ints = None,
        ) -> tuple[Float64Array]:
            taps = taps_of(x.shape[2:], weight.shape[2:], strides, dilations, pads, auto_pad)
            y = convolve(x, weight, taps, group or 1)
            return (y if bias is None else y + bias.reshape(-1, *[1] * (x.ndim - 2)),)

    class ConvTranspose(OwnConvTranspose):
        """The evaluator's own walks every output in Python."""

        op_domain = ""

        def _run(self, x: Float64Array, weight: Float64Array, bias: Float64Array | None = None, **how: Any) -> Any:  # type: ignore[override]
            if how.get("output_shape") or how.get("auto_pad") not in (None, "", "NOTSET"):
                return super()._run(x, weight, bias, **how)  # type: ignore[no-untyped-call]
            rank = x.ndim - 2
            strides, gaps = how.get("strides") or [1] * rank, how.get("dilations") or [1] * rank
            pads, added = how.get("pads") or [0] * (2 * rank), how.get("output_padding") or [0] * rank
            sizes = [
                (out - 1) * stride + (width - 1) * gap + 1 - front - back + more
                for out, stride, width, gap, front, back, more in zip(
                    x.shape[2:], strides, weight.shape[2:], gaps, pads[:rank], pads[rank:], added, strict=True
                )
            ]
            taps = taps_of(sizes, weight.shape[2:], strides, gaps, pads, None)
            y = transposed(x, weight, taps, how.get("group") or 1)
            return (y if bias is None else y + bias.reshape(-1, *[1] * rank),)

    class MaxPool(OpRun):
        """The evaluator's own tells wrong indices where windows move by one."""

        op_domain = ""

        def _run(
            self,
            x: Float64Array,
            auto_pad: str | None = None,
            ceil_mode: int | None = None,
            dilations: Ints = None,
            kernel_shape: Ints = None,
            pads: Ints = None,
            storage_order: int | None = None,
            strides: Ints = None,
        ) -> tuple[Float64Array] | tuple[Float64Array, Int64Array]:
            taps = taps_of(
                x.shape[2:], kernel_shape or (), strides, dilations, pads, auto_pad, ceil_mode=bool(ceil_mode)
            )
            if storage_order and x.ndim > 4:
                raise NotImplementedError("MaxPool over volumes with storage_order 1")
            best, where = largest(x, taps, columns_first=bool(storage_order))
            return (best, where) if len(self.onnx_node.output) > 1 else (best,)

    class AveragePool(OpRun):
        """The evaluator's own walks every output in Python."""

        op_domain = ""

        def _run(
            self,
            x: Float64Array,
            auto_pad: str | None = None,
            ceil_mode: int | None = None,
            count_include_pad: int | None = None,
            dilations: Ints = None,
            kernel_shape: Ints = None,
            pads: Ints = None,
            strides: Ints = None,
        ) -> tuple[Float64Array]:
            taps = taps_of(
                x.shape[2:], kernel_shape or (), strides, dilations, pads, auto_pad, ceil_mode=bool(ceil_mode)
            )
            return (average(x, taps, include_pad=bool(count_include_pad)),)

    return Conv, ConvTranspose, MaxPool, AveragePool


def _moving() -> tuple[type, ...]:
    from onnx.reference.op_run import OpRun
    from onnx.reference.ops.op_resize import Resize as OwnResize
    from onnx.reference.ops.op_scatter_elements import ScatterElements as OwnScatterElements

    class Pad(OpRun):
        """The evaluator's own cannot crop: pads below 0 take rows away, as timm's nasnet does."""

        op_domain = ""

        def _run(
            self,
            data: AnyArray,
            pads: Any,
            constant_value: Any = None,
            axes: Any = None,
            mode: str | None = None,
            value: float | None = None,
        ) -> tuple[AnyArray]:
            named = range(data.ndim) if axes is None else [int(axis) % data.ndim for axis in axes]
            widths, kept = [(0, 0)] * data.ndim, [slice(None)] * data.ndim
            for axis, before, after in zip(named, pads[: len(named)], pads[len(named) :], strict=True):
                widths[axis] = (max(int(before), 0), max(int(after), 0))
                kept[axis] = slice(max(-int(before), 0), data.shape[axis] + min(int(after), 0))
            data, how = data[tuple(kept)], mode or "constant"
            if how != "constant":
                return (np.pad(data, widths, how),)  # type: ignore[call-overload]
            fill = value or 0 if constant_value is None else np.asarray(constant_value).item()
            return (np.pad(data, widths, constant_values=fill),)

    class ScatterElements(OwnScatterElements):
        """The evaluator's own walks every entry in Python."""

        op_domain = ""

        def _run(
            self,
            data: AnyArray,
            indices: Int64Array,
            updates: AnyArray,
            axis: int | None = None,
            reduction: str | None = None,
        ) -> Any:
            if reduction != "add":
                return super()._run(data, indices, updates, axis=axis, reduction=reduction)  # type: ignore[no-untyped-call]
            at: list[Int64Array] = list(np.indices(indices.shape, sparse=True))
            at[(axis or 0) % data.ndim] = indices
            result = data.copy()
            np.add.at(result, tuple(at), updates)
            return (result,)

    class Resize(OwnResize):
        """The evaluator's own walks every output in Python, where entries are only repeated, too."""

        op_domain = ""

        def _run(self, x: AnyArray, roi: Any, scales: Any = None, sizes: Any = None, **how: Any) -> Any:  # type: ignore[override]
            named = (how.get("mode"), how.get("nearest_mode"), how.get("coordinate_transformation_mode"))
            plain = scales is not None and len(scales) == x.ndim and not how.get("axes")
            if not plain or named != ("nearest", "floor", "asymmetric") or (scales != np.round(scales)).any():
                return super()._run(x, roi, scales, sizes, **how)
            for axis, times in enumerate(scales):
                x = np.repeat(x, int(times), axis)
            return (x,)

    return Pad, ScatterElements, Resize
