"""What happens to models on their way to a device: conversions that should change nothing, and some that break them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, version_converter

from consensus_onnx.committee import Member

Change = Callable[[Member, Path, Path], None]
"""Takes the member, the file to write, and a folder of .npy canvases to calibrate on."""


def float16(member: Member, out: Path, canvases: Path) -> None:
    """Convert weights and arithmetic to float16, inputs and outputs stay float32.

    The converter appends its casts at the end; nodes are sorted here, as ONNX asks for and a gradient needs.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(member.path), keep_io_types=True)
    known = {value.name for value in (*model.graph.input, *model.graph.initializer)} | {""}
    waiting, nodes = list(model.graph.node), []
    while waiting:
        node = next(node for node in waiting if known.issuperset(node.input))
        waiting.remove(node)
        nodes.append(node)
        known.update(node.output)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, out)


def dynamic_int8(member: Member, out: Path, canvases: Path) -> None:
    """Quantise weights to int8, activations as they come."""
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(member.path, out)


def static_int8(member: Member, out: Path, canvases: Path) -> None:
    """Quantise weights and activations to int8 (QDQ, per channel), calibrated on the folder's canvases."""
    from onnxruntime.quantization import QuantFormat, quantize_static

    quantize_static(member.path, out, _Calibration(member, canvases), quant_format=QuantFormat.QDQ, per_channel=True)


def fused(level: str) -> Change:
    """Let ONNX Runtime optimise the graph at a level and save it."""

    def change(member: Member, out: Path, canvases: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
        options.optimized_model_filepath = str(out)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(str(member.path), options, providers=["CPUExecutionProvider"])

    return change


def opset(version: int) -> Change:
    """Convert to another version of the operator set."""

    def change(member: Member, out: Path, canvases: Path) -> None:
        onnx.save(version_converter.convert_version(onnx.load(member.path), version), out)

    return change


def _reweighed(change: Callable[[Any, Any], Any]) -> Change:
    def write(member: Member, out: Path, canvases: Path) -> None:
        model = onnx.load(member.path)
        rng = np.random.default_rng(0)
        for tensor in model.graph.initializer:
            weights = numpy_helper.to_array(tensor)
            if weights.ndim >= 2 and weights.dtype == np.float32 and weights.size > 16:
                tensor.CopyFrom(numpy_helper.from_array(change(weights, rng).astype(np.float32), tensor.name))
        onnx.save(model, out)

    return write


def pruned(share: float) -> Change:
    """Set the smallest weights of every layer to zero, without training again."""

    def smaller(weights: Any, rng: Any) -> Any:
        return np.where(np.abs(weights) < np.quantile(np.abs(weights), share), 0, weights)

    return _reweighed(smaller)


def noisy(share: float) -> Change:
    """Add Gaussian noise to all weights, a share of their layer's spread."""
    return _reweighed(lambda weights, rng: weights + share * weights.std() * rng.standard_normal(weights.shape))


def rolled_classes(member: Member, out: Path, canvases: Path) -> None:
    """Number the classes one off."""
    model = onnx.load(member.path)
    output = model.graph.output[0]
    width = output.type.tensor_type.shape.dim[1].dim_value
    model.graph.initializer.append(numpy_helper.from_array(np.roll(np.arange(width), 1), "one_off"))
    model.graph.node.append(helper.make_node("Gather", [output.name, "one_off"], ["rolled"], axis=1))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("rolled", TensorProto.FLOAT, [None, width]))
    onnx.save(model, out)


def unchanged(member: Member, out: Path, canvases: Path) -> None:
    """Copy the file."""
    out.write_bytes(member.path.read_bytes())


def twin(name: str) -> Change:
    """Take another model of the member's folder."""

    def change(member: Member, out: Path, canvases: Path) -> None:
        out.write_bytes((member.path.parent / f"{name}.onnx").read_bytes())

    return change


def renamed(member: Member, out: Path, canvases: Path) -> None:
    """Give every node and inner value another name, as another exporter would."""
    model = onnx.load(member.path)
    kept = {value.name for value in (*model.graph.input, *model.graph.output)} | {""}
    for node in model.graph.node:
        node.name = f"exported_{node.name}"
        node.input[:] = [name if name in kept else f"v.{name}" for name in node.input]
        node.output[:] = [name if name in kept else f"v.{name}" for name in node.output]
    for tensor in model.graph.initializer:
        tensor.name = f"v.{tensor.name}"
    del model.graph.value_info[:]
    onnx.save(model, out)


def identities(member: Member, out: Path, canvases: Path) -> None:
    """Put an Identity after every Relu, and weights into Constant nodes."""
    model = onnx.load(member.path)
    nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in model.graph.initializer]
    for node in model.graph.node:
        if node.op_type == "Relu" and node.output[0] not in {value.name for value in model.graph.output}:
            inner = f"{node.output[0]}.before"
            nodes += [
                helper.make_node("Relu", list(node.input), [inner]),
                helper.make_node("Identity", [inner], list(node.output)),
            ]
        else:
            nodes.append(node)
    del model.graph.initializer[:]
    graph = helper.make_graph(nodes, model.graph.name, list(model.graph.input), list(model.graph.output))
    onnx.save(helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version), out)


# Name: the change, and what is declared instead of the member's own preprocessing.
EQUIVALENT: Mapping[str, Change] = {
    "names of another exporter": renamed,
    "weights as constants, identities between": identities,
    "ONNX Runtime optimisation, basic": fused("BASIC"),
    "ONNX Runtime optimisation, extended": fused("EXTENDED"),
    "ONNX Runtime optimisation, all": fused("ALL"),
    "opset 18": opset(18),
    "opset 21": opset(21),
}
CHANGED: Mapping[str, Change] = {
    "float16": float16,
    "int8, static": static_int8,
    "int8, dynamic": dynamic_int8,
    "weight noise 1 %": noisy(0.01),
    "weight noise 10 %": noisy(0.1),
    "weight noise 30 %": noisy(0.3),
    "pruned 30 %": pruned(0.3),
    "pruned 60 %": pruned(0.6),
    "pruned 90 %": pruned(0.9),
    "classes one off": rolled_classes,
    "BGR for RGB": unchanged,
    "mean not taken off": unchanged,
}


def declaration(name: str, member: Member) -> str:
    """Return the YAML of a wrong preprocessing, empty where the change is in the file."""
    reads, scaling = member.declaration.input, member.declaration.preprocess
    color = "BGR" if name == "BGR for RGB" else reads.color or "RGB"
    mean = [0.0] * 3 if name == "mean not taken off" else list(scaling.mean or (0.0,) * 3)
    if name not in ("BGR for RGB", "mean not taken off"):
        return ""
    return (
        f"input: {{color: {color}}}\n"
        f"preprocess: {{scale: {scaling.scale}, mean: {mean}, std: {list(scaling.std or (1.0,) * 3)}}}\n"
    )


class _Calibration:
    """Inputs of a member made from canvases, one at a time, as onnxruntime.quantization asks for them."""

    def __init__(self, member: Member, canvases: Path) -> None:
        self._inputs = self._read(member, canvases)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._inputs, None)

    @staticmethod
    def _read(member: Member, canvases: Path) -> Iterator[dict[str, Any]]:
        classifier = member.open()
        for path in sorted(canvases.glob("*.npy")):
            batch = classifier.new_batch(1)
            batch[0] = classifier.input_tensor(np.load(path))
            yield {classifier.facts.input.name: batch}
