"""Any model run in float64, by ONNX's reference evaluator: slow, exact, and independent of ONNX Runtime.

Every node is a model of its own to the evaluator, which keeps all it computes until its run ends; here a tensor goes
after its last use, and weights are never in a second protobuf message.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from consensus_onnx.arrays import AnyArray
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.canonical import expand_operators, inline
from consensus_onnx.gradients.graphs import opsets_of, reads
from consensus_onnx.gradients.wide_operators import wide_operators

if TYPE_CHECKING:
    from onnx.reference import ReferenceEvaluator

_NARROW = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16})
# The evaluator computes these in float32 whatever it is given; the bodies their schemas define do not.
_NARROWING = (("", "LayerNormalization"), ("", "RMSNormalization"), ("", "Gelu"))


@dataclass(frozen=True)
class _Step:
    """One node: what computes it, what it reads and makes, and what nobody reads after it."""

    evaluator: ReferenceEvaluator
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    last: tuple[str, ...]


def run_in_float64(model: ModelProto) -> Callable[[Mapping[str, AnyArray]], dict[str, AnyArray]]:
    """Return a model as a function from its inputs to its outputs, every float64 inside.

    Parameters
    ----------
    model : ModelProto
        The model; it is not changed, nor read once this has returned. Float inputs may be given in any precision.

    Returns
    -------
    callable
        From feeds by name to outputs by name.

    Raises
    ------
    ModelError
        If the reference evaluator lacks one of the operators.
    """
    outputs = [info.name for info in model.graph.output]
    model = inline(model)
    if any((node.domain, node.op_type) in _NARROWING for node in model.graph.node):
        model = expand_operators(model, _NARROWING)
    weights = {tensor.name: _wide(tensor) for tensor in model.graph.initializer}
    steps = _steps(model, {*outputs, *weights})

    def run(feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        values = dict(weights)
        for name, value in feeds.items():
            values[name] = value.astype(np.float64) if value.dtype.kind in "fV" else value
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for step in steps:
                given = {name: values[name] for name in step.reads if name in values}
                values.update(zip(step.makes, step.evaluator.run(list(step.makes), given), strict=True))
                for name in step.last:
                    values.pop(name, None)
        return {name: values[name] for name in outputs}

    return run


def _steps(model: ModelProto, kept: Iterable[str]) -> Sequence[_Step]:
    """Return a model's nodes in order, each with an evaluator of its own; tensors of `kept` are never dropped."""
    from onnx.reference import ReferenceEvaluator

    opsets, operators = opsets_of(model), list(wide_operators())
    seen, steps = set(kept), []
    for node in reversed(model.graph.node):
        read, makes = reads(node), tuple(filter(None, node.output))
        try:
            evaluator = ReferenceEvaluator(_alone(node), opsets=opsets, new_ops=operators)
        except Exception as error:  # NotImplementedError and RuntimeContextError among others
            raise ModelError(
                f"ONNX's reference evaluator cannot run this model: {str(error).splitlines()[0][:200]}"
            ) from error
        steps.append(_Step(evaluator, tuple(read), makes, tuple({*read, *makes} - seen)))
        seen |= read
    return steps[::-1]


def _alone(node: NodeProto) -> GraphProto:
    """Return a graph of one node, all float64."""
    graph = GraphProto(name=node.name)
    wide = graph.node.add()
    wide.CopyFrom(node)
    for attribute in wide.attribute:
        if attribute.name == "to" and attribute.i in _NARROW:
            attribute.i = TensorProto.DOUBLE
        elif attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type in _NARROW:
            attribute.t.CopyFrom(numpy_helper.from_array(_wide(attribute.t), attribute.t.name))
        elif attribute.name in ("value_float", "value_floats"):
            values = helper.get_attribute_value(attribute)
            attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(np.asarray(values, np.float64))))
    # Types of inputs are left for the evaluator to see when it runs; it asks for them there if any name has one.
    graph.output.extend(helper.make_empty_tensor_value_info(name) for name in node.output if name)
    return graph


def _wide(tensor: TensorProto) -> AnyArray:
    """Return a tensor's value, floats in float64."""
    value = numpy_helper.to_array(tensor)
    return value.astype(np.float64) if tensor.data_type in _NARROW else value
