"""Steps after a product with a constant that the constant can take over: they cost nothing when the model runs.

The gradient that reaches a LayerNormalization comes from a dense layer, G W'. Its scale s multiplies the columns of W',
and that it is centred over the features is a matter of W', too: G W' - mean(G W') = G (W' - mean of its rows). So two
passes over the tensor and a reduction are spared per normalisation, and a pass for the half of every GELU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from onnx import NodeProto

from consensus_onnx.arrays import AnyArray
from consensus_onnx.gradients.graphs import reads
from consensus_onnx.gradients.writer import GraphWriter


class _Product(NamedTuple):
    """A product G W with a constant matrix that nothing else reads, neither the product nor the matrix."""

    node: NodeProto
    weight: AnyArray


def fold_into_products(
    forward: Iterable[NodeProto], backward: Sequence[NodeProto], outputs: Iterable[str], emit: GraphWriter
) -> list[NodeProto]:
    """Return the backward nodes without the scalings and centrings that the constants before them take over.

    Parameters
    ----------
    forward, backward : sequences of NodeProto
        The graph's nodes; the forward ones stay as they are.
    outputs : iterable of str
        What the graph answers.
    emit : GraphWriter
        Makes the new constants.
    """
    readers = Counter(name for node in (*forward, *backward) for name in reads(node))
    readers.update(outputs)
    makers = {name: node for node in backward for name in node.output}
    gone: set[int] = set()
    for node in backward:
        for fold in (_fold_scale, _fold_centring):
            folded = fold(node, makers, readers, emit)
            if folded is not None:
                product, weight, replaced = folded
                readers[product.input[1]] -= 1
                product.input[1], product.output[0] = emit.constant(weight), node.output[0]
                readers[product.input[1]] += 1
                makers[node.output[0]] = product
                gone.update(map(id, replaced))
    return [node for node in backward if id(node) not in gone]


def _fold_scale(
    node: NodeProto, makers: Mapping[str, NodeProto], readers: Mapping[str, int], emit: GraphWriter
) -> tuple[NodeProto, AnyArray, list[NodeProto]] | None:
    """Fold x c, with a number c or one for each column: return x's product, its new weight, and what is replaced."""
    if (node.domain, node.op_type) != ("", "Mul"):
        return None
    for x, by in (node.input, reversed(node.input)):
        factor, product = emit.fact(by).constant, _product_of(x, makers, readers, emit)
        if factor is None or product is None or readers[x] != 1 or factor.ndim > emit.rank(x):
            continue
        if factor.size == 1 or factor.shape[-1:] == (factor.size,) == product.weight.shape[1:]:
            weight = _rounded(product.weight.astype(np.float64) * factor.reshape(-1), product.weight)
            return None if weight is None else (product.node, weight, [node])
    return None


def _fold_centring(
    node: NodeProto, makers: Mapping[str, NodeProto], readers: Mapping[str, int], emit: GraphWriter
) -> tuple[NodeProto, AnyArray, list[NodeProto]] | None:
    """Fold x - mean(x) over the last axis: return x's product, its new weight, and what is replaced."""
    if (node.domain, node.op_type) != ("", "Sub"):
        return None
    x, shift = node.input
    mean, product = makers.get(shift), _product_of(x, makers, readers, emit)
    if product is None or mean is None or (mean.domain, mean.op_type, mean.input[0]) != ("", "ReduceMean", x):
        return None
    if readers[x] != 2 or readers[shift] != 1 or emit.shape(shift) != (*emit.shape(x)[:-1], 1):
        return None
    wide = product.weight.astype(np.float64)
    weight = _rounded(wide - wide.mean(1, keepdims=True), product.weight)
    return None if weight is None else (product.node, weight, [node, mean])


def _product_of(
    x: str, makers: Mapping[str, NodeProto], readers: Mapping[str, int], emit: GraphWriter
) -> _Product | None:
    """Return the product of NumPy's own floats that makes a tensor; a weight that several read stays one."""
    node = makers.get(x)
    if node is None or (node.domain, node.op_type) != ("", "MatMul") or emit.fact(x).shape is None:
        return None
    weight = emit.fact(node.input[1]).constant
    if weight is None or weight.ndim != 2 or weight.dtype.kind != "f" or readers[node.input[1]] != 1:
        return None
    return _Product(node, weight)


def _rounded(wide: AnyArray, like: AnyArray) -> AnyArray | None:
    """Return numbers in another array's type, None where one of them is too large or too small for it."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = wide.astype(like.dtype)
    least = np.finfo(like.dtype).smallest_normal
    lost = (np.abs(wide) < least) & (wide != 0) & (np.abs(like.astype(np.float64)) >= least)
    return None if lost.any() or not np.isfinite(narrow.astype(np.float64)).all() else narrow
