"""From any model to the one form the sweep understands.

Each pass takes a model it may change and returns one:

1. `inline`        no calls of model-local functions are left;
2. `raise_opset`   the standard operators are those of opset 16 or later;
3. `expand`        operators without a gradient rule whose schema defines them by simpler ones are replaced by these;
4. `fold`          what follows from shapes and constants is an initialiser; an If with a known condition is its branch;
                   no node is left that no output needs.

Opset policy: a model keeps its own opset from 16 on, because everything the rules emit has had one form since then
(reductions are the exception, and `GraphWriter.reduce` writes both). Older models are raised to 16: from 13 on by the
number alone (the definitions of 14 to 16 only add types and optional attributes, batch normalisation in training
mode excepted), below 13 by ONNX's version converter.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.checker
import onnx.inliner
import onnx.version_converter
from onnx import ModelProto, NodeProto, ValueInfoProto, numpy_helper

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.evaluation import schema_of
from consensus_onnx.gradients.facts import Facts, probe_inputs, probes_needed
from consensus_onnx.gradients.graphs import inputs_of, opsets_of, prune
from consensus_onnx.gradients.registry import answers

MINIMUM_OPSET = 16
_MINIMUM_IR = 8
# Expanding one function may show another (MeanVarianceNormalization, GroupNormalization, Attention: two levels).
_EXPANSION_ROUNDS = 6


@dataclass(frozen=True)
class CanonicalModel:
    """A model in canonical form and what is known about each of its tensors."""

    model: ModelProto
    facts: Facts

    @property
    def opsets(self) -> dict[str, int]:
        """The opset each domain is imported at."""
        return opsets_of(self.model)

    @property
    def inputs(self) -> dict[str, ValueInfoProto]:
        """The inputs a caller feeds: those that no initialiser stands in for."""
        return inputs_of(self.model.graph)


def canonicalise(source: ModelProto | str | os.PathLike[str]) -> CanonicalModel:
    """Load a model, or copy one, and bring it into canonical form.

    Raises
    ------
    ModelError
        If the file is no valid ONNX model, or cannot be brought into that form.
    """
    model = expand(raise_opset(inline(_load(source))))
    return fold(model)


def _load(source: ModelProto | str | os.PathLike[str]) -> ModelProto:
    """Return a private, checked copy."""
    if isinstance(source, ModelProto):
        model = ModelProto()
        model.CopyFrom(source)
        where = "model"
    else:
        where = str(source)
        try:
            model = onnx.load(Path(source))
        except Exception as error:  # protobuf, file and external-data errors have no common class
            raise ModelError(f"{where}: not an ONNX model: {str(error).splitlines()[0]}") from error
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"{where}: not a valid ONNX model: {str(error).splitlines()[0]}") from error
    for node in model.graph.node:
        if node.domain == "ai.onnx":
            node.domain = ""
    return model


def inline(model: ModelProto) -> ModelProto:
    """Replace calls of model-local functions by their bodies."""
    return onnx.inliner.inline_local_functions(model, convert_version=True) if model.functions else model


def raise_opset(model: ModelProto) -> ModelProto:
    """Bring the standard domain to opset 16 or later."""
    version = opsets_of(model).get("", MINIMUM_OPSET)
    if version < 13:
        try:
            model = onnx.version_converter.convert_version(model, 13)
        except Exception as error:  # the converter raises RuntimeError and its own types
            raise ModelError(
                f"the model's opset is {version} and ONNX cannot convert it to 13 ({str(error).splitlines()[0]}); "
                "export it again at opset 13 or later"
            ) from error
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = max(entry.version, MINIMUM_OPSET)
    if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
        model.opset_import.add(domain="", version=MINIMUM_OPSET)
    model.ir_version = max(model.ir_version, _MINIMUM_IR)
    return model


def expand(model: ModelProto) -> ModelProto:
    """Replace operators without a rule by the bodies their schemas define them with."""
    for _ in range(_EXPANSION_ROUNDS):
        opsets = opsets_of(model)
        unknown = {
            (node.domain, node.op_type)
            for node in model.graph.node
            if not answers(node, opsets) and _has_body(node, opsets)
        }
        if not unknown:
            break
        model = expand_operators(model, sorted(unknown))
    return model


def expand_operators(model: ModelProto, operators: Sequence[tuple[str, str]]) -> ModelProto:
    """Replace the given (domain, operator) by the bodies their schemas define them with."""
    try:
        # Some bodies depend on their inputs' types, which the inliner only finds among declared values.
        model = onnx.shape_inference.infer_shapes(model)
        for tensor in model.graph.initializer:
            model.graph.value_info.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
        return onnx.inliner.inline_selected_functions(model, list(operators), inline_schema_functions=True)
    except Exception as error:  # the inliner's assertions are RuntimeErrors, shape inference has its own class
        names = ", ".join(sorted(operator for _, operator in operators))
        raise ModelError(f"{names}: cannot be expanded into simpler operators: {str(error).splitlines()[0]}") from error


def _has_body(node: NodeProto, opsets: dict[str, int]) -> bool:
    schema = schema_of(node, opsets)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)  # type: ignore[attr-defined]


def fold(model: ModelProto) -> CanonicalModel:
    """Learn every tensor's type and shape, and make initialisers of what follows from shapes and constants alone."""
    graph = model.graph
    inputs = inputs_of(graph)
    facts = Facts(opsets_of(model), model.ir_version, probes_needed(inputs))
    probe_inputs(facts, inputs)
    for tensor in graph.initializer:
        facts.add_constant(tensor.name, numpy_helper.to_array(tensor))
    outputs = {info.name for info in graph.output}
    kept: list[NodeProto] = []
    for node in _resolve(graph.node, facts):
        if all(facts[name].constant is not None and name not in outputs for name in node.output if name):
            for name in filter(None, node.output):
                value = facts[name].constant
                assert value is not None
                graph.initializer.append(numpy_helper.from_array(value, name))
        else:
            kept.append(node)
    for info in [info for info in graph.input if info.name not in inputs]:
        graph.input.remove(info)  # a default value for an input: a constant here
    prune(graph, kept, outputs)
    del graph.value_info[:]
    return CanonicalModel(model, facts)


def _resolve(nodes: Iterable[NodeProto], facts: Facts) -> Iterable[NodeProto]:
    """Yield nodes after learning their outputs, an If with a known condition as the nodes of its branch."""
    for node in nodes:
        condition = facts[node.input[0]].constant if node.op_type == "If" and node.domain == "" else None
        if condition is None:
            for name in node.input:
                if name and name not in facts:
                    raise ModelError(
                        f"node {node.name or node.output[0]!r} ({node.op_type}) reads {name!r}, which nothing makes"
                    )
            facts.infer(node)
            yield node
        else:
            yield from _resolve(_branch(node, bool(condition.reshape(-1)[0])), facts)


def _branch(node: NodeProto, taken: bool) -> list[NodeProto]:
    """Return the nodes of an If's branch, its inner names made unique and its results named as the If's."""
    wanted = "then_branch" if taken else "else_branch"
    body = next(attribute.g for attribute in node.attribute if attribute.name == wanted)
    prefix = f"{node.name or node.output[0]}/{wanted}/"
    made = {name for inner in body.node for name in inner.output} | {tensor.name for tensor in body.initializer}
    names = {name: prefix + name for name in made}
    nodes = [onnx.helper.make_node("Constant", [], [names[tensor.name]], value=tensor) for tensor in body.initializer]
    for inner in body.node:
        copy = NodeProto()
        copy.CopyFrom(inner)
        copy.input[:] = [names.get(name, name) for name in inner.input]
        copy.output[:] = [names.get(name, name) for name in inner.output]
        nodes.append(copy)
    for result, info in zip(node.output, body.output, strict=True):
        nodes.append(onnx.helper.make_node("Identity", [names.get(info.name, info.name)], [result]))
    return nodes
