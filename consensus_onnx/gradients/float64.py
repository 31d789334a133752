"""Any model run in float64, by ONNX's reference evaluator: slow, exact, and independent of ONNX Runtime."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from consensus_onnx.arrays import AnyArray
from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.canonical import expand_operators
from consensus_onnx.gradients.wide_operators import wide_operators

_NARROW = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16})
# The evaluator computes these in float32 whatever it is given; the bodies their schemas define do not.
_NARROWING = (("", "LayerNormalization"), ("", "RMSNormalization"), ("", "Gelu"))


def run_in_float64(model: ModelProto) -> Callable[[Mapping[str, AnyArray]], dict[str, AnyArray]]:
    """Return a model as a function from its inputs to its outputs, every float64 inside.

    Parameters
    ----------
    model : ModelProto
        The model; it is not changed. Float inputs may be given in any precision.

    Returns
    -------
    callable
        From feeds by name to outputs by name.

    Raises
    ------
    ModelError
        If the reference evaluator lacks one of the operators.
    """
    from onnx.reference import ReferenceEvaluator

    outputs = [info.name for info in model.graph.output]
    if any((node.domain, node.op_type) in _NARROWING for node in model.graph.node):
        model = expand_operators(model, _NARROWING)
    wide = ModelProto()
    wide.CopyFrom(model)
    del wide.graph.value_info[:]
    _widen(wide.graph)
    try:
        evaluator = ReferenceEvaluator(wide, new_ops=list(wide_operators()))
    except Exception as error:  # NotImplementedError and RuntimeContextError among others
        raise ModelError(
            f"ONNX's reference evaluator cannot run this model: {str(error).splitlines()[0][:200]}"
        ) from error

    def run(feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        given = {name: value.astype(np.float64) if value.dtype.kind in "fV" else value for name, value in feeds.items()}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return dict(zip(outputs, evaluator.run(outputs, given), strict=True))

    return run


def _widen(graph: GraphProto) -> None:
    """Make every float float64: inputs, initialisers, constants, and what casts cast to."""
    for info in (*graph.input, *graph.output):
        if info.type.tensor_type.elem_type in _NARROW:
            info.type.tensor_type.elem_type = TensorProto.DOUBLE
    tensors = [*graph.initializer]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i in _NARROW:
                attribute.i = TensorProto.DOUBLE
            elif attribute.type == onnx.AttributeProto.TENSOR:
                tensors.append(attribute.t)
            elif attribute.name in ("value_float", "value_floats"):
                values = helper.get_attribute_value(attribute)
                attribute.CopyFrom(
                    helper.make_attribute("value", numpy_helper.from_array(np.asarray(values, np.float64)))
                )
    for tensor in tensors:
        if tensor.data_type in _NARROW:
            wide = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
