"""Gradients that stay in the blocked layout of ONNX Runtime's CPU convolutions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto

from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.lowering import CpuLowering
from consensus_onnx.gradients.writer import GraphWriter
from gradients.graphs import model_of, run

# A residual block between two convolutions, and what mobile networks are made of: ReLU6 behind a depthwise convolution.
RESIDUAL = """
g (float[N,32,12,12] x) => (float[N,32] y) {
  c0 = Conv <pads = [1,1,1,1]> (x, w0)  a0 = Relu(c0)
  c1 = Conv <pads = [1,1,1,1]> (a0, w1)  a1 = Relu(c1)
  c2 = Conv <pads = [1,1,1,1]> (a1, w2)  sum = Add(c2, a0)  a2 = Relu(sum)
  pooled = GlobalAveragePool(a2)  y = Flatten(pooled)
}
"""
ONE_MASK = """
g (float[N,32,12,12] x) => (float[N,32] y) {
  c0 = Conv <pads = [1,1,1,1]> (x, w0)  a0 = Relu(c0)
  pooled = GlobalAveragePool(a0)  y = Flatten(pooled)
}
"""
TWO_MASKS = """
g (float[N,32,12,12] x) => (float[N,32] y) {
  c0 = Conv <pads = [1,1,1,1]> (x, w0)  a0 = Clip(c0, low, high)
  pooled = GlobalAveragePool(a0)  y = Flatten(pooled)
}
"""


class Plain(CpuLowering):
    """Leaves nodes as they are."""

    def arrange(self, nodes: list[NodeProto], emit: GraphWriter) -> list[NodeProto]:
        return list(nodes)


def network(text: str, channels: int = 32, dtype: type = np.float32) -> ModelProto:
    rng = np.random.default_rng(5)
    sizes = {"w0": (channels, channels, 3, 3), "w1": (channels, channels, 3, 3), "w2": (channels, channels, 3, 3)}
    weights = {name: rng.standard_normal(shape).astype(dtype) / 10 for name, shape in sizes.items() if name in text}
    bounds = {name: dtype(value) for name, value in (("low", 0), ("high", 1)) if name in text}
    kind = {np.float32: "float", np.float16: "float16", np.float64: "double"}[dtype]
    text = text.replace("float[", f"{kind}[").replace(",32", f",{channels}")
    return model_of(text, **{name: np.asarray(value) for name, value in {**weights, **bounds}.items()})


def entries(model: ModelProto) -> list[NodeProto]:
    """Return the convolutions that only bring a tensor into the layout."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if node.op_type == "Conv" and node.name.startswith("grad/") and shapes[node.input[1]][1:] == (1, 1, 1)
    ]


def reorderings(model: ModelProto, folder: Path) -> int:
    """Return how often ONNX Runtime goes from one layout into the other; skip where it has no blocked layout."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node)
    if not kinds["ReorderOutput"]:
        pytest.skip("this CPU's convolutions have no blocked layout")
    return kinds["ReorderInput"] + kinds["ReorderOutput"]


@pytest.mark.parametrize("text", [RESIDUAL, TWO_MASKS])
def test_plain_operands_get_into_the_layout_and_values_stay(text: str, tmp_path: Path) -> None:
    model = network(text)
    kept, plain = gradient_model(model), gradient_model(model, lowering=Plain())
    assert len(entries(kept)) == 1
    assert not entries(plain)
    rng = np.random.default_rng(0)
    x, seed = rng.standard_normal((3, 32, 12, 12)), rng.standard_normal((3, 32))
    given = {"x": x.astype(np.float32), "seed": seed.astype(np.float32)}
    for ours, theirs in zip(run(kept, **given), run(plain, **given), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * np.abs(theirs).max())  # fused sums round elsewhere
    assert reorderings(kept, tmp_path) < reorderings(plain, tmp_path)


def test_a_single_mask_is_not_worth_it() -> None:
    assert not entries(gradient_model(network(ONE_MASK)))


def test_only_where_a_convolution_goes_on() -> None:
    text = (
        "g (float[N,32,12,12] x) => (float[N,32] y) { c = Clip(x, low, high) p = GlobalAveragePool(c) y = Flatten(p) }"
    )
    assert not entries(gradient_model(network(text)))


@pytest.mark.parametrize(
    ("channels", "dtype"), [(12, np.float32), (18, np.float32), (32, np.float16), (32, np.float64)]
)
def test_not_where_convolutions_are_not_blocked(channels: int, dtype: type) -> None:
    assert not entries(gradient_model(network(RESIDUAL, channels, dtype)))


def test_what_the_model_itself_computes_is_left_alone() -> None:
    """The forward part mixes layouts here: its sum has a plain operand, and a convolution goes on from there."""
    text = RESIDUAL.replace("sum = Add(c2, a0)", "n = Neg(a0) sum = Add(c2, n)").replace(
        "pooled = GlobalAveragePool(a2)", "c3 = Conv(a2, w1) pooled = GlobalAveragePool(c3)"
    )
    made = gradient_model(network(text))
    (total,) = (node for node in made.graph.node if "sum" in node.output)
    assert list(total.input) == ["c2", "n"]
    assert entries(made)
    assert all(node.input[0].startswith("grad/") for node in entries(made))


def test_other_providers_are_not_concerned() -> None:
    assert not entries(gradient_model(network(RESIDUAL), lowering="cuda"))


@pytest.mark.parametrize("activation", ["Sigmoid", "Tanh"])
def test_slopes_of_squashing_activations_stay_in_it(activation: str, tmp_path: Path) -> None:
    text = f"""
    g (float[N,3,12,12] x) => (float[N,32,12,12] y) {{
      c0 = Conv <pads = [1,1,1,1]> (x, w0)  a0 = {activation}(c0)  y = Conv <pads = [1,1,1,1]> (a0, w1)
    }}
    """
    rng = np.random.default_rng(0)
    weights = {"w0": rng.standard_normal((32, 3, 3, 3)), "w1": rng.standard_normal((32, 32, 3, 3))}
    model = model_of(text, **{name: weight.astype(np.float32) for name, weight in weights.items()})
    # Into it: the picture, the seed. Out of it: the output, and the gradient of the picture.
    assert reorderings(gradient_model(model), tmp_path) <= 4


def test_operators_of_others_that_bear_a_familiar_name_are_left_alone() -> None:
    model = model_of("g (float[N,3] x) => (float[N,3] y) { y = Tanh(x) }")
    model.opset_import.append(onnx.helper.make_opsetid("my.ops", 1))
    model.graph.node.append(onnx.helper.make_node("Conv", ["x"], ["z"], domain="my.ops"))
    model.graph.output.append(onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["N", 3]))
    assert "grad/x" in {info.name for info in gradient_model(model, output="y").graph.output}
