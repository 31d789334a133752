"""Small models in ONNX's textual form."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto

from consensus_onnx.runtime import RuntimeSettings, open_session


def model_of(text: str, opset: int = 17, **constants: np.ndarray) -> ModelProto:
    """Return the model of one graph, e.g. `g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }`."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in constants.items())
    return model


def run(model: ModelProto, *outputs: str, **feeds: np.ndarray) -> list[np.ndarray]:
    """Return outputs of a model; feeds named `seed` go to grad/seed."""
    given = {"grad/seed" if name == "seed" else name: value for name, value in feeds.items()}
    return open_session(model, RuntimeSettings(threads=1)).run(list(outputs) or None, given)


def ops(model: ModelProto) -> list[str]:
    """Return the operators of a model in order."""
    return [node.op_type for node in model.graph.node]
