"""SmoothGrad inside the graph: sums of gradients over samples that do not depend on how the samples are batched.

ONNX Runtime's ReduceSum over the leading axis adds rows in order. With the running sum put in front of a batch's
gradients as one more row, ((sum + g1) + g2) + ... is the same chain of additions for every split into batches.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.graphs import SMALL, check, inputs_of, prune
from consensus_onnx.gradients.model import SEED, WRT_KEY
from consensus_onnx.gradients.writer import PREFIX

SUM = f"{PREFIX}sum"
SQUARE_SUM = f"{PREFIX}square_sum"
SUM_OUT = f"{PREFIX}sum_out"
SQUARE_SUM_OUT = f"{PREFIX}square_sum_out"


def averaging_model(gradient: ModelProto) -> ModelProto:
    """Return a model that adds a batch's gradients, and their squares, to running sums.

    Parameters
    ----------
    gradient : ModelProto
        What `gradient_model` returned for a graph input of shape (B, ...).

    Returns
    -------
    ModelProto
        Inputs: the model's own, "grad/seed", and the sums so far "grad/sum" and "grad/square_sum" (1, ...). Outputs:
        "grad/sum_out" and "grad/square_sum_out" (1, ...), float32 whatever the model's type; the model's own outputs
        are dropped, and with them all that only they need. Start with zeros; feed each output back as the next input.

    Raises
    ------
    ModelError
        If `gradient` is no gradient model, or is one of an inner tensor.
    """
    model = ModelProto()
    model.CopyFrom(gradient)
    add_up_inside(model)
    return model


def add_up_inside(model: ModelProto) -> None:
    """Do what `averaging_model` does, to the gradient model itself: its weights are not held twice."""
    graph = model.graph
    wrt = next((entry.value for entry in model.metadata_props if entry.key == WRT_KEY), None)
    inputs = inputs_of(graph)
    if wrt is None or SEED not in inputs:
        raise ModelError(
            f"expected a model made by gradient_model, with input {SEED!r}; got inputs {', '.join(inputs)}"
        )
    if wrt not in inputs:
        raise ModelError(
            f"gradients are averaged for a graph input; this model differentiates by the inner tensor {wrt!r}"
        )
    shape = inputs[wrt].type.tensor_type.shape.dim
    row = [1, *(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in shape[1:])]
    result = f"{PREFIX}{wrt}"
    nodes = list(graph.node)
    single = result
    if inputs[wrt].type.tensor_type.elem_type != TensorProto.FLOAT:
        single = f"{PREFIX}float32"
        nodes.append(helper.make_node("Cast", [result], [single], to=TensorProto.FLOAT))
    squared = f"{PREFIX}squared"
    nodes.append(helper.make_node("Mul", [single, single], [squared]))
    axis = f"{PREFIX}leading_axis"
    graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.int64), axis))
    del graph.output[:]
    for rows, carried, total in ((single, SUM, SUM_OUT), (squared, SQUARE_SUM, SQUARE_SUM_OUT)):
        graph.input.append(helper.make_tensor_value_info(carried, TensorProto.FLOAT, row))
        graph.output.append(helper.make_tensor_value_info(total, TensorProto.FLOAT, row))
        nodes.append(helper.make_node("Concat", [carried, rows], [f"{carried}_rows"], axis=0))
        nodes.append(helper.make_node("ReduceSum", [f"{carried}_rows", axis], [total], keepdims=1))
    prune(graph, nodes, [SUM_OUT, SQUARE_SUM_OUT])
    check(model, largest=SMALL)
