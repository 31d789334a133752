"""Nodes in an order in which each comes after what it reads.

ONNX asks for that order and its checker insists; ONNX Runtime does not (of a model's own graph; of the graphs inside
If, Loop and Scan it does), so models with their nodes in any order exist and run.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from onnx import GraphProto, NodeProto

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.graphs import sources_of


def sort_nodes(graph: GraphProto, where: str) -> None:
    """Sort a graph's nodes where they are not in order; of those that may come next, the one that came first does.

    Parameters
    ----------
    graph : GraphProto
        The graph, changed in place. One that is in order stays as it is.
    where : str
        What the errors begin with.

    Raises
    ------
    ModelError
        If a node reads what nothing makes, or nodes wait for each other.
    """
    nodes = list(graph.node)
    given = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
    given |= {tensor.values.name for tensor in graph.sparse_initializer}
    makers: dict[str, int] = {}
    for at, node in enumerate(nodes):
        for name in filter(None, node.output):
            makers.setdefault(name, at)  # made twice: the checker's to refuse
    waits: list[set[int]] = []
    for node in nodes:
        read = sources_of(node) - given
        missing = sorted(read - makers.keys())
        if missing:
            raise ModelError(
                f"{where}: not a valid ONNX model: node {_label(node)} reads {missing[0]!r}, which nothing makes"
            )
        waits.append({makers[name] for name in read})
    if all(max(before, default=-1) < at for at, before in enumerate(waits)):
        return
    order = _order(waits)
    if len(order) < len(nodes):
        names = [_label(nodes[at]) for at in _circle(waits, set(order))]
        raise ModelError(
            f"{where}: not a valid ONNX model: nodes wait for each other: {' reads '.join([*names, names[0]])}; "
            "what repeats has to be a Loop or a Scan"
        )
    del graph.node[:]
    graph.node.extend(nodes[at] for at in order)


def _order(waits: Sequence[set[int]]) -> list[int]:
    """Return the nodes that can be put in order (Kahn's algorithm, the first of those that are ready first)."""
    readers: list[list[int]] = [[] for _ in waits]
    for at, before in enumerate(waits):
        for maker in before:
            readers[maker].append(at)
    left = [len(before) for before in waits]
    ready = [at for at, count in enumerate(left) if not count]
    order: list[int] = []
    while ready:
        at = heapq.heappop(ready)
        order.append(at)
        for reader in readers[at]:
            left[reader] -= 1
            if not left[reader]:
                heapq.heappush(ready, reader)
    return order


def _circle(waits: Sequence[set[int]], ordered: set[int]) -> list[int]:
    """Return nodes each of which waits for the next, the last for the first."""
    at = min(set(range(len(waits))) - ordered)
    seen: dict[int, None] = {}
    while at not in seen:
        seen[at] = None
        at = min(waits[at] - ordered)  # one that could not be ordered waits for another such
    trail = list(seen)
    return trail[trail.index(at) :]


def _label(node: NodeProto) -> str:
    return f"{node.name or next(filter(None, node.output), '')!r} ({node.op_type})"
