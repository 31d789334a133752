"""Whose operators a model may use: ONNX's, ONNX Runtime's, and functions that it brings itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from onnx import ModelProto, NodeProto

from consensus_onnx.errors import RejectedModelError
from consensus_onnx.runtime.text import printable

# What ONNX Runtime runs without a library of the model's own; the last two stand in files that it has optimised.
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc"})
_SHOWN = 3


def check_operators(model: ModelProto, path: Path) -> None:
    """Refuse a model with operators that nobody here can run, all of them named at once.

    A library that implements them would run the code of whoever made it, in a process that audits strangers' files;
    none is ever loaded.

    Raises
    ------
    RejectedModelError
        If an operator belongs to no known domain and is no function of the model.
    """
    own = {(function.domain, function.name) for function in model.functions}
    foreign = {
        f"{node.domain}:{node.op_type}": node.name
        for node in _nodes(model)
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in own
    }
    if not foreign:
        return
    named = [f"{operator} (node {node!r})" if node else operator for operator, node in sorted(foreign.items())]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    raise RejectedModelError(
        f"{path}: operators that are neither ONNX's, ONNX Runtime's nor functions of the model: "
        f"{printable(', '.join(named[:_SHOWN]), 300)}{more}; export it with standard operators"
    )


def _nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Yield every node, those of functions and of graphs inside nodes too."""
    waiting: list[Sequence[NodeProto]] = [model.graph.node, *(function.node for function in model.functions)]
    while waiting:
        for node in waiting.pop():
            yield node
            for attribute in node.attribute:
                waiting.extend(graph.node for graph in (attribute.g, *attribute.graphs) if graph.node)
