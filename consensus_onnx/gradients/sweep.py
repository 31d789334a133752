"""The reverse sweep: from the seed at the output back to the input, one rule at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import NodeProto

from consensus_onnx.errors import ModelError, UnsupportedOperatorError
from consensus_onnx.gradients.facts import INTEGERS, Facts
from consensus_onnx.gradients.graphs import reads
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.registry import (
    Grad,
    answers,
    find_rule,
    is_flat,
    nearest,
    version_of,
    versions_with_rules,
)
from consensus_onnx.gradients.writer import GraphWriter

# Operators whose integers encode real numbers.
_QUANTISERS = frozenset({"QuantizeLinear", "DynamicQuantizeLinear"})


def path(nodes: Sequence[NodeProto], output: str, wrt: str, facts: Facts) -> tuple[list[NodeProto], set[str]]:
    """Return the nodes a gradient crosses from `output` back to `wrt`, in graph order, and the tensors it reaches.

    Integer tensors and operators declared without gradient end a way: what follows `Shape` is not on the path. A
    quantised tensor stands for the real numbers it encodes and stays on it.
    """
    moved = {wrt}
    candidates: list[NodeProto] = []
    for node in nodes:
        if wrt not in node.output and not is_flat(node) and moved & reads(node):
            candidates.append(node)
            encoded = node.op_type in _QUANTISERS or any(
                facts[name].elem_type in INTEGERS for name in moved & reads(node)
            )
            moved.update(name for name in node.output if name and (encoded or facts[name].elem_type not in INTEGERS))
    needed = {output}
    on_path: list[NodeProto] = []
    for node in reversed(candidates):
        if needed.intersection(node.output):
            on_path.append(node)
            needed |= moved & reads(node)
    return on_path[::-1], moved & needed


def missing_rules(nodes: Sequence[NodeProto], opsets: Mapping[str, int]) -> tuple[tuple[str, int, str], ...]:
    """Return (operator, schema version, node name) of every node without a rule."""
    return tuple(
        (f"{node.domain}.{node.op_type}".lstrip("."), version_of(node, opsets), node.name or node.output[0])
        for node in nodes
        if not answers(node, opsets)
    )


def missing_rules_error(missing: Sequence[tuple[str, int, str]], opset: int) -> UnsupportedOperatorError:
    """Return the error that names each missing operator once, with its first node and what comes nearest."""
    lines: dict[tuple[str, int], list[str]] = {}
    for op_type, version, node in missing:
        lines.setdefault((op_type, version), []).append(node)
    texts = []
    for (op_type, version), nodes in lines.items():
        more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
        near = _nearest(op_type)
        texts.append(f"no gradient rule for {op_type}-{version} (node {nodes[0]!r}{more}, opset {opset}); {near}")
    return UnsupportedOperatorError("\n".join(texts))


def _nearest(op_type: str) -> str:
    """Return what comes nearest to an operator without a rule: its own other versions, or similar names."""
    domain, _, name = op_type.rpartition(".")
    versions = versions_with_rules(name, domain)
    if versions:
        return f"it has rules for versions {', '.join(map(str, versions))}"
    close = nearest(name)
    if close:
        return f"nearest operators with rules: {', '.join(close)}"
    return "no operator with a rule has a similar name"


def sweep(on_path: Sequence[NodeProto], moved: set[str], output: str, wrt: str, seed: str, emit: GraphWriter) -> Grad:
    """Write the gradient of `output`, weighted by `seed`, with respect to `wrt`, and return its tensor's name.

    Raises
    ------
    ModelError
        If a rule answers with a gradient whose type or shape is not its input's.
    """
    opsets = emit.facts.opsets
    pending: dict[str, list[str]] = {output: [seed]}
    makers = {name: node for node in on_path for name in node.output}
    for node in reversed(on_path):
        grads = [accumulate(pending.pop(name, []), emit) for name in node.output]
        if all(grad is None for grad in grads):
            continue
        rule = find_rule(node, opsets)
        if rule is None:
            raise missing_rules_error(missing_rules([node], opsets), emit.opset)
        wanted = frozenset(position for position, name in enumerate(node.input) if name in moved)
        view = NodeView(node, version_of(node, opsets), emit.facts, wanted, makers)
        emit.scope = view.label
        answer = rule(view, grads, emit)
        _check(view, answer, emit)
        for position, grad in enumerate(answer):
            if grad is not None and position in wanted:
                pending.setdefault(node.input[position], []).append(grad)
    emit.scope = wrt
    return accumulate(pending.get(wrt, []), emit)


def accumulate(grads: Sequence[str], emit: GraphWriter) -> Grad:
    """Add the gradients that reach one tensor; pieces that lie side by side along one axis are joined."""
    if not grads:
        return None
    joined = _join(grads, emit)
    if joined is not None:
        return joined
    total = grads[0]
    for grad in grads[1:]:
        total = emit.op("Add", total, grad)
    return total


def _join(grads: Sequence[str], emit: GraphWriter) -> Grad:
    """Concatenate gradients that are pieces of one axis and fill it, else None: one copy, not a Pad and Add each."""
    pieces = [emit.pieces[grad] for grad in grads if grad in emit.pieces]
    if len(pieces) < max(len(grads), 2) or len({piece.axis for piece in pieces}) > 1:
        return None
    pieces.sort(key=lambda piece: piece.start)
    axis = pieces[0].axis
    ends = [0, *(piece.start + piece.size for piece in pieces)]
    if [piece.start for piece in pieces] != ends[:-1] or ends[-1] != emit.shape(grads[0])[axis]:
        return None
    return emit.op("Concat", *(piece.content for piece in pieces), axis=axis)


def _check(node: NodeView, answer: Sequence[Grad], emit: GraphWriter) -> None:
    """Name the rule whose gradients do not fit its inputs, here and not forty nodes later."""
    rule = f"the gradient rule of {node.proto.op_type}-{node.version} (node {node.label!r})"
    if len(answer) != len(node.inputs):
        raise ModelError(f"{rule} answered {len(answer)} gradients for {len(node.inputs)} inputs")
    for name, grad in zip(node.inputs, answer, strict=True):
        if grad is None:
            continue
        value, found = emit.fact(name), emit.fact(grad)
        sizes_known = None not in value.sizes and None not in found.sizes
        same_type = found.elem_type == value.elem_type or value.elem_type in INTEGERS
        if not same_type or (sizes_known and found.sizes != value.sizes):
            raise ModelError(f"{rule} gave {found.describe()} for its input {name!r}, which is {value.describe()}")
