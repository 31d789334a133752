"""Operators written by simpler ones before anything is differentiated: fused, quantised, recurrent, with subgraphs.

An expansion is written as

    @expansion("QuickGelu", domain="com.microsoft")
    def quick_gelu(node, emit):
        x = node.inputs[0]
        return [emit.op("Mul", x, emit.op("Sigmoid", emit.scaled(x, node.real("alpha", 1.702))))]

and answers one tensor per output of the node, '' for one it does not make, or None where this node cannot be expanded,
which leaves it as it is. Expansions live in the modules of `consensus_onnx.gradients.expansions`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from consensus_onnx.gradients.nodes import NodeView

if TYPE_CHECKING:
    from consensus_onnx.gradients.writer import GraphWriter

Expansion: TypeAlias = "Callable[[NodeView, GraphWriter], Sequence[str] | None]"
ExpansionType = TypeVar("ExpansionType", bound=Callable[..., object])

_expansions: dict[tuple[str, str], Expansion] = {}
_loaded: list[str] = []


def expansion(*op_types: str, domain: str = "") -> Callable[[ExpansionType], ExpansionType]:
    """Register the decorated function as the expansion of operators.

    Raises
    ------
    ValueError
        If one of them has an expansion already.
    """

    def register(function: ExpansionType) -> ExpansionType:
        for op_type in op_types:
            if (domain, op_type) in _expansions:
                raise ValueError(f"{op_type} has an expansion already")
            _expansions[domain, op_type] = function  # type: ignore[assignment]
        return function

    return register


def find_expansion(domain: str, op_type: str) -> Expansion | None:
    """Return the expansion of an operator, if there is one."""
    _load()
    return _expansions.get((domain, op_type))


def expanded_operators() -> tuple[tuple[str, str], ...]:
    """Return (domain, operator) of everything that has an expansion, in order."""
    _load()
    return tuple(sorted(_expansions))


def _load() -> None:
    """Import every module of expansions once."""
    if not _loaded:
        from consensus_onnx.gradients import expansions

        _loaded.append(expansions.__name__)
        for module in pkgutil.iter_modules(expansions.__path__):
            importlib.import_module(f"{expansions.__name__}.{module.name}")
