"""Bodies of nodes put in their place: a function an operator is defined by, a branch of an If, the rounds of a Loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, TypeProto, helper

from consensus_onnx.gradients.evaluation import schema_of
from consensus_onnx.gradients.facts import Facts


def renamed(nodes: Iterable[NodeProto], names: Mapping[str, str], prefix: str) -> list[NodeProto]:
    """Return copies of nodes whose tensors have other names.

    Parameters
    ----------
    nodes : iterable of NodeProto
        Nodes of one graph, with subgraphs or without.
    names : mapping
        New names of tensors the nodes read or make.
    prefix : str
        Goes before the name of every other tensor they make, and of the nodes.
    """
    nodes = list(nodes)
    known = {name: prefix + name for node in nodes for name in node.output if name} | dict(names)
    copies = []
    for node in nodes:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.name = prefix + next(filter(None, node.output), "")  # unlike nodes' own names it is unique
        copy.input[:] = [known.get(name, name) for name in node.input]
        copy.output[:] = [known.get(name, name) for name in node.output]
        for attribute in copy.attribute:
            for graph in (attribute.g, *attribute.graphs):
                _rename_outside(graph, known)
        copies.append(copy)
    return copies


def _rename_outside(graph: GraphProto, names: Mapping[str, str]) -> None:
    """Rename what a subgraph takes from around it, but not what it makes under the same name itself."""
    own = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
    own |= {name for node in graph.node for name in node.output}
    outer = {old: new for old, new in names.items() if old not in own}
    for node in graph.node:
        node.input[:] = [outer.get(name, name) for name in node.input]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _rename_outside(inner, outer)
    for info in graph.output:
        info.name = outer.get(info.name, info.name)


def subgraph(graph: GraphProto, inputs: Sequence[str], prefix: str) -> tuple[list[NodeProto], list[str]]:
    """Return a subgraph's nodes on the given inputs, and the names of its results."""
    names = dict(zip((info.name for info in graph.input), inputs, strict=True))
    names |= {tensor.name: prefix + tensor.name for tensor in graph.initializer}
    constants = [helper.make_node("Constant", [], [names[tensor.name]], value=tensor) for tensor in graph.initializer]
    nodes = renamed(graph.node, names, prefix)
    made = {old: prefix + old for node in graph.node for old in node.output} | names
    return [*constants, *nodes], [made.get(info.name, info.name) for info in graph.output]


def label_of(node: NodeProto) -> str:
    """Return the name of a node's first output, which no other node has."""
    return str(next(filter(None, node.output)))


def aliases(results: Sequence[str], outputs: Sequence[str]) -> list[NodeProto]:
    """Return the nodes that give results the names of a node's outputs; '' among either stands for none."""
    return [
        helper.make_node("Identity", [result], [output], name=output)
        for result, output in zip(results, outputs, strict=False)
        if result and output
    ]


def branch(node: NodeProto, taken: bool) -> list[NodeProto]:
    """Return the nodes of an If's branch, its results named as the If's."""
    wanted = "then_branch" if taken else "else_branch"
    body = next(attribute.g for attribute in node.attribute if attribute.name == wanted)
    nodes, results = subgraph(body, [], f"{label_of(node)}/{wanted}/")
    return [*nodes, *aliases(results, node.output)]


def body_of(node: NodeProto, facts: Facts) -> list[NodeProto] | None:
    """Return the nodes an operator's schema defines it by, None where it does not.

    Some bodies depend on the types of the node's inputs, so these have to be known.
    """
    schema: Any = schema_of(node, facts.opsets)  # onnx's stubs lack what is asked here
    if schema is None or not (schema.has_function or schema.has_context_dependent_function):
        return None
    opset = facts.opsets.get(node.domain, 1)
    fixed = [version for version in schema.function_opset_versions if version <= opset]
    depending = [version for version in schema.context_dependent_function_opset_versions if version <= opset]
    if fixed:
        serialised = schema.get_function_with_opset_version(max(fixed))
    elif depending:
        types = [_type(facts, name).SerializeToString() for name in node.input]
        serialised = schema.get_context_dependent_function_with_opset_version(
            max(depending), node.SerializeToString(), types
        )
    else:
        return None
    function = FunctionProto()
    function.ParseFromString(serialised)
    return _called(node, function, schema) if function.node else None


def _type(facts: Facts, name: str) -> TypeProto:
    fact = facts[name] if name else None
    return TypeProto() if fact is None else helper.make_tensor_type_proto(fact.elem_type, fact.sizes[0])


def _called(node: NodeProto, function: FunctionProto, schema: onnx.defs.OpSchema) -> list[NodeProto]:
    """Return a function's nodes with a call's inputs, outputs and attributes."""
    given = dict.fromkeys(function.input, "") | dict(zip(function.input, node.input, strict=False))
    prefix = f"{label_of(node)}/"
    results = {formal: prefix + formal for formal in function.output}
    nodes = renamed(function.node, given, prefix)
    attributes = {attribute.name: attribute for attribute in node.attribute}
    for name, declared in schema.attributes.items():
        if name not in attributes and declared.default_value.type != AttributeProto.UNDEFINED:
            attributes[name] = declared.default_value
    for inner in nodes:
        _bind(inner, attributes)
    formal = [given.get(name) or results[name] for name in function.output]
    return [*nodes, *aliases(formal, node.output)]


def _bind(node: NodeProto, attributes: Mapping[str, AttributeProto]) -> None:
    """Put a call's attributes where the nodes of a function refer to them; what is not given is left out."""
    bound = []
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            if attribute.ref_attr_name not in attributes:
                continue
            value = AttributeProto()
            value.CopyFrom(attributes[attribute.ref_attr_name])
            value.name = attribute.name
            bound.append(value)
        else:
            for graph in (attribute.g, *attribute.graphs):
                for inner in graph.node:
                    _bind(inner, attributes)
            bound.append(attribute)
    copies = [AttributeProto.FromString(attribute.SerializeToString()) for attribute in bound]
    del node.attribute[:]
    node.attribute.extend(copies)
