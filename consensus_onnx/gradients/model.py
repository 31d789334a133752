"""The door: an ONNX model in, the same model with its gradient out."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from typing import Literal, TypeAlias

import onnx
from onnx import ModelProto, TensorShapeProto, ValueInfoProto, helper, numpy_helper

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.canonical import CanonicalModel, canonicalise
from consensus_onnx.gradients.facts import INTEGERS, Dim
from consensus_onnx.gradients.folding import fold_into_products
from consensus_onnx.gradients.graphs import check, prune, seed_last
from consensus_onnx.gradients.head import find_head, the_output
from consensus_onnx.gradients.lowering import Lowering, choose_lowering
from consensus_onnx.gradients.steady import steady
from consensus_onnx.gradients.sweep import missing_rules, missing_rules_error, path, sweep
from consensus_onnx.gradients.writer import PREFIX, GraphWriter

Of: TypeAlias = Literal["output", "logits", "probabilities", "log-probabilities"]

SEED = f"{PREFIX}seed"
# What is added where a head is asked for that the model does not have: operator and name.
_ADDED_HEADS = {
    "probabilities": ("Softmax", f"{PREFIX}probabilities"),
    "log-probabilities": ("LogSoftmax", f"{PREFIX}log_probabilities"),
}
# Bytes of weights from which on only the structure of the result is checked: they came from a checked model, and to
# serialise 350 MB of them takes as long as the sweep.
_CHECKED_WHOLE = 2**24
# metadata_props of a gradient model: the tensor that is differentiated, and the one it is differentiated by
OF_KEY = "consensus_onnx.gradient.of"
WRT_KEY = "consensus_onnx.gradient.wrt"


def gradient_model(
    model: ModelProto | str | os.PathLike[str],
    *,
    output: str | None = None,
    wrt: str | None = None,
    of: Of = "output",
    lowering: str | Lowering = "cpu",
) -> ModelProto:
    """Return a model that also computes the gradient of an output with respect to an input.

    Parameters
    ----------
    model : ModelProto or path
        The model; it is not changed.
    output : str, optional
        The tensor to differentiate: a graph output or any inner tensor; by default the only output of floats.
    wrt : str, optional
        The tensor to differentiate by: a graph input or any inner tensor; by default the only input of floats.
    of : {"output", "logits", "probabilities", "log-probabilities"}
        "logits" differentiates what goes into the final Softmax or LogSoftmax, the others what comes out of one, which
        is added where the model does not end in it; "output" takes the output as it is.
    lowering : "cpu", "cuda" or Lowering
        Which operators to write, for the provider that will run them.

    Returns
    -------
    ModelProto
        The model's inputs and outputs, the input "grad/seed" (the shape of the differentiated tensor) and the output
        "grad/<wrt>" (the shape of `wrt`): the sum over the seed's entries of seed times d tensor / d wrt. A tensor
        that is differentiated and is not yet an output becomes one. Standard operators only.

    Raises
    ------
    UnsupportedOperatorError
        If operators between the two have no gradient rule; all of them are named.
    ModelError
        If the model is invalid, or the output does not depend on the input.
    ValueError
        If a name is unknown.

    Notes
    -----
    At kinks and ties the gradient is PyTorch's; each rule's docstring says what that is. Symbolic batches stay
    symbolic, and a sample's gradient has the same bits in a batch of any size.
    """
    canonical = canonicalise(model)
    tensor = _chosen_tensor(canonical, output, of)
    source = _chosen_input(canonical, wrt)
    graph, facts = canonical.model.graph, canonical.facts
    on_path, moved = path(graph.node, tensor, source, facts)
    missing = missing_rules(on_path, facts.opsets)
    if missing:
        raise missing_rules_error(missing, facts.opsets[""])
    if tensor not in moved or source not in moved:
        raise ModelError(f"{tensor!r} does not depend on {source!r} by any way that has a gradient")
    emit = GraphWriter(facts, _taken(canonical.model), choose_lowering(lowering))
    facts.add(SEED, facts[tensor])
    gradient = sweep(on_path, moved, tensor, source, SEED, emit)
    if gradient is None:
        raise ModelError(f"the gradient of {tensor!r} with respect to {source!r} is zero everywhere")
    result = f"{PREFIX}{source}"
    if any(gradient in node.output for node in emit.nodes):
        emit.rename(gradient, result)
    else:
        emit.nodes.append(helper.make_node("Identity", [gradient], [result]))
    _assemble(canonical, emit, tensor, source, result)
    return canonical.model


def unsupported_operators(
    model: ModelProto | str | os.PathLike[str],
    *,
    output: str | None = None,
    wrt: str | None = None,
    of: Of = "output",
) -> tuple[tuple[str, int, str], ...]:
    """Return (operator, schema version, node name) of every node that stops differentiation; empty if none does.

    Parameters are those of `gradient_model`. Operators of other domains come with it: "com.microsoft.Attention".
    """
    canonical = canonicalise(model)
    tensor, source = _chosen_tensor(canonical, output, of), _chosen_input(canonical, wrt)
    on_path, _ = path(canonical.model.graph.node, tensor, source, canonical.facts)
    return missing_rules(on_path, canonical.facts.opsets)


def _chosen_tensor(canonical: CanonicalModel, output: str | None, of: Of) -> str:
    """Return the tensor to differentiate, after adding a Softmax where probabilities are asked of logits."""
    graph = canonical.model.graph
    if output is not None and output not in {info.name for info in graph.output}:
        names = [info.name for info in graph.output]
        if of != "output":
            raise ValueError(f"output: expected one of {', '.join(names)}, got {output!r}")
        if output not in canonical.facts:
            raise ValueError(_unknown("output", output, names, canonical))
        return output
    if of == "output":
        return the_output(graph, output)
    if of != "logits" and of not in _ADDED_HEADS:
        raise ValueError(f"of: expected output, logits, {', '.join(_ADDED_HEADS)}, got {of!r}")
    head = find_head(canonical.model, output)
    if head.logits is None:
        raise ModelError(
            f"output {head.output!r} is neither logits nor their Softmax; differentiate it with of='output'"
        )
    if of == "logits":
        return head.logits
    present = head.probabilities if of == "probabilities" else head.log_probabilities
    if present is not None:
        return present
    op_type, name = _ADDED_HEADS[of]
    node = helper.make_node(op_type, [head.logits], [name], name=name, axis=_class_axis(canonical, head.logits))
    canonical.facts.infer(node)
    graph.node.append(node)
    return name


def _unknown(what: str, name: str, names: Sequence[str], canonical: CanonicalModel) -> str:
    """Return the error about a name that no tensor has, with those that come nearest."""
    near = difflib.get_close_matches(name, list(canonical.facts), n=3, cutoff=0.5)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    return f"{what}: expected one of {', '.join(names)} or an inner tensor (of the folded graph), got {name!r}{hint}"


def _class_axis(canonical: CanonicalModel, logits: str) -> int:
    """Return the axis of the classes: the second, or the only one."""
    shape = canonical.facts[logits].shape
    return 0 if shape is not None and len(shape) == 1 else 1


def _chosen_input(canonical: CanonicalModel, wrt: str | None) -> str:
    """Return the tensor to differentiate by."""
    inputs = canonical.inputs
    floats = [name for name, info in inputs.items() if info.type.tensor_type.elem_type not in INTEGERS]
    if wrt is None:
        if len(floats) != 1:
            raise ModelError(
                f"the model has {len(floats)} inputs of floats ({', '.join(floats) or 'none'}); name one by wrt"
            )
        return floats[0]
    if wrt not in canonical.facts:
        raise ValueError(_unknown("wrt", wrt, floats, canonical))
    return wrt


def _taken(model: ModelProto) -> set[str]:
    """Return every tensor and node name, those inside subgraphs too."""
    taken = {SEED}
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        taken.update(info.name for info in (*graph.input, *graph.output))
        taken.update(tensor.name for tensor in graph.initializer)
        for node in graph.node:
            taken.update((node.name, *node.output))
            graphs += [sub for attribute in node.attribute for sub in (attribute.g, *attribute.graphs)]
    return taken


def _assemble(canonical: CanonicalModel, emit: GraphWriter, tensor: str, source: str, result: str) -> None:
    """Add the backward part to the model, and check what came out."""
    model = canonical.model
    graph = model.graph
    graph.input.append(_value_info(canonical, SEED, tensor))
    if tensor not in {info.name for info in graph.output}:
        graph.output.append(_value_info(canonical, tensor, tensor))
    graph.output.append(_value_info(canonical, result, source))
    outputs = [info.name for info in graph.output]
    backward = fold_into_products(graph.node, seed_last(emit.nodes, SEED), outputs, emit)
    nodes = steady([*graph.node, *backward], emit)
    prune(graph, emit.lowering.arrange(nodes, emit), outputs)
    needed = {name for node in graph.node for name in node.input}
    graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in emit.constants().items() if name in needed
    )
    _declare_shapes(canonical, emit)
    for key, value in ((OF_KEY, tensor), (WRT_KEY, source)):
        model.metadata_props.add(key=key, value=value)
    try:
        check(model, largest=_CHECKED_WHOLE)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"the gradient model is not valid, which is a fault of this package: {error}") from error


def _declare_shapes(canonical: CanonicalModel, emit: GraphWriter) -> None:
    """Declare the shape of every tensor whose sizes are numbers or symbols of the inputs.

    ONNX Runtime's own inference loses a symbolic batch on the way back from the seed. Without it, it cannot tell that
    a gradient and its mask have one shape, and leaves its blocked layout for every product of the two: a fifth of the
    time of MobileNetV2's gradient goes into reordering.
    """
    graph = canonical.model.graph
    symbols = _symbols(canonical)
    known = {info.name for info in (*graph.input, *graph.output)}
    for node in graph.node:
        for name in node.output:
            if not name or name in known or name not in emit.facts:
                continue
            fact = emit.fact(name)
            if fact.shape is not None and all(isinstance(dim, int) or dim in symbols for dim in fact.shape):
                dims = [dim if isinstance(dim, int) else symbols[dim] for dim in fact.shape]
                graph.value_info.append(helper.make_tensor_value_info(name, fact.elem_type, dims))


def _value_info(canonical: CanonicalModel, name: str, like: str) -> ValueInfoProto:
    """Return a graph input or output with another tensor's type; sizes that vary keep their symbol."""
    fact = canonical.facts[like]
    for info in (*canonical.model.graph.input, *canonical.model.graph.output):
        if info.name == like and info.type.tensor_type.HasField("shape"):
            copy = ValueInfoProto(name=name)
            copy.type.CopyFrom(info.type)
            return copy
    if fact.shape is None:
        raise ModelError(f"the shape of {like!r} cannot be inferred, so {name!r} cannot be declared")
    symbols = _symbols(canonical)
    return helper.make_tensor_value_info(
        name, fact.elem_type, [dim if isinstance(dim, int) else symbols.get(dim) for dim in fact.shape]
    )


def _symbols(canonical: CanonicalModel) -> dict[Dim, str]:
    """Return the symbol of each probed size that an input has."""
    found: dict[Dim, str] = {}
    for name, info in canonical.inputs.items():
        for dim, declared in zip(canonical.facts[name].shape or (), info.type.tensor_type.shape.dim, strict=False):
            if isinstance(declared, TensorShapeProto.Dimension) and declared.dim_param and not isinstance(dim, int):
                found[dim] = declared.dim_param
    return found
