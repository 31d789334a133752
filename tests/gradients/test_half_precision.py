"""Models of float16 and bfloat16: the same networks as in test_references.py with rounded weights."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnx.version_converter
import pytest
from onnx import AttributeProto, ModelProto, TensorProto, numpy_helper

from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.float64 import run_in_float64
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import RuntimeSettings, open_session

FOLDER = Path(__file__).parent.parent / "data" / "gradients"


def rounded(name: str, kind: int) -> ModelProto:
    """Return a network whose floats are all of another type."""
    model = onnx.version_converter.convert_version(onnx.load(FOLDER / f"{name}.onnx"), 22)  # Conv of bfloat16
    dtype = {TensorProto.FLOAT16: np.float16, TensorProto.BFLOAT16: ml_dtypes.bfloat16}[kind]
    for info in (*model.graph.input, *model.graph.output):
        if info.type.tensor_type.elem_type == TensorProto.FLOAT:
            info.type.tensor_type.elem_type = kind
    del model.graph.value_info[:]
    constants = [each.t for node in model.graph.node for each in node.attribute if each.type == AttributeProto.TENSOR]
    tensors = [*model.graph.initializer, *constants]
    for tensor in tensors:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(dtype), tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = kind
    return model


@pytest.mark.parametrize("name", ["plain", "residual", "mobile", "transformer", "convnext"])
def test_float16(name: str) -> None:
    stored = np.load(FOLDER / f"{name}.npz")
    gradient = gradient_model(rounded(name, TensorProto.FLOAT16))
    feeds = {"input": stored["input"].astype(np.float16), SEED: stored["weights"].astype(np.float16)}
    session = open_session(gradient, RuntimeSettings(threads=1))
    (got,) = session.run(["grad/input"], feeds)
    assert got.dtype == np.float16
    error = np.linalg.norm(got.astype(np.float64) - stored["gradient"]) / np.linalg.norm(stored["gradient"])
    assert error < 0.05  # eleven bits; a unit that rounding moves across a kink counts whole


@pytest.mark.parametrize("name", ["plain", "transformer"])
def test_bfloat16(name: str) -> None:
    """ONNX Runtime has no bfloat16 kernels on a CPU; the graph is run in float64 with the rounded weights."""
    stored = np.load(FOLDER / f"{name}.npz")
    gradient = gradient_model(rounded(name, TensorProto.BFLOAT16))
    assert {info.type.tensor_type.elem_type for info in gradient.graph.input} == {TensorProto.BFLOAT16}
    feeds = {"input": stored["input"], SEED: stored["weights"]}
    got = run_in_float64(gradient)(feeds)["grad/input"]
    error = np.linalg.norm(got - stored["gradient"]) / np.linalg.norm(stored["gradient"])
    assert error < 0.2  # eight bits
