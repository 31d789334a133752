"""Two small classifiers of `shapes`, built from code in a second: frozen random convolutions, a fitted last layer.

They stand in for a committee of trained networks wherever a complete, real audit must run without any download.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from consensus_onnx.config import yaml_text
from consensus_onnx.runtime import open_session
from consensus_onnx_zoo.shapes import SHAPES, draw_scene

Array = npt.NDArray[np.float32]

SIDE = 64
_TRAINING = 1200  # scenes the last layer is fitted to; seeds 0.. of `draw_scene`, test scenes begin at 10 000
_HELD_OUT = range(20_000, 20_300)
_RIDGE = 30.0
_SHARPNESS = 8.0  # factor on the fitted scores, so that probabilities are neither flat nor saturated
_NORMALISATION = {"scale": 1.0, "mean": [127.5, 127.5, 127.5], "std": [63.75, 63.75, 63.75]}

# Convolutions of each member: (kernel, filters, stride, groups), each followed by a Relu.
_MEMBERS = {
    "plain": ((5, 24, 2, 1), (3, 48, 2, 1)),
    "depthwise": ((3, 24, 2, 1), (5, 24, 1, 24), (1, 48, 2, 1)),
}


def build_committee(folder: Path) -> Path:
    """Write both members and their committee.yaml into a folder.

    Returns
    -------
    Path
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scenes = [draw_scene(seed) for seed in range(_TRAINING)]
    held_out = [draw_scene(seed) for seed in _HELD_OUT]
    pictures, labels = _batch([scene.picture for scene in scenes]), np.array([scene.label for scene in scenes])
    members = []
    for index, (name, layers) in enumerate(_MEMBERS.items()):
        body = _features(np.random.default_rng(index), layers)
        width, readout = _fitted(body, pictures, labels)
        model = _classifier(body, width, readout)
        onnx.save(model, folder / f"{name}.onnx")
        answers = open_session(model).run(None, {"input": _batch([scene.picture for scene in held_out])})[0]
        right = answers.argmax(axis=1) == [scene.label for scene in held_out]
        members.append({"file": f"{name}.onnx", "family": name, "accuracy": round(float(right.mean()), 4)})
    declared = {
        "name": "miniature",
        "classes": len(SHAPES),
        "defaults": {
            "input": {"layout": "NCHW", "size": [SIDE, SIDE], "color": "RGB"},
            "preprocess": _NORMALISATION,
            "output": {"kind": "logits", "class_offset": 0},
        },
        "members": members,
    }
    (folder / "committee.yaml").write_text(yaml_text(declared), encoding="utf-8")
    return folder


def _batch(pictures: list[npt.NDArray[np.uint8]]) -> Array:
    stacked = np.stack(pictures).astype(np.float32).transpose(0, 3, 1, 2)
    return np.ascontiguousarray((stacked - 127.5) / 63.75, dtype=np.float32)


def _features(rng: np.random.Generator, layers: tuple[tuple[int, int, int, int], ...]) -> onnx.GraphProto:
    """Return a graph from 'input' to 'features' (N, F): random convolutions, averaged over an 8 x 8 grid."""
    nodes, weights, value, channels = [], [], "input", 3
    for index, (kernel, filters, stride, groups) in enumerate(layers):
        shape = (filters, channels // groups, kernel, kernel)
        bank = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        weights.append(numpy_helper.from_array(bank.astype(np.float32), f"weight{index}"))
        pad = kernel // 2
        nodes.append(
            helper.make_node(
                "Conv",
                [value, f"weight{index}"],
                [f"conv{index}"],
                kernel_shape=[kernel] * 2,
                strides=[stride] * 2,
                group=groups,
                pads=[pad] * 4,
            )
        )
        nodes.append(helper.make_node("Relu", [f"conv{index}"], [f"relu{index}"]))
        value, channels = f"relu{index}", filters
    nodes.append(helper.make_node("AveragePool", [value], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["features"]))
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])]
    outputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", None])]
    return helper.make_graph(nodes, "miniature", inputs, outputs, weights)


def _fitted(body: onnx.GraphProto, pictures: Array, labels: npt.NDArray[np.int64]) -> tuple[int, Array]:
    """Fit one ridge regression per class to the features; return their number and the (F + 1, L) readout."""
    features = open_session(_model(body)).run(None, {"input": pictures})[0].astype(np.float64)
    centre = features.mean(axis=0)
    centred = features - centre
    wanted = np.eye(len(SHAPES))[labels] - 1 / len(SHAPES)
    kernel = centred @ centred.T
    kernel[np.diag_indices_from(kernel)] += _RIDGE
    weight = _SHARPNESS * centred.T @ np.linalg.solve(kernel, wanted)
    return features.shape[1], np.vstack([weight, -centre @ weight]).astype(np.float32)


def _classifier(body: onnx.GraphProto, width: int, readout: Array) -> onnx.ModelProto:
    graph = onnx.GraphProto()
    graph.CopyFrom(body)
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(readout[:width]), "readout"))
    graph.initializer.append(numpy_helper.from_array(readout[width], "offset"))
    graph.node.append(helper.make_node("Gemm", ["features", "readout", "offset"], ["logits"]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(SHAPES)]))
    return _model(graph)


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model
