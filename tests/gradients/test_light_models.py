"""The graphs of the ONNX model zoo that ship in the onnx package, without their weights, given seeded random ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from consensus_onnx.gradients import find_head, gradient_model, unsupported_operators
from consensus_onnx.gradients.canonical import canonicalise
from consensus_onnx.gradients.float64 import run_in_float64
from consensus_onnx.gradients.graphs import inputs_of
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import open_session

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
MODELS = sorted(FOLDER.glob("light_*.onnx"), key=lambda path: path.stat().st_size)
# As a share of the input: so small that a network of Relus is a straight line between the two points.
STEP = 1e-8
# Two pictures of the model where float32 puts a unit on the other side of its kink.
CASES = [(path, 3) for path in MODELS] + [(path, 4) for path in MODELS if "inception_v2" in path.stem]


def with_random_weights(path: Path) -> ModelProto:
    """Put numbers in the place of the file's constant weights, scaled so that signals keep their size.

    Products get normal weights of variance 2 / fan-in (He), normalisations a scale near 1, all others small numbers.
    """
    model = onnx.load(path)
    model.ir_version = 4  # initialisers need not be inputs
    graph = model.graph
    rng = np.random.default_rng(7)
    pool = rng.standard_normal(2**20 + 7)  # an odd period; vgg19 has 144 million weights
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    readers: dict[str, tuple[NodeProto, int]] = {}
    for node in graph.node:
        readers.update({name: (node, position) for position, name in enumerate(node.input)})
    kept = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = [int(size) for size in shapes[node.input[0]]]
        values = weights_for(*readers[node.output[0]], shape, pool, readers).astype(np.float32)
        values = np.roll(np.resize(values, math.prod(shape)), len(kept))
        graph.initializer.add(name=node.output[0], data_type=TensorProto.FLOAT, dims=shape, raw_data=values.tobytes())
    logits = find_head(model).logits
    assert logits is not None
    del graph.node[:]
    graph.node.extend(node for node in kept if logits not in node.input)  # random logits are large: no final Softmax
    graph.output[0].name = logits
    return model


def weights_for(
    reader: NodeProto, position: int, shape: Sequence[int], noise: np.ndarray, readers: dict[str, tuple[NodeProto, int]]
) -> np.ndarray:
    """Return normal noise scaled as it has to be for weights of a shape."""
    if reader.op_type == "Unsqueeze":  # of a scale or a shift per channel
        reader, position = readers[reader.output[0]]
    match reader.op_type, position:
        case "Conv", 1:
            return noise * math.sqrt(2 / math.prod(shape[1:]))
        case "Gemm", 1:
            flipped = any(attribute.name == "transB" and attribute.i for attribute in reader.attribute)
            return noise * math.sqrt(2 / shape[1 if flipped else 0])
        case ("BatchNormalization", 1) | ("Mul", _):
            return 1 + 0.1 * noise
        case "BatchNormalization", 4:
            return np.exp(0.3 * noise)
        case _:
            return 0.1 * noise


@pytest.mark.slow
@pytest.mark.parametrize(("path", "seed"), CASES, ids=lambda value: getattr(value, "stem", str(value)))
def test_the_gradient_is_the_slope_of_the_model(path: Path, seed: int) -> None:
    model = with_random_weights(path)
    assert unsupported_operators(model) == ()
    gradient = gradient_model(model)
    del model  # up to 0.6 GB, made anew below
    inputs = inputs_of(gradient.graph)
    (x_name,) = inputs.keys() - {SEED}
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((1, 3, 224, 224)).astype(np.float32)
    weights = rng.standard_normal([dim.dim_value for dim in inputs[SEED].type.tensor_type.shape.dim])
    feeds = {x_name: x, SEED: weights.astype(np.float32)}
    single = open_session(gradient).run([f"grad/{x_name}"], feeds)[0]
    run = run_in_float64(gradient)
    del gradient
    wide = run(feeds)[f"grad/{x_name}"]
    del run
    # One direction, near the gradient's own so that nothing cancels: two forward passes of up to 20 G multiply-adds.
    way = wide * rng.uniform(0, 2, wide.shape)
    way *= np.linalg.norm(x) / np.linalg.norm(way)
    # At opset 16: the evaluator's BatchNormalization-9 takes the batch's own statistics.
    forward = run_in_float64(canonicalise(with_random_weights(path)).model)
    above, below = (forward({x_name: x + sign * STEP * way}) for sign in (1, -1))
    (expected,) = (((above[name] - below[name]) * feeds[SEED]).sum() / (2 * STEP) for name in above)
    # In float64 no unit is on the wrong side of its kink: 2e-10 to 3e-7. In float32 one is now and then, and moves the
    # gradient of a whole picture: up to 2.1e-4 (inception_v2).
    assert abs((wide * way).sum() / expected - 1) <= 1e-6
    assert abs((single * way).sum() / expected - 1) <= 1e-3


def test_they_are_all_there() -> None:
    assert len(MODELS) == 9
