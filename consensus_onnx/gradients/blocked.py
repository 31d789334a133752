"""How a gradient stays in the blocked layout of ONNX Runtime's CPU convolutions.

Convolutions of float32 pictures run on blocks of channels (NCHWc). A sum or product stays in that layout only if all
that it reads is in it: one plain operand, such as the gradient of an average over positions or of a ConvTranspose,
takes every mask and shortcut behind it out of the layout and back, and no sum is fused into its convolution. A plain
tensor gets into the layout by a convolution; here by a depthwise one with ones, which changes no number. In ResNet-50's
gradient 21 tensors are reordered instead of 61; what it gains is measured by tests/benchmarks/blocked_gain.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, TensorProto

from consensus_onnx.gradients.writer import PREFIX, GraphWriter

# Output channels from which a convolution is blocked, what their number is a multiple of, and what groups' are: found
# by looking at what ONNX Runtime 1.31 makes of small graphs (AVX-512).
_FEWEST, _MULTIPLE, _BLOCK = 16, 4, 16
_SUMS = frozenset(("Add", "Sum"))
_BINARY = _SUMS | {"Mul"}
# What leaves its input's layout as it is.
_KEEPING = frozenset(
    ("BatchNormalization", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Relu", "Sigmoid", "Tanh")
)
_POOLS = frozenset(("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool"))
# To enter costs a reordering and a pass over the tensor. It saves the reordering before the next convolution, one of
# each operand that is in the layout already, and the pass of a sum that is fused: with two of these, one pass less.
_WORTH = 2


def keep_blocked(nodes: Sequence[NodeProto], emit: GraphWriter) -> list[NodeProto]:
    """Return the nodes, plain operands of the backward part brought into the layout where that saves reordering."""
    saved = _saved(nodes, _Layout(nodes, emit).of_all(), emit)
    layout = _Layout(nodes, emit)
    entered: dict[str, str] = {}
    result: list[NodeProto] = []
    for node in nodes:
        if node.op_type in _BINARY and node.name.startswith(PREFIX) and not layout.blocked.isdisjoint(node.input):
            for position, name in enumerate(node.input):
                if name in layout.blocked or saved.get(name, 0) < _WORTH:
                    continue
                if name not in entered:
                    entered[name] = _enter(name, emit)
                    result.append(emit.nodes.pop())
                    layout.blocked.add(entered[name])
                node.input[position] = entered[name]
        result.append(node)
        layout.take(node)
    return result


class _Layout:
    """Which tensors ONNX Runtime leaves in the blocked layout, node by node."""

    def __init__(self, nodes: Sequence[NodeProto], emit: GraphWriter) -> None:
        self.blocked: set[str] = set()
        self._nodes = nodes
        self._emit = emit
        self._readers = Counter(name for node in nodes for name in node.input)

    def of_all(self) -> set[str]:
        """Return the blocked tensors of all nodes as they are."""
        for node in self._nodes:
            self.take(node)
        return self.blocked

    def take(self, node: NodeProto) -> None:
        """Note the layout of what the next node makes."""
        if self._makes_blocked(node):
            self.blocked.add(node.output[0])

    def _makes_blocked(self, node: NodeProto) -> bool:
        if node.domain:
            return False
        if node.op_type == "Conv":
            return _is_blocked_convolution(node, self._emit)
        if node.op_type in _BINARY:
            return all(name in self.blocked and _fits(name, node.output[0], self._emit) for name in node.input)
        if not node.input or node.input[0] not in self.blocked:
            return False
        if node.op_type == "Clip":  # where it is fused into the convolution before it
            return self._readers[node.input[0]] == 1
        return node.op_type in _KEEPING or (node.op_type in _POOLS and len(node.output) == 1)


def _saved(nodes: Sequence[NodeProto], blocked: set[str], emit: GraphWriter) -> dict[str, int]:
    """Return what a tensor, were it blocked, would save on its ways to convolutions; only of those with such a way."""
    saved: dict[str, int] = {}
    for node in reversed(nodes):
        if node.domain:
            continue
        if node.op_type == "Conv" and _is_blocked_convolution(node, emit):
            saved.setdefault(node.input[0], 0)
        if node.output[0] not in saved:
            continue
        ahead = saved[node.output[0]]
        if node.op_type in _KEEPING:
            saved[node.input[0]] = saved.get(node.input[0], 0) + ahead
        if node.op_type in _BINARY and all(_fits(name, node.output[0], emit) for name in node.input):
            for name in node.input:
                others = [other for other in node.input if other != name]
                if others and blocked.issuperset(others):
                    each = 2 if node.op_type in _SUMS else 1
                    saved[name] = saved.get(name, 0) + each * len(others) + ahead
    return saved


def _is_blocked_convolution(node: NodeProto, emit: GraphWriter) -> bool:
    """Say whether a Conv runs in the blocked layout."""
    weight = emit.fact(node.input[1]).constant
    if weight is None or weight.ndim != 4 or weight.dtype != np.float32:
        return False
    group = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    outputs, inputs = weight.shape[:2]
    if outputs < _FEWEST or outputs % _MULTIPLE:
        return False
    depthwise = inputs == 1 and group == outputs
    return group == 1 or depthwise or (inputs % _BLOCK == 0 and outputs // group % _BLOCK == 0)


def _fits(name: str, like: str, emit: GraphWriter) -> bool:
    """Say whether a tensor is computed, float32 pictures in enough channels, and of another's sizes."""
    fact = emit.fact(name)
    if fact.constant is not None or fact.elem_type != TensorProto.FLOAT or fact.shape is None or len(fact.shape) != 4:
        return False
    channels, *positions = fact.shape[1:]
    enough = isinstance(channels, int) and channels >= _FEWEST and channels % _MULTIPLE == 0
    return enough and all(isinstance(size, int) for size in positions) and fact.shape == emit.fact(like).shape


def _enter(name: str, emit: GraphWriter) -> str:
    """Write the convolution by which a plain tensor gets into the layout."""
    channels = emit.shape(name)[1]
    assert isinstance(channels, int)
    emit.scope = name.removeprefix(PREFIX)
    ones = emit.constant(np.ones((channels, 1, 1, 1), np.float32))
    return emit.op("Conv", name, ones, group=channels)
