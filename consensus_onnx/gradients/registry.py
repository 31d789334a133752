"""The table of gradient rules: operator and schema version here, a function that reads like a formula there.

A rule is written as

    @gradient_rule("Exp", versions=(13,))
    def exp(node, grads, emit):
        return [emit.op("Mul", first(grads), node.outputs[0])]

and answers one gradient per input of the node: the name of a tensor, or None, the symbolic zero. Rules live in the
modules of `consensus_onnx.gradients.rules`, found by listing that package and loaded when the table is first asked.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import onnx
from onnx import NodeProto

from consensus_onnx.gradients.nodes import NodeView

if TYPE_CHECKING:
    from consensus_onnx.gradients.writer import GraphWriter

Grad: TypeAlias = str | None
Rule: TypeAlias = "Callable[[NodeView, Sequence[Grad], GraphWriter], Sequence[Grad]]"
Key: TypeAlias = tuple[str, str, int]
RuleType = TypeVar("RuleType", bound=Callable[..., object])

_rules: dict[Key, Rule] = {}
_flat: set[tuple[str, str]] = set()
_loaded: list[str] = []


def gradient_rule(op_type: str, versions: Iterable[int], *, domain: str = "") -> Callable[[RuleType], RuleType]:
    """Register the decorated function as the gradient of an operator.

    Parameters
    ----------
    op_type : str
        The operator.
    versions : iterable of int
        The schema versions the rule was checked against; others stay unsupported.
    domain : str
        The operator's domain, '' for ONNX's own.

    Raises
    ------
    ValueError
        If one of them has a rule already.
    """

    def register(rule: RuleType) -> RuleType:
        for version in versions:
            if (domain, op_type, version) in _rules or (domain, op_type) in _flat:
                raise ValueError(f"{op_type}-{version} has a gradient rule already")
            _rules[domain, op_type, version] = rule  # type: ignore[assignment]
        return rule

    return register


def no_gradient(*op_types: str, domain: str = "") -> None:
    """Declare operators whose outputs do not change with their inputs, or only in jumps: gradient zero everywhere.

    Raises
    ------
    ValueError
        If one of them has a rule already.
    """
    for op_type in op_types:
        if (domain, op_type) in _flat or any(key[:2] == (domain, op_type) for key in _rules):
            raise ValueError(f"{op_type} has a gradient rule already")
        _flat.add((domain, op_type))


def version_of(node: NodeProto, opsets: Mapping[str, int]) -> int:
    """Return the schema version a node means under the given opset imports."""
    opset = opsets.get(node.domain, 1)
    try:
        return int(onnx.defs.get_schema(node.op_type, opset, node.domain).since_version)
    except onnx.defs.SchemaError:
        return opset


def is_flat(node: NodeProto) -> bool:
    """Say whether a node's operator is declared without gradient."""
    _load()
    return (node.domain, node.op_type) in _flat


def find_rule(node: NodeProto, opsets: Mapping[str, int]) -> Rule | None:
    """Return the rule of a node; for an operator declared without gradient one that answers None for every input."""
    if is_flat(node):
        return _zero
    return _rules.get((node.domain, node.op_type, version_of(node, opsets)))


def answers(node: NodeProto, opsets: Mapping[str, int]) -> bool:
    """Say whether a node has a rule or is declared without gradient."""
    return find_rule(node, opsets) is not None


def supported_operators() -> tuple[tuple[str, str, int], ...]:
    """Return (domain, operator, schema version) of everything that has a gradient rule, in order."""
    _load()
    return tuple(sorted(_rules))


def flat_operators() -> tuple[tuple[str, str], ...]:
    """Return (domain, operator) of everything declared to have gradient zero, in order."""
    _load()
    return tuple(sorted(_flat))


def versions_with_rules(op_type: str, domain: str = "") -> tuple[int, ...]:
    """Return the schema versions of an operator that have a rule."""
    _load()
    return tuple(sorted(version for d, op, version in _rules if (d, op) == (domain, op_type)))


def nearest(op_type: str, limit: int = 3) -> tuple[str, ...]:
    """Return operators with rules whose names are closest to the given one."""
    _load()
    names = sorted({key[1] for key in _rules})
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(op_type.lower(), lowered, n=limit, cutoff=0.5)
    return tuple(lowered[name] for name in close)


def first(grads: Sequence[Grad]) -> str:
    """Return the gradient of a node's first output, for nodes with no other: the sweep asks no rule without one.

    Raises
    ------
    ValueError
        If it is the symbolic zero; a node with several outputs needs a rule that expects that.
    """
    if grads[0] is None:
        raise ValueError("the first output has no gradient; this rule cannot be asked about other outputs")
    return grads[0]


def _zero(node: NodeView, grads: Sequence[Grad], emit: GraphWriter) -> Sequence[Grad]:
    return [None] * len(node.inputs)


def _load() -> None:
    """Import every rule module once."""
    if not _loaded:
        from consensus_onnx.gradients import rules

        _loaded.append(rules.__name__)
        for module in pkgutil.iter_modules(rules.__path__):
            importlib.import_module(f"{rules.__name__}.{module.name}")
