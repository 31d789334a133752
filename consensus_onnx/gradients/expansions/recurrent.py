"""Recurrent layers, step after step: LSTM, GRU and RNN over a known number of steps.

Directions with the same functions take their steps together, stacked, the backward one on reversed inputs: 36 layers of
up to 32 steps, both ways (sequencer2d_s), are 24,000 nodes of gradient graph instead of 60,000, and ONNX Runtime plans
the memory of a graph in the square of its nodes (minutes for 60,000).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from consensus_onnx.gradients.expansion import expansion
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.writer import GraphWriter

# One step: x W^T + biases for all gates (1, D, B, gates H), and the states (1, D, B, H) -> the new states, the output
# first.
Step = Callable[[str, Sequence[str]], Sequence[str]]
# From the directions, the recurrence (D, H, gates H), its bias (D, 1, gates H) and the functions to a step.
StepMaker = Callable[[Sequence[int], str, str, Sequence[Callable[[str], str]]], Step]
_BACK = np.iinfo(np.int64).min + 1


@expansion("LSTM")
def lstm(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """c = f c + i tanh(z), h = o tanh(c), with i, o, f = sigmoid of the gates in this order, peepholes added."""

    def step_of(directions: Sequence[int], recurrent: str, _: str, functions: Sequence[Callable[[str], str]]) -> Step:
        sigma, tanh, end = functions
        peepholes = _parts(emit, emit.unsqueeze(_rows(emit, node.inputs[7], directions), [1]), 3) if seen else []

        def step(gates: str, states: Sequence[str]) -> Sequence[str]:
            h, c = states
            several, z = _parted(emit, emit.op("Add", gates, emit.op("MatMul", h, recurrent)), 3, 1)
            if not seen:
                i, o, f = _parts(emit, sigma(several), 3)
            else:
                i, before, f = _parts(emit, several, 3)
                i, f = (sigma(emit.op("Add", gate, emit.op("Mul", peepholes[at], c))) for gate, at in ((i, 0), (f, 2)))
            c = emit.op("Add", emit.op("Mul", f, c), emit.op("Mul", i, tanh(z)))
            if seen:
                o = sigma(emit.op("Add", before, emit.op("Mul", peepholes[1], c)))
            return [emit.op("Mul", o, end(c)), c]

        return step

    if node.integer("input_forget", 0):
        return None
    seen = node.has_input(7)
    return _run(node, emit, 4, (5, 6), ("Sigmoid", "Tanh", "Tanh"), step_of)


@expansion("GRU")
def gru(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """h = (1 - z) n + z h, with z, r = sigmoid of the gates and n = tanh(x + r (h R + b)), or tanh(x + (r h) R + b)."""
    after = node.integer("linear_before_reset", 0)

    def step_of(_: Sequence[int], recurrent: str, bias: str, functions: Sequence[Callable[[str], str]]) -> Step:
        sigma, tanh = functions
        of_gates, of_new = _parted(emit, recurrent, 2, 1)
        gate_bias, new_bias = _parted(emit, bias, 2, 1)

        def step(gates: str, states: Sequence[str]) -> Sequence[str]:
            (h,) = states
            x_gates, x_new = _parted(emit, gates, 2, 1)
            inner = emit.op("Add", emit.op("Add", x_gates, gate_bias), emit.op("MatMul", h, of_gates))
            z, r = _parts(emit, sigma(inner), 2)
            if after:
                turn = emit.op("Mul", r, emit.op("Add", emit.op("MatMul", h, of_new), new_bias))
            else:
                turn = emit.op("Add", emit.op("MatMul", emit.op("Mul", r, h), of_new), new_bias)
            n = tanh(emit.op("Add", x_new, turn))
            return [emit.op("Add", n, emit.op("Mul", z, emit.op("Sub", h, n)))]

        return step

    return _run(node, emit, 3, (5,), ("Sigmoid", "Tanh"), step_of, biases_apart=True)


@expansion("RNN")
def rnn(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """h = tanh(x W^T + h R^T + b)."""

    def step_of(_: Sequence[int], recurrent: str, bias: str, functions: Sequence[Callable[[str], str]]) -> Step:
        (tanh,) = functions
        return lambda gates, states: [tanh(emit.op("Add", gates, emit.op("MatMul", states[0], recurrent)))]

    return _run(node, emit, 1, (5,), ("Tanh",), step_of)


def _run(
    node: NodeView,
    emit: GraphWriter,
    gates: int,
    initial: Sequence[int],
    usual: Sequence[str],
    step_of: StepMaker,
    *,
    biases_apart: bool = False,
) -> Sequence[str] | None:
    """Return Y (T, directions, B, H) and the last states (directions, B, H) of a recurrent layer."""
    x, weight, recurrence = node.inputs[:3]
    if any(node.has_attribute(name) for name in ("clip", "activation_alpha", "activation_beta")):
        return None
    batch_first = bool(node.integer("layout", 0))
    if batch_first:
        x = emit.transpose(x, [1, 0, 2])
    steps = emit.shape(x)[0]
    size = node.integer("hidden_size", 0) or node.shape(recurrence)[-1]
    if not isinstance(steps, int) or not isinstance(size, int) or not _whole_sequences(node, steps):
        return None
    backwards = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[
        node.text("direction", "forward")
    ]
    every: list[str] = []
    last: list[list[str]] = []
    for directions, functions in _together(node, emit, usual, len(backwards)):
        turned = [backwards[direction] for direction in directions]
        bias, recurrent_bias = _biases(node, emit, directions, gates * size, recurrence)
        recurrent = emit.transpose(_rows(emit, recurrence, directions), [0, 2, 1])
        # The inputs of all steps at once, one product per direction.
        into = (emit.transpose(emit.squeeze(_rows(emit, weight, [at]), [0]), [1, 0]) for at in directions)
        inputs = _stacked(emit, [emit.unsqueeze(emit.op("MatMul", x, matrix), [1]) for matrix in into], turned)
        added = bias if biases_apart else emit.op("Add", bias, recurrent_bias)
        step = step_of(directions, recurrent, recurrent_bias, functions)
        states = [_start(node, emit, position, directions, x, size) for position in initial]
        outputs = []
        for row in _parts(emit, emit.op("Add", inputs, added), steps, axis=0):
            states = list(step(row, states))
            outputs.append(states[0])
        whole = emit.op("Concat", *outputs, axis=0)
        every.append(_stacked(emit, _parts(emit, whole, len(turned), axis=1), turned))
        last.append([emit.squeeze(state, [0]) for state in states])
    y = _joined(emit, every, 1)
    ends = [_joined(emit, column, 0) for column in zip(*last, strict=True)]
    if batch_first:
        return [emit.transpose(y, [2, 0, 1, 3]), *(emit.transpose(end, [1, 0, 2]) for end in ends)]
    return [y, *ends]


def _together(
    node: NodeView, emit: GraphWriter, usual: Sequence[str], count: int
) -> list[tuple[list[int], list[Callable[[str], str]]]]:
    """Return the directions that take their steps together, and their activation functions."""
    names = node.texts("activations") or tuple(usual) * count
    chosen = [names[at * len(usual) : (at + 1) * len(usual)] for at in range(count)]
    groups = [list(range(count))] if len(set(chosen)) == 1 else [[at] for at in range(count)]
    return [(group, [lambda x, name=name: emit.op(name, x) for name in chosen[group[0]]]) for group in groups]  # type: ignore[misc]


def _stacked(emit: GraphWriter, parts: Sequence[str], turned: Sequence[bool]) -> str:
    """Return the directions' (T, 1, B, K) side by side, those of the backward one in reverse."""
    sides = [emit.cut(part, 0, -1, _BACK, -1) if turn else part for part, turn in zip(parts, turned, strict=True)]
    return _joined(emit, sides, 1)


def _joined(emit: GraphWriter, parts: Sequence[str], axis: int) -> str:
    return emit.op("Concat", *parts, axis=axis) if len(parts) > 1 else parts[0]


def _whole_sequences(node: NodeView, steps: int) -> bool:
    """Say whether every sequence of the batch has as many steps as there are."""
    if not node.has_input(4):
        return True
    lengths = node.constant(4)
    return lengths is not None and bool((lengths == steps).all())


def _biases(node: NodeView, emit: GraphWriter, directions: Sequence[int], width: int, like: str) -> list[str]:
    """Return the bias of the input and the one of the recurrence, each (D, 1, gates H)."""
    if node.has_input(3):
        return _parts(emit, emit.unsqueeze(_rows(emit, node.inputs[3], directions), [1]), 2)
    zero = emit.constant(np.zeros(width, emit.fact(like).dtype))
    return [zero, zero]


def _start(node: NodeView, emit: GraphWriter, position: int, directions: Sequence[int], x: str, size: int) -> str:
    """Return an initial state (1, D, B, H), zeros where none is given."""
    if node.has_input(position):
        given = node.inputs[position]
        turned = emit.transpose(given, [1, 0, 2]) if node.integer("layout", 0) else given
        return emit.unsqueeze(_rows(emit, turned, directions), [0])
    first = emit.unsqueeze(emit.cut(emit.cut(x, 2, 0, 1), 0, 0, 1), [0])
    zeros = emit.scaled(first, 0)  # (1, 1, B, 1), whatever the batch
    return emit.op("Add", zeros, emit.constant(np.zeros((len(directions), 1, size), emit.fact(x).dtype)))


def _parts(emit: GraphWriter, x: str, count: int, axis: int = -1) -> list[str]:
    """Return equal parts of an axis, by default the last."""
    return _parted(emit, x, *[1] * count, axis=axis)


def _parted(emit: GraphWriter, x: str, *shares: int, axis: int = -1) -> list[str]:
    """Return parts of an axis, by default the last, in the given proportions."""
    if len(shares) == 1:
        return [x]
    axis %= emit.rank(x)
    width = emit.shape(x)[axis]
    assert isinstance(width, int)
    sizes = emit.ints([width * share // sum(shares) for share in shares])
    return list(emit.ops("Split", (x, sizes), [str(at) for at in range(len(shares))], axis=axis))


def _rows(emit: GraphWriter, x: str, directions: Sequence[int]) -> str:
    """Return the directions' part, which are neighbours."""
    return emit.cut(x, 0, directions[0], directions[-1] + 1)
