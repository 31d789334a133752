"""A model that knows nothing: the same graph, its weights shuffled.

Explanations that a model without knowledge shares with the trained one are not about what was learned (Adebayo et al.
2018, "Sanity checks for saliency maps"): its consensus score is the floor under everybody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from consensus_onnx.errors import ModelError

_WEIGHTS = frozenset(
    {
        TensorProto.FLOAT,
        TensorProto.FLOAT16,
        TensorProto.BFLOAT16,
        TensorProto.DOUBLE,
        TensorProto.INT8,
        TensorProto.UINT8,
    }
)


@dataclass(frozen=True)
class Randomised:
    """A model with shuffled weights, how many tensors were shuffled, and how many numbers those hold."""

    model: ModelProto
    tensors: int
    weights: int


def randomise(model: ModelProto, seed: int = 0) -> Randomised:
    """Shuffle every weight tensor of two or more axes within itself.

    Each keeps its own distribution, so activations stay in range; biases, scales of normalisations and shapes stay as
    they are. Quantised weights are shuffled as the integers they are.

    Parameters
    ----------
    model : ModelProto
        Not changed. Weights are its initialisers and constants.
    seed : int
        Of the order; each tensor's own is derived from it and the tensor's place in the file.

    Returns
    -------
    Randomised
        The same seed gives the same bytes on any machine.

    Raises
    ------
    ModelError
        If the model has no weights to shuffle.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    shuffled = [tensor for tensor in _constants(copy) if len(tensor.dims) > 1 and tensor.data_type in _WEIGHTS]
    weights = 0
    for place, tensor in enumerate(shuffled):
        values = numpy_helper.to_array(tensor)
        order = _order(values.size, seed, place)
        tensor.CopyFrom(numpy_helper.from_array(values.reshape(-1)[order].reshape(values.shape), tensor.name))
        weights += values.size
    if not weights:
        raise ModelError("it has no weight tensors of two or more axes; there is nothing to shuffle")
    return Randomised(copy, len(shuffled), weights)


def _order(size: int, seed: int, place: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return a permutation from raw counter-based numbers, which no version of NumPy changes."""
    words = np.random.Philox(key=np.array([seed, place], np.uint64)).random_raw(size)
    return np.argsort(words, kind="stable")


def _constants(model: ModelProto) -> Iterator[TensorProto]:
    """Yield the main graph's initialisers and constants."""
    yield from model.graph.initializer
    for node in model.graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    yield attribute.t
