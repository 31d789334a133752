"""Where a classifier's logits and probabilities are."""

from __future__ import annotations

import os
from dataclasses import dataclass

import onnx
from onnx import ModelProto, NodeProto

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.facts import INTEGERS

# Operators that may stand between a Softmax and the output without changing which numbers come out.
_TRANSPARENT = frozenset({"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout"})


@dataclass(frozen=True)
class Head:
    """The tensors before and after a classifier's final Softmax.

    Parameters
    ----------
    output : str
        The graph output the head was found at.
    logits : str or None
        What goes into the final Softmax or LogSoftmax, or the output itself where there is none; None if
        probabilities come from something else (Sigmoid).
    probabilities : str or None
        The graph output where a final Softmax makes it one of probabilities, else None.
    axis : int
        The class axis of the logits.
    log_probabilities : str or None
        The graph output where a final LogSoftmax makes it one of log-probabilities, else None.
    """

    output: str
    logits: str | None
    probabilities: str | None
    axis: int = -1
    log_probabilities: str | None = None


def find_head(model: ModelProto | str | os.PathLike[str], output: str | None = None) -> Head:
    """Find a classifier's final Softmax or LogSoftmax.

    Parameters
    ----------
    model : ModelProto or path
        The classifier.
    output : str, optional
        The graph output to start from; by default the only one of floats.

    Returns
    -------
    Head
        The tensor names before and after it. An output that no Softmax precedes is taken for logits.

    Raises
    ------
    ModelError
        If several outputs could be meant.
    ValueError
        If `output` is none of the model's outputs.
    """
    graph = (model if isinstance(model, ModelProto) else onnx.load(os.fspath(model), load_external_data=False)).graph
    name: str = the_output(graph, output)
    makers = {made: node for node in graph.node for made in node.output}
    node = makers.get(name)
    while node is not None and node.domain in ("", "ai.onnx") and node.op_type in _TRANSPARENT:
        node = makers.get(node.input[0])
    if node is None or node.domain not in ("", "ai.onnx"):
        return Head(name, name, None)
    if node.op_type == "Softmax":
        return Head(name, str(node.input[0]), name, _axis(node))
    if node.op_type == "LogSoftmax":
        return Head(name, str(node.input[0]), None, _axis(node), name)
    if node.op_type == "Sigmoid":
        return Head(name, None, None)
    return Head(name, name, None)


def the_output(graph: onnx.GraphProto, output: str | None) -> str:
    """Return the named output, or the only one of floats."""
    names = [info.name for info in graph.output]
    if output is not None:
        if output not in names:
            raise ValueError(f"output: expected one of {', '.join(names)}, got {output!r}")
        return output
    floats = [info.name for info in graph.output if info.type.tensor_type.elem_type not in INTEGERS]
    if len(floats) != 1:
        raise ModelError(f"the model has {len(floats)} outputs of floats ({', '.join(floats) or 'none'}); name one")
    return str(floats[0])


def _axis(node: NodeProto) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "axis"), -1)
