"""The passes that bring a model into canonical form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import check_gradient, gradient_model
from consensus_onnx.gradients.canonical import MINIMUM_OPSET, canonicalise
from consensus_onnx.gradients.graphs import opsets_of
from gradients.graphs import model_of, ops, run


def checked(model: onnx.ModelProto, tolerance: float = 1e-5, **feeds: np.ndarray) -> onnx.ModelProto:
    gradient = gradient_model(model)
    check_gradient(model, gradient, feeds=feeds or None).require(tolerance)
    return gradient


def test_shape_arithmetic_is_folded_and_the_batch_stays() -> None:
    text = """g (float[N,6,4] x) => (float[M,24] y) {
        t = Tanh(x) s = Shape(t) b = Gather(s, zero) u = Unsqueeze(b, first)
        c = Concat <axis = 0> (u, rest) y = Reshape(t, c)
    }"""
    constants = {"zero": np.asarray(0), "first": np.asarray([0]), "rest": np.asarray([24])}
    gradient = checked(model_of(text, **constants))
    x = np.random.default_rng(0).standard_normal((3, 6, 4)).astype(np.float32)
    (got,) = run(gradient, "grad/x", x=x, seed=np.ones((3, 24), np.float32))
    np.testing.assert_allclose(got, 1 - np.tanh(x) ** 2, atol=1e-6)


def test_constants_behind_operators_become_initialisers() -> None:
    text = "g (float[N,2] x) => (float[N,2] y) { h = Add(w, w) t = Transpose(h) e = Exp(t) y = MatMul(x, e) }"
    canonical = canonicalise(model_of(text, w=np.eye(2, dtype=np.float32)))
    assert ops(canonical.model) == ["MatMul"]
    assert [tensor.name for tensor in canonical.model.graph.initializer] == ["e"]


@pytest.mark.parametrize("condition", [True, False])
def test_an_if_with_a_known_condition_is_its_branch(condition: bool) -> None:
    text = """g (float[N,2] x) => (float[N,2] y) {
        h = Tanh(x)
        r = If (c) <
            then_branch = a () => (float[N,2] o) { k = Constant <value_float = 2.0> () o = Mul(h, k) },
            else_branch = b () => (float[N,2] o) { k = Constant <value_float = 3.0> () q = Mul(h, k) o = Exp(q) }
        >
        y = Identity(r)
    }"""
    gradient = checked(model_of(text, c=np.asarray(condition)))
    assert "If" not in ops(gradient)
    assert ("Exp" in ops(gradient)) is not condition


def test_an_if_on_the_shape_is_decided_too() -> None:
    text = """g (float[N,1,2] x) => (float[N,2] y) {
        h = Tanh(x) s = Shape(h) d = Gather(s, one) c = Equal(d, one)
        y = If (c) <
            then_branch = a () => (float[N,2] o) { o = Squeeze(h, axis) },
            else_branch = b () => (float[N,1,2] o) { o = Identity(h) }
        >
    }"""
    assert "Squeeze" in ops(checked(model_of(text, one=np.asarray(1), axis=np.asarray([1]))))


def test_model_local_functions_are_inlined() -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        g (float[N,3] x) => (float[N,3] y) { a = local.twice(x) y = local.twice(a) }
        <domain: "local", opset_import: ["" : 17]>
        twice (u) => (v) { t = Tanh(u) v = Add(t, t) }
    """)
    gradient = checked(model)
    assert not gradient.functions
    assert ops(gradient).count("Tanh") == 2


@pytest.mark.parametrize(
    ("text", "opset", "constants"),
    [
        ("g (float[N,4] x) => (float[N,4] y) { y = MeanVarianceNormalization <axes = [1]> (x) }", 17, {}),
        ("g (float[N,4,3] x) => (float[N,4,3] y) { y = GroupNormalization <num_groups = 2> (x, s, s) }", 21, {"s": np.float32([1, 2, 3, 4])}),
        ("g (float[N,4,3] x) => (float[N,4,3] y) { y = RMSNormalization (x, s) }", 23, {"s": np.float32([1, 2, 3])}),
        ("g (float[N,4,6] x) => (float[N,4,6] y) { y = Attention <q_num_heads = 2, kv_num_heads = 2> (x, x, x) }", 23, {}),
        ("g (float[N,2,4,6] x) => (float[N,2,4,6] y) { y = Attention <is_causal = 1> (x, x, x) }", 23, {}),
        ("g (float[N,4] x) => (float[N,4] y) { y = CastLike(x, s) }", 19, {"s": np.float32([1])}),
        ("g (float[N,4] x) => (float[N,4] y) { y = Mish(x) }", 18, {}),
        ("g (float[2,3,4] x) => (float[2,3,6] y) { y = CenterCropPad <axes = [2]> (x, s) }", 18, {"s": np.asarray([6])}),
    ],
)  # fmt: skip
def test_operators_defined_by_others_are_expanded(text: str, opset: int, constants: dict[str, np.ndarray]) -> None:
    gradient = checked(model_of(text, opset, **constants), 2e-5)
    assert {node.domain for node in gradient.graph.node} <= {""}


@pytest.mark.parametrize(
    ("text", "opset", "constants"),
    [
        ("g (float[N,6] x) => (float[N,6] y) { y = Relu(x) }", 7, {}),
        ("g (float[N,6] x) => (float[N,6] y) { y = Softmax <axis = 1> (x) }", 11, {}),
        ("g (float[N,6] x) => (float[N,6] y) { y = Clip <min = -0.5, max = 0.5> (x) }", 7, {}),
        ("g (float[N,6] x) => (float[N,1] y) { y = ReduceSum <axes = [1]> (x) }", 11, {}),
        ("g (float[N,2,3] x) => (float[N,1,2,3] y) { t = Tanh(x) y = Unsqueeze <axes = [1]> (t) }", 11, {}),
        ("g (float[N,6] x) => (float[N,6] y) { t = Tanh(x) y = Dropout <ratio = 0.5> (t) }", 7, {}),
        ("g (float[N,1,2,2] x) => (float[N,1,4,4] y) { y = Upsample <mode = \"nearest\"> (x, s) }", 9, {"s": np.float32([1, 1, 2, 2])}),
        ("g (float[N,3,2,2] x) => (float[N,3,2,2] y) { y = BatchNormalization (x, s, s, s, s) }", 8, {"s": np.float32([1, 2, 3])}),
    ],
)  # fmt: skip
def test_older_opsets_are_raised(text: str, opset: int, constants: dict[str, np.ndarray]) -> None:
    gradient = checked(model_of(text, opset, **constants))
    assert opsets_of(gradient)[""] == MINIMUM_OPSET


@pytest.mark.parametrize("opset", [16, 17, 18, 20, 22])
def test_newer_opsets_are_kept(opset: int) -> None:
    text = "g (float[N,4,4] x) => (float[N,4,4] y) { t = Tanh(x) y = Softmax(t) }"
    assert opsets_of(checked(model_of(text, opset)))[""] == opset


def test_default_values_of_inputs_are_constants() -> None:
    model = model_of("g (float[N,2] x, float[2] w) => (float[N,2] y) { y = Mul(x, w) }", w=np.float32([2, 3]))
    assert [info.name for info in checked(model).graph.input] == ["x", "grad/seed"]


def test_what_is_no_model(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"broken.onnx: not an ONNX model"):
        gradient_model(broken)
    with pytest.raises(ModelError, match=r"missing.onnx: not an ONNX model"):
        gradient_model(tmp_path / "missing.onnx")
    model = model_of("g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }")
    model.graph.node[0].op_type = "Rulu"
    with pytest.raises(ModelError, match="model: not a valid ONNX model: No Op registered for Rulu"):
        gradient_model(model)


def test_an_input_without_shape() -> None:
    model = model_of("g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }")
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ModelError, match="Field 'shape' of 'type' is required but missing"):
        gradient_model(model)


def test_a_model_that_only_works_for_one_batch_size() -> None:
    model = model_of("g (float[N,4] x) => (float[2,8] y) { t = Tanh(x) y = Add(t, w) }", w=np.ones((3, 4), np.float32))
    with pytest.raises(
        ModelError, match=r"node 'y' \(Add\): its inputs do not fit: float \(\?x5x12, 4\), float \(3, 4\)"
    ):
        gradient_model(model)
