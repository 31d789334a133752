"""Recurrent layers, step after step: LSTM, GRU and RNN over a known number of steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from consensus_onnx.gradients.expansion import expansion
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.writer import GraphWriter

# One step: x W^T + biases for all gates, and the states of one direction -> its new states, the output first.
Step = Callable[[str, Sequence[str]], Sequence[str]]


@expansion("LSTM")
def lstm(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """c = f c + i tanh(z), h = o tanh(c), with i, o, f = sigmoid of the gates in this order, peepholes added."""

    def step_of(direction: int, recurrent: str, _: str) -> Step:
        peepholes = _parts(emit, _row(emit, node.inputs[7], direction), 3) if node.has_input(7) else ["", "", ""]
        sigma, tanh, end = _functions(node, emit, direction, ("Sigmoid", "Tanh", "Tanh"))

        def step(gates: str, states: Sequence[str]) -> Sequence[str]:
            h, c = states
            i, o, f, z = _parts(emit, emit.op("Add", gates, emit.op("MatMul", h, recurrent)), 4)
            i, f = (_plus(emit, gate, peep, c) for gate, peep in ((i, peepholes[0]), (f, peepholes[2])))
            c = emit.op("Add", emit.op("Mul", sigma(f), c), emit.op("Mul", sigma(i), tanh(z)))
            return [emit.op("Mul", sigma(_plus(emit, o, peepholes[1], c)), end(c)), c]

        return step

    if node.integer("input_forget", 0):
        return None
    return _run(node, emit, 4, (5, 6), step_of)


@expansion("GRU")
def gru(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """h = (1 - z) n + z h, with z, r = sigmoid of the gates and n = tanh(x + r (h R + b)), or tanh(x + (r h) R + b)."""
    after = node.integer("linear_before_reset", 0)

    def step_of(direction: int, recurrent: str, recurrent_bias: str) -> Step:
        sigma, tanh = _functions(node, emit, direction, ("Sigmoid", "Tanh"))
        size = emit.shape(recurrent)[0]
        assert isinstance(size, int)
        of_gates, of_new = emit.cut(recurrent, 1, 0, 2 * size), emit.cut(recurrent, 1, 2 * size)
        bias = emit.cut(recurrent_bias, 0, 2 * size)
        gate_bias = emit.cut(recurrent_bias, 0, 0, 2 * size)

        def step(gates: str, states: Sequence[str]) -> Sequence[str]:
            (h,) = states
            x_gates, x_new = emit.cut(gates, 1, 0, 2 * size), emit.cut(gates, 1, 2 * size)
            inner = emit.op("Add", emit.op("Add", x_gates, gate_bias), emit.op("MatMul", h, of_gates))
            z, r = (sigma(part) for part in _parts(emit, inner, 2))
            if after:
                turn = emit.op("Mul", r, emit.op("Add", emit.op("MatMul", h, of_new), bias))
            else:
                turn = emit.op("Add", emit.op("MatMul", emit.op("Mul", r, h), of_new), bias)
            n = tanh(emit.op("Add", x_new, turn))
            return [emit.op("Add", n, emit.op("Mul", z, emit.op("Sub", h, n)))]

        return step

    return _run(node, emit, 3, (5,), step_of, biases_apart=True)


@expansion("RNN")
def rnn(node: NodeView, emit: GraphWriter) -> Sequence[str] | None:
    """h = tanh(x W^T + h R^T + b)."""

    def step_of(direction: int, recurrent: str, _: str) -> Step:
        (tanh,) = _functions(node, emit, direction, ("Tanh",))
        return lambda gates, states: [tanh(emit.op("Add", gates, emit.op("MatMul", states[0], recurrent)))]

    return _run(node, emit, 1, (5,), step_of)


def _run(
    node: NodeView,
    emit: GraphWriter,
    gates: int,
    initial: Sequence[int],
    step_of: Callable[[int, str, str], Step],
    *,
    biases_apart: bool = False,
) -> Sequence[str] | None:
    """Return Y (T, directions, B, H) and the last states (directions, B, H) of a recurrent layer."""
    x, weight, recurrence = node.inputs[:3]
    if node.has_attribute("clip"):
        return None
    batch_first = bool(node.integer("layout", 0))
    if batch_first:
        x = emit.transpose(x, [1, 0, 2])
    steps = emit.shape(x)[0]
    size = node.integer("hidden_size", 0) or node.shape(recurrence)[-1]
    if not isinstance(steps, int) or not isinstance(size, int) or not _whole_sequences(node, steps):
        return None
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[node.text("direction", "forward")]
    every: list[list[str]] = []
    last: list[list[str]] = []
    for direction, backwards in enumerate(ways):
        into = emit.transpose(_row(emit, weight, direction), [1, 0])
        recurrent = emit.transpose(_row(emit, recurrence, direction), [1, 0])
        bias, recurrent_bias = _biases(node, emit, direction, gates * size, recurrence)
        step = step_of(direction, recurrent, recurrent_bias)
        added = bias if biases_apart else emit.op("Add", bias, recurrent_bias)
        states = [_start(node, emit, position, direction, x, size) for position in initial]
        outputs = []
        # The inputs of all steps at once: 36 layers of up to 32 steps (sequencer2d_s) are 100,000 nodes otherwise.
        rows = _parts(emit, emit.op("Add", emit.op("MatMul", x, into), added), steps, axis=0)
        for row in reversed(rows) if backwards else rows:
            states = list(step(emit.squeeze(row, [0]), states))
            outputs.append(states[0])
        every.append(outputs[::-1] if backwards else outputs)
        last.append(states)
    whole = [emit.op("Concat", *(emit.unsqueeze(h, [0, 1]) for h in outputs), axis=0) for outputs in every]
    y = emit.op("Concat", *whole, axis=1)
    ends = [emit.op("Concat", *(emit.unsqueeze(h, [0]) for h in column), axis=0) for column in zip(*last, strict=True)]
    if batch_first:
        return [emit.transpose(y, [2, 0, 1, 3]), *(emit.transpose(end, [1, 0, 2]) for end in ends)]
    return [y, *ends]


def _whole_sequences(node: NodeView, steps: int) -> bool:
    """Say whether every sequence of the batch has as many steps as there are."""
    if not node.has_input(4):
        return True
    lengths = node.constant(4)
    return lengths is not None and bool((lengths == steps).all())


def _biases(node: NodeView, emit: GraphWriter, direction: int, width: int, like: str) -> list[str]:
    """Return the bias of the input and the one of the recurrence."""
    if node.has_input(3):
        return _parts(emit, _row(emit, node.inputs[3], direction), 2)
    zero = emit.constant(np.zeros(width, emit.fact(like).dtype))
    return [zero, zero]


def _start(node: NodeView, emit: GraphWriter, position: int, direction: int, x: str, size: int) -> str:
    """Return an initial state (B, H), zeros where none is given."""
    if node.has_input(position):
        given = node.inputs[position]
        turned = emit.transpose(given, [1, 0, 2]) if node.integer("layout", 0) else given
        return _row(emit, turned, direction)
    first = _row(emit, emit.cut(x, 2, 0, 1), 0)
    zeros = emit.scaled(first, 0)  # (B, 1), whatever the batch
    return emit.op("Add", zeros, emit.constant(np.zeros(size, emit.fact(x).dtype)))


def _functions(node: NodeView, emit: GraphWriter, direction: int, usual: Sequence[str]) -> list[Callable[[str], str]]:
    """Return a direction's activation functions."""
    names = node.texts("activations") or tuple(usual) * 2
    chosen = names[direction * len(usual) : (direction + 1) * len(usual)]
    return [lambda x, name=name: emit.op(name, x) for name in chosen]  # type: ignore[misc]


def _parts(emit: GraphWriter, x: str, count: int, axis: int = -1) -> list[str]:
    """Return equal parts of an axis, by default the last."""
    axis %= emit.rank(x)
    width = emit.shape(x)[axis]
    assert isinstance(width, int)
    sizes = emit.ints([width // count] * count)
    return list(emit.ops("Split", (x, sizes), [str(at) for at in range(count)], axis=axis))


def _row(emit: GraphWriter, x: str, at: int) -> str:
    """Return one direction's part."""
    return emit.squeeze(emit.cut(x, 0, at, at + 1), [0])


def _plus(emit: GraphWriter, gate: str, peephole: str, c: str) -> str:
    return emit.op("Add", gate, emit.op("Mul", peephole, c)) if peephole else gate
