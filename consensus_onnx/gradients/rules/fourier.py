"""The discrete Fourier transform along one axis, a constant matrix in real numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.arrays import Float64Array
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import Grad, first, gradient_rule
from consensus_onnx.gradients.writer import GraphWriter


@gradient_rule("DFT", (17, 20))
def dft(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    """Return dx = M^T g, M (out, 2, in, 1 or 2) the transform of real and imaginary parts."""
    g = first(grads)
    x = node.inputs[0]
    shape, rank = node.shape(x), node.rank(x)
    axis = node.integer("axis", 1)
    if node.version >= 20:
        axis = int(node.require_constant(2, "axis").reshape(-1)[0]) if node.has_input(2) else -2
    axis %= rank
    size, parts = shape[axis], shape[-1]
    if not isinstance(size, int) or not isinstance(parts, int):
        raise ModelError(f"node {node.label!r} (DFT): axis {axis} varies; its gradient needs a static size")
    length = 2 * (size - 1) if node.integer("inverse", 0) and node.integer("onesided", 0) else size
    if node.has_input(1):
        length = int(node.require_constant(1, "dft_length").reshape(-1)[0])
    matrix = _matrix(size, parts, length, node)
    # (..., out, ..., 2) -> (..., out * 2), and back from (..., in * parts)
    front = [at for at in range(rank - 1) if at != axis]
    order = [*front, axis, rank - 1]
    turned = emit.transpose(g, order)
    lead = list(emit.shape(turned)[: rank - 2])
    flat = emit.reshape(turned, [*lead, matrix.shape[0]])
    product = emit.op("MatMul", flat, emit.constant(matrix.astype(emit.fact(g).dtype)))
    dx = emit.reshape(product, [*lead, size, parts])
    return [emit.transpose(dx, [int(at) for at in np.argsort(order)]), *([None] * (len(node.inputs) - 1))]


def _matrix(size: int, parts: int, length: int, node: NodeView) -> Float64Array:
    """Return the transform as a matrix (out * 2 or out, in * parts), by transforming unit vectors."""
    units = np.eye(size * parts).reshape(size * parts, size, parts)
    signal = units[..., 0] + (1j * units[..., 1] if parts == 2 else 0)
    inverse, onesided = node.integer("inverse", 0), node.integer("onesided", 0)
    if inverse and onesided:
        return np.ascontiguousarray(np.fft.irfft(signal, length, axis=1).T)
    result = (np.fft.ifft if inverse else np.fft.fft)(signal, length, axis=1)
    if onesided:
        result = result[:, : length // 2 + 1]
    return np.ascontiguousarray(np.stack([result.real, result.imag], -1).reshape(size * parts, -1).T)
