"""Steps after a product with a constant that the constant can take over: they cost nothing when the model runs.

The gradient that reaches a LayerNormalization comes from a dense layer, G W'. Its scale s multiplies the columns of W',
and that it is centred over the features is a matter of W', too: G W' - mean(G W') = G (W' - mean of its rows). So two
passes over the tensor and a reduction are spared per normalisation, and a pass for the half of every GELU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from onnx import NodeProto

from consensus_onnx.arrays import AnyArray
from consensus_onnx.gradients.facts import INTEGERS
from consensus_onnx.gradients.graphs import reads
from consensus_onnx.gradients.writer import PREFIX, GraphWriter


def fold_into_products(nodes: Sequence[NodeProto], outputs: Iterable[str], emit: GraphWriter) -> list[NodeProto]:
    """Return the nodes without the scalings and centrings that constant factors of the backward part can take over.

    Only a product that nothing else reads is changed; `outputs` are the graph's own.
    """
    readers = Counter(name for node in nodes for name in reads(node))
    readers.update(outputs)
    makers = {name: node for node in nodes for name in node.output}
    dropped: set[int] = set()
    for node in nodes:
        for absorbed in (_scaled(node, makers, readers, emit), _centred(node, makers, readers, emit)):
            if absorbed is not None:
                product, weight, spared = absorbed
                product.input[1], product.output[0] = emit.constant(weight), node.output[0]
                makers[node.output[0]] = product
                dropped.update(map(id, spared))
    return [node for node in nodes if id(node) not in dropped]


def _scaled(
    node: NodeProto, makers: dict[str, NodeProto], readers: Counter[str], emit: GraphWriter
) -> tuple[NodeProto, AnyArray, list[NodeProto]] | None:
    """Return the product that a Mul by a number, or by one for each column, follows, and its new weight."""
    if node.op_type != "Mul" or node.domain:
        return None
    for x, by in (node.input, reversed(node.input)):
        factor = emit.fact(by).constant
        product = _product(x, makers, emit)
        if factor is None or product is None or readers[x] != 1:
            continue
        weight = emit.fact(product.input[1]).constant
        assert weight is not None
        columns = factor.size == 1 or factor.shape[-1:] == (factor.size,) == weight.shape[1:]
        if columns and factor.ndim <= emit.rank(x):
            return product, _rounded(weight.astype(np.float64) * factor.reshape(-1), weight), [node]
    return None


def _centred(
    node: NodeProto, makers: dict[str, NodeProto], readers: Counter[str], emit: GraphWriter
) -> tuple[NodeProto, AnyArray, list[NodeProto]] | None:
    """Return the product whose rows a Sub frees from their mean, and its new weight."""
    if node.op_type != "Sub" or node.domain:
        return None
    x, shift = node.input
    mean, product = makers.get(shift), _product(x, makers, emit)
    if product is None or mean is None or (mean.op_type, mean.input[0]) != ("ReduceMean", x):
        return None
    if readers[x] != 2 or readers[shift] != 1 or emit.shape(shift) != (*emit.shape(x)[:-1], 1):
        return None
    weight = emit.fact(product.input[1]).constant
    assert weight is not None
    wide = weight.astype(np.float64)
    return product, _rounded(wide - wide.mean(1, keepdims=True), weight), [node, mean]


def _product(x: str, makers: dict[str, NodeProto], emit: GraphWriter) -> NodeProto | None:
    """Return the product with a constant matrix that makes a tensor in the backward part, if one does."""
    node = makers.get(x)
    if node is None or (node.domain, node.op_type) != ("", "MatMul") or not node.name.startswith(PREFIX):
        return None
    fact = emit.fact(node.input[1])
    matrix = fact.constant is not None and fact.constant.ndim == 2 and fact.elem_type not in INTEGERS
    return node if matrix else None


def _rounded(wide: AnyArray, like: AnyArray) -> AnyArray:
    return wide.astype(like.dtype)
