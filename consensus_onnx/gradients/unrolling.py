"""Loops with a known number of rounds as the nodes of every round.

What is known before the model runs has to tell the trip count and, after each round, whether the loop goes on. Where
that depends on the input the loop stays a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from onnx import AttributeProto, NodeProto, helper, numpy_helper

from consensus_onnx.gradients.facts import Facts
from consensus_onnx.gradients.inlining import aliases, label_of, subgraph

# Learns what the nodes make and returns those that are left of them.
Resolve: TypeAlias = Callable[[Sequence[NodeProto]], Iterable[NodeProto]]
# Beyond that a graph would be larger than any classifier.
MOST_ROUNDS = 1_024


def unrolled(node: NodeProto, facts: Facts, resolve: Resolve) -> list[NodeProto] | None:
    """Return a Loop or Scan as the nodes of its rounds; None where their number is not known, or anything else."""
    if node.domain == "" and node.op_type == "Loop":
        return _loop(node, facts, resolve)
    if node.domain == "" and node.op_type == "Scan":
        return _scan(node, facts, resolve)
    return None


def _loop(node: NodeProto, facts: Facts, resolve: Resolve) -> list[NodeProto] | None:
    body = next(attribute.g for attribute in node.attribute if attribute.name == "body")
    label = label_of(node)
    trips = _number(facts, node.input[0]) if node.input[0] else MOST_ROUNDS
    going = _number(facts, node.input[1]) if len(node.input) > 1 and node.input[1] else 1
    if trips is None or going is None:
        return None
    states = list(node.input[2:])
    stacked: list[list[str]] = [[] for _ in node.output[len(states) :]]
    nodes: list[NodeProto] = []
    for count in range(max(trips, 0)):
        if not going:
            break
        if count >= MOST_ROUNDS:
            return None
        prefix = f"{label}/{count}/"
        at, on = f"{prefix}iteration", f"{prefix}condition"
        numbers = [_constant(at, np.asarray(count)), _constant(on, np.asarray(True))]
        inner, results = subgraph(body, [at, on, *states], prefix)
        nodes += resolve([*numbers, *inner])
        going = _number(facts, results[0])
        if going is None:
            return None
        states, slices = results[1 : 1 + len(states)], results[1 + len(states) :]
        for rows, name in zip(stacked, slices, strict=True):
            rows.append(name)
    if any(name and not rows for name, rows in zip(node.output[len(states) :], stacked, strict=True)):
        return None  # the shape of nothing is not known
    ends = [_stack(rows, output, 0) for rows, output in zip(stacked, node.output[len(states) :], strict=True) if output]
    return [*nodes, *resolve([*aliases(states, node.output), *(each for end in ends for each in end)])]


def _scan(node: NodeProto, facts: Facts, resolve: Resolve) -> list[NodeProto] | None:
    given = {attribute.name: attribute for attribute in node.attribute}
    body, scanned = given["body"].g, given["num_scan_inputs"].i
    first = len(node.input) - scanned
    if "" in node.input:  # the form of opset 8, with lengths
        return None
    states, sources = list(node.input[:first]), list(node.input[first:])
    outputs = node.output[first:]
    axes, backwards = (_flags(given, name, scanned) for name in ("scan_input_axes", "scan_input_directions"))
    out_axes, out_backwards = (
        _flags(given, name, len(outputs)) for name in ("scan_output_axes", "scan_output_directions")
    )
    shapes = [facts[name].shape for name in sources]
    sizes = {shape[axis] if shape is not None else None for shape, axis in zip(shapes, axes, strict=True)}
    (rounds,) = sizes if len(sizes) == 1 else (None,)
    if not isinstance(rounds, int) or not 0 < rounds <= MOST_ROUNDS:
        return None
    label = label_of(node)
    nodes: list[NodeProto] = []
    stacked: list[list[str]] = [[] for _ in outputs]
    for count in range(rounds):
        prefix = f"{label}/{count}/"
        picked: list[NodeProto] = []
        for at, (name, axis, back) in enumerate(zip(sources, axes, backwards, strict=True)):
            row = f"{prefix}row{at}"
            picked.append(_constant(f"{row}/at", np.asarray(rounds - 1 - count if back else count)))
            picked.append(helper.make_node("Gather", [name, f"{row}/at"], [row], name=row, axis=axis))
        inner, results = subgraph(body, [*states, *(f"{prefix}row{at}" for at in range(scanned))], prefix)
        nodes += resolve([*picked, *inner])
        states = results[:first]
        for rows, name in zip(stacked, results[first:], strict=True):
            rows.append(name)
    ends = [
        _stack(rows[::-1] if back else rows, output, axis)
        for rows, output, axis, back in zip(stacked, outputs, out_axes, out_backwards, strict=True)
        if output
    ]
    return [*nodes, *resolve([*aliases(states, node.output[:first]), *(each for end in ends for each in end)])]


def _flags(given: dict[str, AttributeProto], name: str, count: int) -> list[int]:
    return list(given[name].ints) if name in given else [0] * count


def _stack(rows: Sequence[str], output: str, axis: int) -> list[NodeProto]:
    """Return the nodes that make one tensor of one slice per round."""
    index = f"{output}/axis"
    nodes = [_constant(index, np.asarray([axis]))]
    for at, row in enumerate(rows):
        nodes.append(helper.make_node("Unsqueeze", [row, index], [f"{output}/{at}"], name=f"{output}/{at}"))
    parts = [f"{output}/{at}" for at in range(len(rows))]
    return [*nodes, helper.make_node("Concat", parts, [output], name=output, axis=axis)]


def _number(facts: Facts, name: str) -> int | None:
    """Return a scalar that is known before the model runs."""
    value = facts[name].constant
    return None if value is None or value.size != 1 else int(value.reshape(-1)[0])


def _constant(name: str, value: np.ndarray[tuple[int, ...], np.dtype[np.int64 | np.bool_]]) -> NodeProto:
    return helper.make_node("Constant", [], [name], name=name, value=numpy_helper.from_array(value))
