"""Values that are known before the model runs: one node evaluated on constant inputs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper
from onnx.defs import OpSchema

from consensus_onnx.arrays import AnyArray
from consensus_onnx.errors import ModelError

_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)

# Operators whose earlier versions, which mean the same, the reference evaluator lacks.
_IMPLEMENTED_FROM = {"DequantizeLinear": 19, "QuantizeLinear": 19}


def schema_of(node: NodeProto, opsets: Mapping[str, int]) -> OpSchema | None:
    """Return the schema a node means under the given opset imports, None for operators ONNX does not define."""
    try:
        return onnx.defs.get_schema(node.op_type, opsets.get(node.domain, 1), node.domain)
    except onnx.defs.SchemaError:
        return None


def can_evaluate(node: NodeProto) -> bool:
    """Say whether a node's outputs follow from its inputs alone, by standard operators, without a subgraph."""
    subgraph = any(
        attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for attribute in node.attribute
    )
    return node.domain == "" and node.op_type not in _RANDOM and not subgraph


def evaluate(node: NodeProto, opsets: Mapping[str, int], inputs: Mapping[str, AnyArray]) -> list[AnyArray]:
    """Compute a node's outputs with ONNX's reference evaluator (float arithmetic in the model's own type).

    Raises
    ------
    ModelError
        If the node cannot be computed on these values.
    """
    if node.op_type == "Constant":
        return [_constant(node)]
    if node.op_type == "Transpose":  # weights, mostly: a view instead of a detour through protobuf (0.5 ms)
        order = next((tuple(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), None)
        return [np.ascontiguousarray(np.transpose(inputs[node.input[0]], order))]
    from onnx.reference import ReferenceEvaluator  # 0.2 s to import; needed only where something folds

    graph = helper.make_graph(
        [node],
        "fold",
        [helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(node.input) if name],
        [helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    lowest = _IMPLEMENTED_FROM.get(node.op_type, 1)
    imports = [helper.make_opsetid("", max(version, lowest)) for domain, version in opsets.items() if domain == ""]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(helper.make_model(graph, opset_imports=imports)).run(None, dict(inputs))
    except Exception as error:  # the evaluator raises whatever NumPy does
        raise ModelError(
            f"node {node.name or node.output[0]!r} ({node.op_type}) cannot be computed: {error}"
        ) from error
    found = iter(results)
    return [np.asarray(next(found)) if name else np.empty(0, np.float32) for name in node.output]


def _constant(node: NodeProto) -> AnyArray:
    """Return the array of a Constant node, whichever attribute holds it."""
    attribute = node.attribute[0]
    value = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return numpy_helper.to_array(value)
    if attribute.name in ("value_float", "value_floats"):
        return np.asarray(value, np.float32)
    if attribute.name in ("value_int", "value_ints"):
        return np.asarray(value, np.int64)
    raise ModelError(f"node {node.name or node.output[0]!r}: a Constant of {attribute.name} is not a tensor of numbers")
