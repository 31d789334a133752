"""What `gradient_model` promises about the model it returns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from consensus_onnx.errors import ModelError, UnsupportedOperatorError
from consensus_onnx.gradients import (
    check_gradient,
    gradient_model,
    registry,
    supported_operators,
    unsupported_operators,
)
from consensus_onnx.gradients.model import OF_KEY, SEED, WRT_KEY
from gradients.graphs import model_of, ops, run

SMALL = "g (float[N,4] x) => (float[N,3] y) { h = Tanh(x) z = MatMul(h, w) y = Add(z, b) }"
WEIGHTS = {"w": np.arange(12, dtype=np.float32).reshape(4, 3), "b": np.ones(3, np.float32)}


def shapes(model: onnx.ModelProto) -> dict[str, list[int | str]]:
    infos = [*model.graph.input, *model.graph.output]
    return {info.name: [dim.dim_param or dim.dim_value for dim in info.type.tensor_type.shape.dim] for info in infos}


def test_inputs_outputs_and_symbols_are_kept() -> None:
    model = gradient_model(model_of(SMALL, **WEIGHTS))
    assert shapes(model) == {"x": ["N", 4], "grad/seed": ["N", 3], "y": ["N", 3], "grad/x": ["N", 4]}
    assert {entry.key: entry.value for entry in model.metadata_props} == {OF_KEY: "y", WRT_KEY: "x"}


def test_the_given_model_is_not_changed() -> None:
    model = model_of(SMALL, **WEIGHTS)
    before = model.SerializeToString()
    gradient_model(model)
    assert model.SerializeToString() == before


def test_every_new_name_is_under_grad_and_old_initialisers_are_shared() -> None:
    original = model_of(SMALL, **WEIGHTS)
    model = gradient_model(original)
    old = {name for node in original.graph.node for name in node.output} | {"x", "w", "b"}
    new = {name for node in model.graph.node for name in node.output} | {t.name for t in model.graph.initializer}
    assert all(name.startswith("grad/") for name in new - old)
    assert {"w", "b"} <= {tensor.name for tensor in model.graph.initializer}


def test_names_that_are_taken_are_avoided() -> None:
    model = model_of("g (float[N,4] x) => (float[N,4] y) { a = Relu(x) t = Tanh(a) y = Exp(t) }")
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [{"a": "grad/constant_0", "t": "grad/Exp/Mul"}.get(name, name) for name in names]
    x = np.full((1, 4), 0.5, np.float32)
    (gradient,) = run(gradient_model(model), "grad/x", x=x, seed=np.ones_like(x))
    np.testing.assert_allclose(gradient, np.exp(np.tanh(0.5)) * (1 - np.tanh(0.5) ** 2), rtol=1e-5)


def test_building_twice_gives_the_same_bytes() -> None:
    folder = Path(__file__).parent.parent / "data" / "gradients"
    for name in ("transformer", "mobile"):
        path = folder / f"{name}.onnx"
        assert gradient_model(path).SerializeToString() == gradient_model(path).SerializeToString()


def test_only_the_path_is_differentiated() -> None:
    text = """g (float[N,4] x) => (float[N,4] y, float[N,4] other) {
        h = Tanh(x) y = Mul(h, h) s = Sin(x) other = Celu(s)
    }"""
    model = gradient_model(model_of(text), output="y")
    assert "Cos" not in ops(model)
    assert [info.name for info in model.graph.output] == ["y", "other", "grad/x"]


def test_gradient_by_an_inner_tensor() -> None:
    model = gradient_model(model_of(SMALL, **WEIGHTS), wrt="h")
    assert shapes(model)["grad/h"] == ["N", 4]
    x, seed = np.zeros((2, 4), np.float32), np.asarray([[1, 0, 0], [0, 1, 0]], np.float32)
    (gradient,) = run(model, "grad/h", x=x, seed=seed)
    np.testing.assert_array_equal(gradient, WEIGHTS["w"].T[:2])
    check_gradient(model_of(SMALL, **WEIGHTS), model).require(1e-5)


def test_gradient_of_an_inner_tensor() -> None:
    model = gradient_model(model_of(SMALL, **WEIGHTS), output="h")
    assert [info.name for info in model.graph.output] == ["y", "h", "grad/x"]
    (gradient,) = run(model, "grad/x", x=np.zeros((1, 4), "f"), seed=np.ones((1, 4), "f"))
    np.testing.assert_array_equal(gradient, np.ones((1, 4)))


def test_a_tensor_by_itself() -> None:
    model = gradient_model(model_of(SMALL, **WEIGHTS), output="h", wrt="h")
    seed = np.asarray([[1, 2, 3, 4]], np.float32)
    (gradient,) = run(model, "grad/h", x=np.zeros((1, 4), "f"), seed=seed)
    np.testing.assert_array_equal(gradient, seed)


def test_used_several_times() -> None:
    model = gradient_model(model_of("g (float[N,2] x) => (float[N,2] y) { a = Mul(x, x) b = Mul(a, x) y = Add(b, x) }"))
    x = np.asarray([[2, -1]], np.float32)
    (gradient,) = run(model, "grad/x", x=x, seed=np.ones_like(x))
    np.testing.assert_allclose(gradient, 3 * x**2 + 1, rtol=1e-6)


@pytest.mark.parametrize("lowering", ["cpu", "cuda"])
def test_float16_models_have_float16_gradients(lowering: str) -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((4, 3, 3, 3)).astype(np.float16)
    text = """g (float16[N,3,8,8] x) => (float16[N,4] y) {
        c = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w) r = Clip(c, low, high)
        p = GlobalAveragePool(r) f = Flatten(p) y = Softmax(f)
    }"""
    bounds = {"low": np.asarray(0, np.float16), "high": np.asarray(6, np.float16)}
    half = gradient_model(model_of(text, w=weight, **bounds), lowering=lowering)
    single = gradient_model(
        model_of(
            text.replace("float16", "float"),
            w=weight.astype("f"),
            low=np.float32(0).reshape(()),
            high=np.float32(6).reshape(()),
        ),
        lowering=lowering,
    )
    assert half.graph.output[-1].type.tensor_type.elem_type == TensorProto.FLOAT16
    x, seed = rng.standard_normal((2, 3, 8, 8)).astype(np.float16), rng.standard_normal((2, 4)).astype(np.float16)
    (got,) = run(half, "grad/x", x=x, seed=seed)
    (expected,) = run(single, "grad/x", x=x.astype("f"), seed=seed.astype("f"))
    assert got.dtype == np.float16
    np.testing.assert_allclose(got, expected, atol=2e-2 * np.abs(expected).max())


def test_a_fixed_batch_stays_fixed() -> None:
    model = gradient_model(model_of(SMALL.replace("[N,", "[1,"), **WEIGHTS))
    assert shapes(model)["grad/seed"] == [1, 3]


def test_varying_height_and_width() -> None:
    rng = np.random.default_rng(1)
    weights = {
        "w1": rng.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "w2": rng.standard_normal((4, 4, 3, 3)).astype(np.float32),
        "w3": rng.standard_normal((2, 4, 1, 1)).astype(np.float32),
    }
    text = """g (float[N,3,H,W] x) => (float[N,2] y) {
        a = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w1) b = Relu(a)
        m = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (b)
        c = Conv <strides = [2, 2]> (m, w2) d = Tanh(c) e = Conv(d, w3) p = GlobalAveragePool(e) y = Flatten(p)
    }"""
    model = model_of(text, **weights)
    gradient = gradient_model(model)
    for size in ((21, 33), (32, 32), (17, 24), (40, 19)):
        x = rng.standard_normal((2, 3, *size)).astype(np.float32)
        check_gradient(model, gradient, feeds={"x": x}, directions=6).require(1e-4)


def test_two_sizes_that_may_or_may_not_be_one() -> None:
    text = "g (float[N,4] x, float[M,4] z) => (float[P,4] y) { s = Add(x, z) y = Tanh(s) }"
    with pytest.raises(
        ModelError, match="sizes that vary are tried at several values: those that must agree need the same"
    ):
        gradient_model(model_of(text), wrt="x")


def test_missing_operators_are_all_named_at_once() -> None:
    model = model_of(
        """g (float[1,3,8,8] x) => (float[1,3] y) {
            b = Tanh(x)
            c = MaxRoiPool <pooled_shape = [8, 8]> (b, regions)
            d = MaxRoiPool <pooled_shape = [8, 8]> (c, regions)
            y = Det(d)
        }""",
        regions=np.zeros((1, 5), np.float32),
    )
    with pytest.raises(UnsupportedOperatorError) as error:
        gradient_model(model)
    first, second = str(error.value).splitlines()
    assert first.startswith("no gradient rule for MaxRoiPool-1 (node 'c' and 1 more, opset 17); nearest operators with")
    assert second.startswith("no gradient rule for Det-11 (node 'y', opset 17); ")
    assert unsupported_operators(model) == (("MaxRoiPool", 1, "c"), ("MaxRoiPool", 1, "d"), ("Det", 11, "y"))


def test_operators_nobody_knows_are_named_with_all_others() -> None:
    model = model_of("""g (float[N,3,8,8] x) => (float[N,1] y) {
        a = com.acme.Wobble(x) b = Relu(a) c = com.microsoft.NhwcFusedConv(b) d = MaxPool <kernel_shape = [8, 8]> (c)
        e = Det(d) f = com.acme.Wobble(e) y = Flatten(f)
    }""")
    for domain in ("com.acme", "com.microsoft"):
        model.opset_import.add(domain=domain, version=1)
    with pytest.raises(UnsupportedOperatorError) as error:
        gradient_model(model)
    assert [line.split(";")[0] for line in str(error.value).splitlines()] == [
        "no gradient rule for com.acme.Wobble-1 (node 'a' and 1 more, opset 17)",
        "no gradient rule for com.microsoft.NhwcFusedConv-1 (node 'c', opset 17)",
        "no gradient rule for Det-11 (node 'e', opset 17)",
    ]


def test_the_versions_that_have_rules_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    supported_operators()
    monkeypatch.delitem(registry._rules, ("", "Sin", 22))
    model = model_of("g (float[N,3] x) => (float[N,3] y) { y = Sin(x) }", 22)
    with pytest.raises(
        UnsupportedOperatorError,
        match=r"no gradient rule for Sin-22 \(node 'y', opset 22\); it has rules for versions 7$",
    ):
        gradient_model(model)


def test_the_nearest_operators_are_named() -> None:
    model = model_of(
        'g (float[2,2,2] x) => (float[2,2] y) { s = SoftmaxCrossEntropyLoss <reduction = "none"> (x, labels) y = Relu(s) }',
        labels=np.zeros((2, 2), np.int64),
    )
    assert unsupported_operators(model) == ()
    custom = model_of("g (float[2,2] x) => (float[2,2] y) { y = Relu(x) }")
    custom.graph.node[0].op_type, custom.graph.node[0].domain, custom.graph.node[0].name = "HardSwosh", "my.ops", "n7"
    custom.opset_import.add(domain="my.ops", version=1)
    with pytest.raises(
        UnsupportedOperatorError,
        match=r"no gradient rule for my.ops.HardSwosh-1 \(node 'n7', opset 17\); nearest operators with rules: HardSwish",
    ):
        gradient_model(custom)


def test_operators_off_the_path_need_no_rule() -> None:
    text = "g (float[1,1,8,8] x) => (float[1,1,8,8] y, float[1,1,8,8] z) { y = Tanh(x) z = GridSample(x, grid) }"
    model = model_of(text, grid=np.zeros((1, 8, 8, 2), np.float32))
    assert unsupported_operators(model, output="y") == ()
    gradient_model(model, output="y")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wrt": "q"}, r"wrt: expected one of x or an inner tensor \(of the folded graph\), got 'q'"),
        ({"output": "q"}, r"output: expected one of y or an inner tensor \(of the folded graph\), got 'q'"),
        ({"of": "odds"}, "of: expected output, logits, probabilities, log-probabilities, got 'odds'"),
        ({"lowering": "tpu"}, "lowering: expected one of cpu, cuda or a Lowering, got 'tpu'"),
    ],
)
def test_wrong_arguments(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gradient_model(model_of(SMALL, **WEIGHTS), **options)  # type: ignore[arg-type]


def test_no_way_from_input_to_output() -> None:
    model = model_of(
        "g (float[N,4] x) => (float[N] y) { s = Shape(x) f = Cast <to = 1> (s) r = ReduceSum(f) e = Exp(r) y = Identity(e) }"
    )
    with pytest.raises(ModelError, match="'y' does not depend on 'x' by any way that has a gradient"):
        gradient_model(model)


def test_several_inputs_have_to_be_told_apart() -> None:
    model = model_of("g (float[N] a, float[N] b) => (float[N] y) { y = Mul(a, b) }")
    with pytest.raises(ModelError, match=r"the model has 2 inputs of floats \(a, b\); name one by wrt"):
        gradient_model(model)
    (gradient,) = run(
        gradient_model(model, wrt="b"), "grad/b", a=np.float32([2]), b=np.float32([5]), seed=np.float32([1])
    )
    np.testing.assert_array_equal(gradient, [2])


def test_types_that_do_not_fit_are_named() -> None:
    model = model_of("g (float[N,4] x) => (float[N,4] y) { y = MatMul(x, w) }", w=np.eye(4))
    with pytest.raises(ModelError, match=r"node 'y' \(MatMul\): its inputs do not fit: float .*, double \(4, 4\): "):
        gradient_model(model)


def test_what_does_not_depend_on_the_seed_comes_first() -> None:
    model = model_of(
        "g (float[N,4] x) => (float[N,4] y) { a = Relu(x) b = MatMul(a, w) y = Relu(b) }",
        w=WEIGHTS["w"][:, [0, 1, 2, 0]],
    )
    nodes = gradient_model(model).graph.node
    moved, depends = {SEED}, []
    for node in nodes:
        depends.append(not moved.isdisjoint(node.input))
        moved.update(node.output if depends[-1] else ())
    assert [node.op_type for node, late in zip(nodes, depends, strict=True) if not late].count("HardSigmoid") == 2
    assert depends == sorted(depends)
