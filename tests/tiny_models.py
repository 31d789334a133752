"""Tiny ONNX classifiers built from code, for every room's tests: seeded, a few kilobytes, milliseconds to run.

`TinyNet` is a small convolutional net in every form a committee meets: twins of one seed compute the same function of
the canvas, whatever their layout, channel order, fixed batch or head. The functions below it make single oddities.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

import consensus_onnx as co

OPSET = 17
CHANNELS = 6  # of the hidden layers
# What `open_net` declares: nothing a convention would guess, and different for every channel (in RGB order).
SCALE, MEAN, STD = 0.004, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


@dataclass(frozen=True)
class TinyNet:
    """Conv, Relu, Conv, Relu, then a linear head, twice halving the size.

    Parameters
    ----------
    size : (int, int) or None
        Input height and width; None leaves them open, with a global average before the head.
    classes : int
        Classes, without the background.
    layout, color, kind : str
        As in committee.yaml. A BGR net is its RGB twin with permuted weights.
    batch : int or str
        Fixed number of pictures, or the name of a symbolic axis. A fixed one also pins the Reshape before the head.
    dtype : str
        float32 or float16.
    background : bool
        One more output in front of the classes.
    sharpness : float
        Scale of the logits: how sure of itself the net is.
    seed : int
        Of the weights.
    """

    size: tuple[int, int] | None = (16, 16)
    classes: int = 5
    layout: str = "NCHW"
    color: str = "RGB"
    kind: str = "logits"
    batch: int | str = "N"
    dtype: str = "float32"
    background: bool = False
    sharpness: float = 2.0
    seed: int = 0

    @property
    def channels(self) -> int:
        return 1 if self.color == "GRAY" else 3

    @property
    def mean(self) -> tuple[float, ...]:
        return _in_order(MEAN, self.color)

    @property
    def std(self) -> tuple[float, ...]:
        return _in_order(STD, self.color)

    def declaration(self) -> str:
        """Return the `defaults` of a committee.yaml that leave nothing about the net's input open."""
        size = f"size: [{self.size[0]}, {self.size[1]}], " if self.size else "size: [16, 16], "
        preprocess = f"scale: {SCALE}, mean: {list(self.mean)}, std: {list(self.std)}"
        return (
            f"defaults:\n  input: {{{size}layout: {self.layout}, color: {self.color}}}\n"
            f"  preprocess: {{{preprocess}}}\n"
        )

    def weights(self) -> dict[str, np.ndarray]:
        """Return the net's weights as float64; the first axis of `head` is the class."""
        random = np.random.default_rng(self.seed)
        first = random.normal(0, 0.4, (CHANNELS, 3, 3, 3))
        second = random.normal(0, 0.25, (CHANNELS, CHANNELS, 3, 3))
        biases = random.normal(0, 0.2, (2, CHANNELS))
        features = CHANNELS
        if self.size is not None:
            features *= _halved(_halved(self.size[0])) * _halved(_halved(self.size[1]))
        head = random.normal(0, self.sharpness / np.sqrt(features), (self.classes, features))
        head_bias = random.normal(0, 0.1, self.classes)
        if self.background:
            head = np.concatenate([random.normal(0, self.sharpness / np.sqrt(features), (1, features)), head])
            head_bias = np.concatenate([[0.05], head_bias])
        if self.color == "BGR":
            first = first[:, ::-1]
        if self.color == "GRAY":
            first = first.sum(axis=1, keepdims=True)
        return {
            "first": first,
            "first_bias": biases[0],
            "second": second,
            "second_bias": biases[1],
            "head": head,
            "head_bias": head_bias,
        }

    def model(self) -> ModelProto:
        height, width = self.size or ("H", "W")
        shape = (self.channels, height, width) if self.layout == "NCHW" else (height, width, self.channels)
        outputs = self.classes + self.background
        strided = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
        nodes = []
        planar = "input"
        if self.layout == "NHWC":
            nodes.append(helper.make_node("Transpose", ["input"], ["planar"], perm=[0, 3, 1, 2]))
            planar = "planar"
        nodes += [
            helper.make_node("Conv", [planar, "first", "first_bias"], ["conv1"], **strided),
            helper.make_node("Relu", ["conv1"], ["relu1"]),
            helper.make_node("Conv", ["relu1", "second", "second_bias"], ["conv2"], **strided),
            helper.make_node("Relu", ["conv2"], ["relu2"]),
        ]
        pooled = "relu2"
        if self.size is None:
            nodes.append(helper.make_node("GlobalAveragePool", ["relu2"], ["pooled"]))
            pooled = "pooled"
        logits = "output" if self.kind == "logits" else "logits"
        nodes += [
            helper.make_node("Reshape", [pooled, "flat_shape"], ["flat"]),
            helper.make_node("Gemm", ["flat", "head", "head_bias"], [logits], transB=1),
        ]
        if self.kind == "probabilities":
            nodes.append(helper.make_node("Softmax", ["logits"], ["output"], axis=1))
        weights = {name: value.astype(self.dtype) for name, value in self.weights().items()}
        features = weights["head"].shape[1]
        rows = self.batch if isinstance(self.batch, int) else -1
        weights["flat_shape"] = np.array([rows, features], np.int64)
        return build(nodes, {"input": (self.batch, *shape)}, {"output": (self.batch, outputs)}, weights, self.dtype)


def build(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, Sequence[Any]],
    outputs: Mapping[str, Sequence[Any]],
    constants: Mapping[str, np.ndarray] | None = None,
    dtype: str = "float32",
    metadata: Mapping[str, str] | None = None,
) -> ModelProto:
    """Return a checked model; int64 is the type of the constants that are int64, `dtype` that of all the rest."""
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info(name, element, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, element, list(shape)) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in (constants or {}).items()],
    )
    domains = sorted({node.domain for node in nodes if node.domain})
    opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    return model


def linear_classifier(size: int = 8, classes: int = 4, kind: str = "logits", seed: int = 0) -> ModelProto:
    """Return Flatten and Gemm with weights `linear_weights`: its gradient is one row of them, everywhere."""
    weights = linear_weights(size, classes, seed)
    logits = "output" if kind == "logits" else "logits"
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], [logits], transB=1),
    ]
    if kind == "probabilities":
        nodes.append(helper.make_node("Softmax", ["logits"], ["output"], axis=1))
    return build(
        nodes,
        {"input": ("N", 3, size, size)},
        {"output": ("N", classes)},
        {"weights": weights.reshape(classes, -1)},
    )


def linear_weights(size: int = 8, classes: int = 4, seed: int = 0) -> np.ndarray:
    """Return the weights of `linear_classifier`, float32 (classes, 3, size, size)."""
    return np.random.default_rng(seed).normal(0, 0.1, (classes, 3, size, size)).astype(np.float32)


def colour_classifier(
    colours: np.ndarray,
    *,
    size: int = 8,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    scale: float = 1.0,
    background: bool = False,
) -> ModelProto:
    """Return a net that is right by construction: the class is the colour (L, 3) nearest to the picture's mean.

    It expects input values (x * scale - mean) / std with `colours` and x in 0..255, in the channel order of `colours`.
    """
    values = (np.asarray(colours, np.float64) * scale - np.asarray(mean)) / np.asarray(std)
    # -|v - c|^2 = 2 c.v - |c|^2 - |v|^2, and the last is the same for all classes; distances in units of 0..255
    per_unit = (np.asarray(std) / scale) ** 2
    weights = 2 * values * per_unit
    biases = -(values**2 * per_unit).sum(axis=1)
    if background:
        weights = np.concatenate([np.zeros((1, 3)), weights])
        biases = np.concatenate([[2 * biases.min() - 1e6], biases])
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "biases"], ["output"], transB=1),
    ]
    constants = {"weights": weights.astype(np.float32), "biases": biases.astype(np.float32)}
    return build(nodes, {"input": ("N", 3, size, size)}, {"output": ("N", len(weights))}, constants)


def unsupported_operator(size: int = 8, classes: int = 4) -> ModelProto:
    """Return a classifier with a Det between picture and classes: it runs, and has no gradient rule."""
    half = size // 2
    nodes = [
        helper.make_node("AveragePool", ["input"], ["pooled"], kernel_shape=[half, half], strides=[half, half]),
        helper.make_node("Det", ["pooled"], ["determinants"], name="the_determinant"),
        helper.make_node("Gemm", ["determinants", "weights"], ["output"], transB=1),
    ]
    constants = {"weights": np.random.default_rng(0).normal(0, 1, (classes, 3)).astype(np.float32)}
    return build(nodes, {"input": ("N", 3, size, size)}, {"output": ("N", classes)}, constants)


def batch_mixer(size: int = 8, classes: int = 4) -> ModelProto:
    """Return a net of fixed batch 1 that runs with more, but then lets pictures influence each other."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("ReduceMax", ["pooled"], ["highest"], axes=[0], keepdims=1),
        helper.make_node("Add", ["pooled", "highest"], ["mixed"]),
        helper.make_node("Flatten", ["mixed"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["output"], transB=1),
    ]
    constants = {"weights": np.random.default_rng(0).normal(0, 1, (classes, 3)).astype(np.float32)}
    return build(nodes, {"input": (1, 3, size, size)}, {"output": (1, classes)}, constants)


def batch_breaker(size: int = 8, classes: int = 4) -> ModelProto:
    """Return a net of fixed batch 1 that cannot run with more: it glues its features to one constant row."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Concat", ["flat", "token"], ["glued"], axis=1),
        helper.make_node("Gemm", ["glued", "weights"], ["output"], transB=1),
    ]
    random = np.random.default_rng(0)
    constants = {
        "token": np.ones((1, 1), np.float32),
        "weights": random.normal(0, 1, (classes, 4)).astype(np.float32),
    }
    return build(nodes, {"input": (1, 3, size, size)}, {"output": (1, classes)}, constants)


def attention_net(size: int = 16, classes: int = 5, seed: int = 0) -> ModelProto:
    """Return a one-head transformer on 4 x 4 patches: MatMuls of two computed operands, as ViTs have them."""
    random = np.random.default_rng(seed)
    width, tokens = 8, (size // 4) ** 2

    def draw(*shape: int) -> np.ndarray:
        return random.normal(0, 1 / np.sqrt(shape[0]), shape).astype(np.float32)

    nodes = [
        helper.make_node("Conv", ["input", "patches"], ["embedded"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Reshape", ["embedded", "token_shape"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["tokens"], perm=[0, 2, 1]),
        *(helper.make_node("MatMul", ["tokens", f"w{part}"], [part]) for part in "qkv"),
        helper.make_node("Transpose", ["k"], ["k_columns"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "k_columns"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["attention"], axis=-1),
        helper.make_node("MatMul", ["attention", "v"], ["mixed"]),
        helper.make_node("Add", ["mixed", "tokens"], ["residual"]),
        helper.make_node("Relu", ["residual"], ["active"]),
        helper.make_node("Flatten", ["active"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head"], ["output"]),
    ]
    constants = {
        "patches": random.normal(0, 0.3, (width, 3, 4, 4)).astype(np.float32),
        "token_shape": np.array([0, width, tokens], np.int64),
        **{f"w{part}": draw(width, width) for part in "qkv"},
        "head": (2 * draw(tokens * width, classes)).astype(np.float32),
    }
    return build(nodes, {"input": ("N", 3, size, size)}, {"output": ("N", classes)}, constants)


def computed_weights_net() -> ModelProto:
    """Return a net of 64 x 64 pixels with computed last weights: a picture alone gives other bits than among others."""
    model = TinyNet(size=(64, 64), sharpness=3).model()
    graph = model.graph
    graph.node.pop()
    graph.initializer.append(numpy_helper.from_array(np.zeros((), np.float32), "zero"))
    graph.node.extend(
        [
            helper.make_node("Mul", ["input", "zero"], ["zeros"]),
            helper.make_node("ReduceMax", ["zeros"], ["nothing"], keepdims=0),
            helper.make_node("Transpose", ["head"], ["columns"], perm=[1, 0]),
            helper.make_node("Add", ["columns", "nothing"], ["computed"]),
            helper.make_node("MatMul", ["flat", "computed"], ["output"]),
        ]
    )
    onnx.checker.check_model(model)
    return model


def several_inputs(size: int = 8) -> ModelProto:
    """Return a net of two inputs, the second added to the pooled picture."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Add", ["flat", "extra"], ["output"]),
    ]
    return build(nodes, {"input": ("N", 3, size, size), "extra": ("N", 3)}, {"output": ("N", 3)})


def several_outputs(size: int = 8) -> ModelProto:
    """Return a net with outputs "features" (N, 3) and "classes" (N, 4)."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "weights"], ["classes"], transB=1),
    ]
    constants = {"weights": np.random.default_rng(0).normal(0, 1, (4, 3)).astype(np.float32)}
    return build(nodes, {"input": ("N", 3, size, size)}, {"features": ("N", 3), "classes": ("N", 4)}, constants)


def integer_input(size: int = 8) -> ModelProto:
    """Return a net that takes uint8 pictures, as quantised exports do."""
    model = linear_classifier(size)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    model.graph.node[0].input[0] = "float_input"
    cast = helper.make_node("Cast", ["input"], ["float_input"], to=TensorProto.FLOAT)
    nodes = [cast, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def nan_classifier(size: int = 8) -> ModelProto:
    """Return a net that answers NaN: the square root of minus one and something."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Abs", ["flat"], ["positive"]),
        helper.make_node("Sub", ["minus_one", "positive"], ["negative"]),
        helper.make_node("Sqrt", ["negative"], ["output"]),
    ]
    constants = {"minus_one": np.full((1, 3), -1, np.float32)}
    return build(nodes, {"input": ("N", 3, size, size)}, {"output": ("N", 3)}, constants)


def write_committee(folder: Path, models: Mapping[str, ModelProto | TinyNet], manifest: str | None = None) -> Path:
    """Write models as NAME.onnx, and a committee.yaml if one is given; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        onnx.save(model.model() if isinstance(model, TinyNet) else model, folder / f"{name}.onnx")
    if manifest is not None:
        (folder / "committee.yaml").write_text(manifest)
    return folder


def member_of(folder: Path, model: ModelProto | TinyNet, manifest: str | None = None) -> co.Member:
    """Write one model into a new folder below `folder` and return it as a member; a net declares itself."""
    if manifest is None and isinstance(model, TinyNet):
        manifest = model.declaration()
    return co.load_committee(write_committee(Path(tempfile.mkdtemp(dir=folder)), {"model": model}, manifest))[0]


def open_model(
    folder: Path, model: ModelProto | TinyNet, manifest: str | None = None, *, batch: int = 0, threads: int = 1
) -> co.Classifier:
    """Write one model into a new folder below `folder` and open it on the CPU; a net declares itself."""
    runtime = co.RuntimeSettings(provider="cpu", batch=batch, threads=threads)
    return member_of(folder, model, manifest).open(runtime)


def noise_canvas(seed: int = 0, size: int = 16, blocks: int = 4) -> np.ndarray:
    """Return a canvas of coloured blocks under noise, uint8 (size, size, 3)."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (blocks, blocks, 3))
    fine = np.kron(coarse, np.ones((-(-size // blocks),) * 2 + (1,), int))[:size, :size]
    return np.clip(fine + random.normal(0, 20, fine.shape), 0, 255).astype(np.uint8)


def grid_segments(size: int = 16, cells: int = 4) -> np.ndarray:
    """Return a square grid of superpixels, int32 (size, size), labels 0..cells**2-1."""
    index = np.arange(size) * cells // size
    return (index[:, None] * cells + index[None, :]).astype(np.int32)


def _in_order(values: tuple[float, ...], color: str) -> tuple[float, ...]:
    return {"RGB": values, "BGR": values[::-1], "GRAY": values[1:2]}[color]


def _halved(size: int) -> int:
    """Return what a 3 x 3 convolution of stride 2 and padding 1 leaves."""
    return (size - 1) // 2 + 1
