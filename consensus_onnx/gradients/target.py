"""A gradient of one class, chosen when the graph is written: no seed to feed."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, helper, numpy_helper

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.graphs import check, inputs_of, prune
from consensus_onnx.gradients.model import OF_KEY, SEED
from consensus_onnx.gradients.writer import PREFIX

TARGET_KEY = "consensus_onnx.gradient.target"


def fix_target(gradient: ModelProto, target: int) -> ModelProto:
    """Return a gradient model whose seed is the one-hot row of one class.

    Parameters
    ----------
    gradient : ModelProto
        What `gradient_model` returned.
    target : int
        Entry of the differentiated tensor's second axis (its only axis where it has one): the class of logits
        (B, L), the channel of an inner tensor (B, C, H, W), whose entries are then summed.

    Returns
    -------
    ModelProto
        The same model without the input "grad/seed": "grad/<wrt>" is the gradient of that class for every sample, bit
        for bit what a one-hot seed gives.

    Raises
    ------
    ModelError
        If `gradient` is no gradient model, or has a fixed target already.
    ValueError
        If the tensor has no such entry.
    """
    model = ModelProto()
    model.CopyFrom(gradient)
    graph = model.graph
    tensor = next((entry.value for entry in model.metadata_props if entry.key == OF_KEY), None)
    seed = inputs_of(graph).get(SEED)
    if tensor is None or seed is None:
        raise ModelError(
            f"expected a model made by gradient_model, with input {SEED!r}; got {', '.join(inputs_of(graph))}"
        )
    kind = seed.type.tensor_type
    sizes = [dim.dim_value for dim in kind.shape.dim]
    if not sizes:
        raise ValueError(f"target: {tensor!r} is a single number and has no classes to choose from")
    axis = min(1, len(sizes) - 1)
    if not sizes[axis]:
        raise ValueError(f"target: the number of classes of {tensor!r} is not fixed, feed {SEED!r} instead")
    if not 0 <= target < sizes[axis]:
        raise ValueError(f"target: expected 0 to {sizes[axis] - 1}, entries of axis {axis} of {tensor!r}, got {target}")
    row = np.zeros([size if at == axis else 1 for at, size in enumerate(sizes)])
    row.reshape(-1)[target] = 1
    single = row.astype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
    graph.initializer.append(numpy_helper.from_array(single, f"{PREFIX}one_hot"))
    shape = helper.make_node("Shape", [tensor], [f"{PREFIX}seed_shape"])
    expand = helper.make_node("Expand", [f"{PREFIX}one_hot", shape.output[0]], [SEED], name=SEED)
    graph.input.remove(next(info for info in graph.input if info.name == SEED))
    nodes = list(graph.node)
    made = next((at for at, node in enumerate(nodes, 1) if tensor in node.output), 0)
    prune(graph, [*nodes[:made], shape, expand, *nodes[made:]], [info.name for info in graph.output])
    model.metadata_props.add(key=TARGET_KEY, value=str(target))
    check(model)
    return model
