"""Let a model that was exported for one picture take any number."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper


def with_symbolic_batch(model: ModelProto, name: str = "N") -> ModelProto:
    """Return a copy whose first input and output axis is symbolic.

    Constants that pin the batch inside are loosened where they plainly do: the first entry of a Reshape target, 1,
    becomes -1 (or 0, "as the input", where another entry is -1 already). Whether the result still computes the same
    is for the caller to prove on a probe.

    Parameters
    ----------
    model : ModelProto
        A model whose picture input has a fixed first axis.
    name : str
        What to call the axis.
    """
    loosened = ModelProto()
    loosened.CopyFrom(model)
    graph = loosened.graph
    del graph.value_info[:]
    stored = {tensor.name for tensor in graph.initializer}
    for value in [*(v for v in graph.input if v.name not in stored), *graph.output]:
        dims = value.type.tensor_type.shape.dim
        if dims:
            dims[0].dim_param = name
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    for node in graph.node:
        if node.op_type == "Reshape" and len(node.input) > 1 and node.input[1] in constants:
            _loosen(constants[node.input[1]])
    return loosened


def _loosen(target: onnx.TensorProto) -> None:
    shape = numpy_helper.to_array(target).copy()
    if shape.ndim == 1 and shape.size > 1 and shape[0] == 1:
        shape[0] = 0 if np.any(shape == -1) else -1
        target.CopyFrom(numpy_helper.from_array(shape, target.name))
