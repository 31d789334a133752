"""Models run in float64: what a run keeps in memory, and what is made wide."""

from __future__ import annotations

import tracemalloc

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients.float64 import run_in_float64
from gradients.graphs import model_of

MEGABYTE = 2**20
ENTRIES = MEGABYTE // 8  # a megabyte of float64


def chain(length: int) -> ModelProto:
    """Return a model of so many operators one after the other, and its first result again at the end."""
    steps = " ".join(f"t{at} = Neg(t{at - 1})" for at in range(1, length))
    return model_of(f"g (float[N] x) => (float[N] y) {{ t0 = Neg(x) {steps} y = Add(t{length - 1}, t0) }}")


def peak_of(model: ModelProto) -> float:
    """Return the most megabytes held at once while a model runs on a megabyte."""
    run = run_in_float64(model)
    run({"x": np.ones(2)})  # what is imported and cached
    x = np.ones(ENTRIES)
    tracemalloc.start()
    run({"x": x})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / MEGABYTE


def test_tensors_go_after_their_last_use() -> None:
    assert peak_of(chain(30)) == pytest.approx(peak_of(chain(10)), abs=0.5)
    assert peak_of(chain(30)) < 6  # the input's copy, the first result, what an operator reads and makes


def test_results_in_between_stay_where_they_are_outputs() -> None:
    model = model_of("g (float[N] x) => (float[N] a, float[N] y) { a = Neg(x) b = Exp(a) y = Add(a, b) }")
    found = run_in_float64(model)({"x": np.float32([0.5])})
    assert list(found) == ["a", "y"]
    np.testing.assert_allclose(found["y"], np.exp(-0.5) - 0.5, rtol=1e-15)


def test_a_second_run_gives_the_same() -> None:
    run = run_in_float64(model_of("g (float[N,2] x) => (float[N,2] y) { y = MatMul(x, w) }", w=np.float32(np.eye(2))))
    x = np.random.default_rng(0).standard_normal((3, 2))
    for _ in range(2):
        np.testing.assert_array_equal(run({"x": x})["y"], x)


def test_the_model_is_not_read_again() -> None:
    model = model_of("g (float[N] x) => (float[N] y) { y = Mul(x, w) }", w=np.float32([3]))
    run = run_in_float64(model)
    del model.graph.node[:], model.graph.initializer[:]
    np.testing.assert_array_equal(run({"x": np.ones(2)})["y"], [3, 3])


def test_branches_read_what_is_around_them() -> None:
    model = model_of(
        """g (float[N] x, bool c) => (float[N] y) {
            h = Neg(x)
            y = If (c) <
                then_branch = a () => (float[N] o) { o = Exp(h) },
                else_branch = b () => (float[N] o) { o = Mul(h, w) }
            >
        }""",
        w=np.float32([2]),
    )
    run = run_in_float64(model)
    x = np.asarray([0.25, 0.5])
    np.testing.assert_allclose(run({"x": x, "c": np.asarray(True)})["y"], np.exp(-x), rtol=1e-15)
    np.testing.assert_allclose(run({"x": x, "c": np.asarray(False)})["y"], -2 * x, rtol=1e-15)


def test_constants_of_functions_are_wide_too() -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        g (float[N] x) => (float[N] y) { y = local.shifted(x) }
        <domain: "local", opset_import: ["" : 17]>
        shifted (u) => (v) { k = Constant <value_float = 1.0> () v = Add(u, k) }
    """)
    (y,) = run_in_float64(model)({"x": np.asarray([1e-12])})["y"]
    assert y == 1 + 1e-12


def test_an_operator_the_evaluator_lacks() -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17, "other" : 1]>
        g (float[N] x) => (float[N] y) { y = other.Unheard(x) }
    """)
    with pytest.raises(ModelError, match="ONNX's reference evaluator cannot run this model: Node type 'Unheard'"):
        run_in_float64(model)
