"""From any model to the one form the sweep understands.

Nodes come in order first (`ordering`). Each pass takes a model it may change and returns one:

1. `inline`        no calls of model-local functions are left;
2. `raise_opset`   the standard operators are those of opset 16 or later;
3. `fold`          what follows from shapes and constants is an initialiser; an If with a known condition is its branch,
                   a loop with a known number of rounds is the nodes of every round; an operator without a gradient
                   rule is replaced by simpler ones (`expansions`), or by those its schema defines it with; no node is
                   left that no output needs.

Opset policy: a model keeps its own opset from 16 on, because everything the rules emit has had one form since then
(reductions are the exception, and `GraphWriter.reduce` writes both). Older models are raised to 16: from 13 on by the
number alone (the definitions of 14 to 16 only add types and optional attributes, batch normalisation in training
mode excepted), below 13 by ONNX's version converter.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.checker
import onnx.inliner
import onnx.version_converter
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from consensus_onnx.arrays import AnyArray
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.expansion import Expansion, find_expansion
from consensus_onnx.gradients.expansions.attention import replaced_softmaxes, softmax_of_nothing
from consensus_onnx.gradients.facts import Facts, probe_inputs, probes_needed
from consensus_onnx.gradients.graphs import (
    SMALL,
    check,
    inputs_of,
    opsets_of,
    prune,
    taken_names,
    without_weights,
)
from consensus_onnx.gradients.inlining import aliases, body_of, branch
from consensus_onnx.gradients.lowering import choose_lowering
from consensus_onnx.gradients.nodes import NodeView
from consensus_onnx.gradients.ordering import sort_nodes
from consensus_onnx.gradients.registry import answers, version_of
from consensus_onnx.gradients.unrolling import unrolled
from consensus_onnx.gradients.writer import GraphWriter

MINIMUM_OPSET = 16
_MINIMUM_IR = 8


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
    return fold(raise_opset(inline(_load(source))))


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
    sort_nodes(model.graph, where)
    try:
        check(model)
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
    if version < 9 and any(node.op_type == "Scan" for node in model.graph.node):
        raise ModelError(
            f"the model's opset is {version}, where Scan has another form; export it again at opset 13 or later"
        )
    if version < 13:
        resized = {
            node.output[0] for node in model.graph.node if node.op_type in ("Resize", "Upsample") and version < 11
        }
        _convert(model, version)
        _keep_asymmetric(model, resized)
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = max(entry.version, MINIMUM_OPSET)
    if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
        model.opset_import.add(domain="", version=MINIMUM_OPSET)
    model.ir_version = max(model.ir_version, _MINIMUM_IR)
    return model


def _convert(model: ModelProto, version: int) -> None:
    """Bring a model to opset 13 by ONNX's converter, in place.

    The converter reads shapes, axes and scales, and holds what it is given seven times over: large weights stay here
    (vgg19, 0.6 GB of them: 4.1 GB at the peak of `gradient_model` -> 2.3, where the checker has two copies).
    """
    light = without_weights(model, SMALL)
    try:
        light = onnx.version_converter.convert_version(light, 13)
    except Exception as error:  # the converter raises RuntimeError and its own types
        raise ModelError(
            f"the model's opset is {version} and ONNX cannot convert it to 13 ({str(error).splitlines()[0]}); "
            "export it again at opset 13 or later"
        ) from error
    graph = model.graph
    del graph.node[:], graph.value_info[:], model.opset_import[:]
    graph.node.extend(light.graph.node)
    model.opset_import.extend(light.opset_import)
    for at in range(len(graph.initializer) - 1, -1, -1):
        if math.prod(graph.initializer[at].dims) <= SMALL:
            del graph.initializer[at]
    graph.initializer.extend(light.graph.initializer)


def _keep_asymmetric(model: ModelProto, resized: set[str]) -> None:
    """Say of what was resized before opset 11 that output i lies at i / scale, which ONNX's converter forgets.

    ONNX Runtime rounds that down for nearest neighbours, and up where it shrinks.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    constants |= {node.output[0]: node.attribute[0].t for node in model.graph.node if node.op_type == "Constant"}
    for node in model.graph.node:
        if node.op_type != "Resize" or node.output[0] not in resized:
            continue
        scales = numpy_helper.to_array(constants[node.input[2]]) if node.input[2] in constants else np.ones(1)
        rounding = "ceil" if (scales < 1).any() else "floor"
        for name, value in (("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", rounding)):
            node.attribute.append(helper.make_attribute(name, value))


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
    resolver = _Resolver(facts, taken_names(graph))
    for node in resolver.resolve(graph.node):
        if all(facts[name].constant is not None and name not in outputs for name in node.output if name):
            for name in filter(None, node.output):
                value = facts[name].constant
                assert value is not None
                graph.initializer.append(numpy_helper.from_array(value, name))
        else:
            kept.append(node)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in resolver.constants.items())
    for info in [info for info in graph.input if info.name not in inputs]:
        graph.input.remove(info)  # a default value for an input: a constant here
    prune(graph, kept, outputs)
    del graph.value_info[:]
    return CanonicalModel(model, facts)


class _Resolver:
    """Learns the facts of nodes in order, and puts simpler nodes in the place of those without a rule."""

    def __init__(self, facts: Facts, taken: set[str]) -> None:
        self.facts = facts
        self.constants: dict[str, AnyArray] = {}
        self._taken = taken
        self._guarded: set[str] = set()

    def resolve(self, nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
        """Yield nodes after learning their outputs, or what stands in their place.

        That is for an If with a known condition its branch, for a loop with a known number of rounds every round, for
        an operator without a rule what it can be written by.
        """
        nodes = list(nodes)
        self._guarded |= replaced_softmaxes(nodes)
        for node in nodes:
            for name in filter(None, node.input):
                if name not in self.facts:
                    raise ModelError(
                        f"node {node.name or node.output[0]!r} ({node.op_type}) reads {name!r}, which nothing makes"
                    )
            simpler = self._simpler(node)
            if simpler is not None:
                yield from simpler
            else:
                self.facts.infer(node)
                yield node

    def _simpler(self, node: NodeProto) -> Iterable[NodeProto] | None:
        """Return the resolved nodes that a node stands for, None for a node that stays."""
        if node.domain == "" and node.op_type == "If":
            condition = self.facts[node.input[0]].constant
            return None if condition is None else self.resolve(branch(node, bool(condition.reshape(-1)[0])))
        rounds = unrolled(node, self.facts, self.resolve)
        if rounds is not None:
            return rounds
        if node.op_type == "Softmax" and node.domain == "" and node.output[0] in self._guarded:
            return self._written(node, softmax_of_nothing)
        if answers(node, self.facts.opsets):
            return None
        if any(not self.facts[name].elem_type for name in node.input if name):
            return None  # behind an operator nobody knows, which is what the user has to hear about
        expansion = find_expansion(node.domain, node.op_type)
        expanded = None if expansion is None else self._written(node, expansion)
        if expanded is not None:
            return expanded
        body = body_of(node, self.facts)
        return None if body is None else self.resolve(body)

    def _written(self, node: NodeProto, expansion: Expansion) -> list[NodeProto] | None:
        """Return a node written by an expansion."""
        view = NodeView(node, version_of(node, self.facts.opsets), self.facts, frozenset(range(len(node.input))))
        emit = GraphWriter(self.facts, self._taken, choose_lowering("cpu"), f"{view.label}/")
        results = expansion(view, emit)
        if results is None:
            return None
        self.constants.update(emit.constants())
        return [*emit.nodes, *self.resolve(aliases(results, node.output))]
