"""How the costly steps of a gradient are written for the provider that will run them.

A rule says what to compute, a lowering with which operators. Every lowering gives the same numbers to rounding.
Milliseconds in comments: two AVX-512 cores, ONNX Runtime 1.31, float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from onnx import NodeProto, TensorProto

from consensus_onnx.gradients import convolution, pooling
from consensus_onnx.gradients.blocked import keep_blocked

if TYPE_CHECKING:
    from consensus_onnx.gradients.convolution import Convolution
    from consensus_onnx.gradients.nodes import NodeView
    from consensus_onnx.gradients.writer import GraphWriter

# HardSigmoid clips alpha y + beta to [0, 1]. With alpha = 2^127, the largest power of two of float32, every normal
# positive float goes to exactly 1 (the smallest, 2^-126, to 2 before clipping), zero of either sign to 0. Only
# subnormal activations (below 1.2e-38) end in between.
_STEEP = 2.0**127
# Two-sided bounds: alpha = -2^100, beta = bound * 2^100. Both products are exact, their sum has the sign of bound - y.
_STEEP_AT_BOUND = 2.0**100


class Lowering(Protocol):
    """What a gradient rule leaves to the provider."""

    def convolution(self, emit: GraphWriter, gradient: str, conv: Convolution) -> str:
        """Return the input gradient of a convolution."""
        ...

    def max_pool(self, emit: GraphWriter, node: NodeView, gradient: str) -> str:
        """Return the input gradient of a MaxPool: the first of several equal maxima takes it all."""
        ...

    def where_above(self, emit: GraphWriter, gradient: str, y: str, low: float) -> str:
        """Return the gradient where y > low, else 0."""
        ...

    def where_below(self, emit: GraphWriter, gradient: str, y: str, high: float) -> str:
        """Return the gradient where y < high, else 0."""
        ...

    def one_minus(self, emit: GraphWriter, share: str) -> str:
        """Return 1 - share, which is in [0, 1]."""
        ...

    def arrange(self, nodes: Sequence[NodeProto], emit: GraphWriter) -> list[NodeProto]:
        """Return the nodes of the whole graph as they run best."""
        ...


class CpuLowering:
    """For ONNX Runtime's CPU provider."""

    def convolution(self, emit: GraphWriter, gradient: str, conv: Convolution) -> str:
        """Return the input gradient of a convolution.

        Stride 1: Conv. Depthwise with stride, 96 channels 56 -> 112, batch 8: 1.6 ms by stuffing, 13 by ConvTranspose,
        28 by phases. Others with stride, 128 channels 28 -> 56, batch 4: 3.3 ms by ConvTranspose, 8.3 by phases, 7.8
        by stuffing; a 1x1 kernel, 512 -> 256 channels: 2.5, 16.5, 3.9.
        """
        if all(stride == 1 for stride in conv.windows.strides):
            return convolution.by_convolution(emit, gradient, conv)
        if not all(isinstance(dim, int) for dim in (*emit.shape(conv.x)[2:], *emit.shape(gradient)[2:])):
            return convolution.by_phases(emit, gradient, conv)
        if convolution.is_depthwise(emit, conv):
            return convolution.by_stuffing(emit, gradient, conv)
        return convolution.by_transposed_convolution(emit, gradient, conv)

    def max_pool(self, emit: GraphWriter, node: NodeView, gradient: str) -> str:
        """Return the input gradient of a MaxPool."""
        return pooling.max_pool_by_indices(emit, node, gradient)

    def where_above(self, emit: GraphWriter, gradient: str, y: str, low: float) -> str:
        """Return the gradient where y > low, else 0: 16 ms by HardSigmoid and Mul, 34 by Greater and Where."""
        if emit.fact(y).elem_type == TensorProto.DOUBLE:  # HardSigmoid has no double kernel
            return _masked(emit, "Greater", gradient, y, low)
        if low == 0:
            return emit.op("Mul", gradient, emit.op("HardSigmoid", y, alpha=_STEEP, beta=0.0))
        return emit.op("Mul", gradient, emit.op("HardSigmoid", y, alpha=_STEEP_AT_BOUND, beta=_at_bound(emit, y, -low)))

    def where_below(self, emit: GraphWriter, gradient: str, y: str, high: float) -> str:
        """Return the gradient where y < high, else 0."""
        if emit.fact(y).elem_type == TensorProto.DOUBLE:
            return _masked(emit, "Less", gradient, y, high)
        steep = -_STEEP if high == 0 else -_STEEP_AT_BOUND
        return emit.op("Mul", gradient, emit.op("HardSigmoid", y, alpha=steep, beta=_at_bound(emit, y, high)))

    def one_minus(self, emit: GraphWriter, share: str) -> str:
        """Return 1 - share by HardSigmoid, which stays in the convolutions' blocked layout."""
        if emit.fact(share).elem_type != TensorProto.FLOAT:
            return emit.op("Sub", emit.scalar(1, share), share)
        return emit.op("HardSigmoid", share, alpha=-1.0, beta=1.0)

    def arrange(self, nodes: Sequence[NodeProto], emit: GraphWriter) -> list[NodeProto]:
        """Return the nodes with the gradient kept in the convolutions' blocked layout."""
        return keep_blocked(nodes, emit)


class CudaLowering:
    """For the CUDA provider: cuDNN's backward-data convolution, and masks by comparison."""

    def convolution(self, emit: GraphWriter, gradient: str, conv: Convolution) -> str:
        """Return the input gradient of a convolution by ConvTranspose, where the sizes it needs are known."""
        if all(isinstance(dim, int) for dim in (*emit.shape(conv.x)[2:], *emit.shape(gradient)[2:])):
            return convolution.by_transposed_convolution(emit, gradient, conv)
        if all(stride == 1 for stride in conv.windows.strides):
            return convolution.by_convolution(emit, gradient, conv)
        return convolution.by_phases(emit, gradient, conv)

    def max_pool(self, emit: GraphWriter, node: NodeView, gradient: str) -> str:
        """Return the input gradient of a MaxPool."""
        return pooling.max_pool_by_indices(emit, node, gradient)

    def where_above(self, emit: GraphWriter, gradient: str, y: str, low: float) -> str:
        """Return the gradient where y > low, else 0."""
        return _masked(emit, "Greater", gradient, y, low)

    def where_below(self, emit: GraphWriter, gradient: str, y: str, high: float) -> str:
        """Return the gradient where y < high, else 0."""
        return _masked(emit, "Less", gradient, y, high)

    def one_minus(self, emit: GraphWriter, share: str) -> str:
        """Return 1 - share."""
        return emit.op("Sub", emit.scalar(1, share), share)

    def arrange(self, nodes: Sequence[NodeProto], emit: GraphWriter) -> list[NodeProto]:
        """Return the nodes as they are."""
        return list(nodes)


def choose_lowering(lowering: str | Lowering) -> Lowering:
    """Return a lowering by name, or the one given.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if not isinstance(lowering, str):
        return lowering
    known: dict[str, Lowering] = {"cpu": CpuLowering(), "cuda": CudaLowering()}
    if lowering not in known:
        raise ValueError(f"lowering: expected one of {', '.join(known)} or a Lowering, got {lowering!r}")
    return known[lowering]


def _masked(emit: GraphWriter, comparison: str, gradient: str, y: str, bound: float) -> str:
    mask = emit.op(comparison, y, emit.scalar(bound, y))
    return emit.op("Where", mask, gradient, emit.scalar(0, gradient))


def _at_bound(emit: GraphWriter, y: str, bound: float) -> float:
    """Return beta for a bound that has been rounded to y's type."""
    return float(np.asarray(bound).astype(emit.fact(y).dtype)) * _STEEP_AT_BOUND
