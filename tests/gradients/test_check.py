"""The check that needs no other tool."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from consensus_onnx.errors import GradientCheckError, ModelError
from consensus_onnx.gradients import check_gradient, gradient_model
from gradients.graphs import model_of

MODEL = "g (float[N,4] x) => (float[N,3] y) { h = Tanh(x) z = MatMul(h, w) y = Relu(z) }"
WEIGHT = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


def test_a_right_gradient_passes() -> None:
    model = model_of(MODEL, w=WEIGHT)
    found = check_gradient(model, gradient_model(model), directions=6)
    found.require(1e-5)
    assert found.expected.shape == found.got.shape == (6,)
    assert found.resolution < 1e-5


def test_the_same_seed_gives_the_same_numbers() -> None:
    model = model_of(MODEL, w=WEIGHT)
    one, two, other = (check_gradient(model, gradient_model(model), seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.expected, two.expected)
    assert (one.expected != other.expected).all()


def test_a_gradient_that_misses_half_of_the_input_is_caught() -> None:
    model = model_of("g (float[N,2] x) => (float[N,2] y) { y = Mul(x, x) }")
    gradient = gradient_model(model)
    for node in gradient.graph.node:
        if node.output[0] == "grad/x":
            node.output[0] = "whole"
    half = np.asarray([1, 0], np.float32)
    gradient.graph.initializer.append(_tensor(half, "half"))
    gradient.graph.node.append(_node("Mul", ["whole", "half"], ["grad/x"]))
    found = check_gradient(model, gradient)
    assert found.noise_error > 0.1
    with pytest.raises(GradientCheckError, match=r"along direction [23] differences give"):
        found.require(1e-3)


def test_changed_outputs_are_caught() -> None:
    model = model_of(MODEL, w=WEIGHT)
    other = model_of(MODEL, w=WEIGHT * 1.01)
    with pytest.raises(
        GradientCheckError, match=r"computes other outputs than the model: relative error 0.01, allowed 0.001"
    ):
        check_gradient(model, gradient_model(other)).require()


def test_what_is_too_large_to_check_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consensus_onnx.gradients.check.LARGEST_MESSAGE", 40)
    model = model_of(MODEL, w=WEIGHT)
    with pytest.raises(ModelError, match=r"0.0 GB of weights cannot be checked here: .* write it with save_model"):
        check_gradient(model, gradient_model(model))


def test_nan_never_passes() -> None:
    model = model_of(MODEL, w=WEIGHT)
    found = check_gradient(model, gradient_model(model))
    with pytest.raises(GradientCheckError):
        dataclasses.replace(found, max_relative_error=float("nan")).require()


def test_a_gradient_of_zero_agrees_with_a_flat_place() -> None:
    model = model_of("g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
    found = check_gradient(model, gradient_model(model), feeds={"x": np.full((1, 4), -3, np.float32)})
    assert found.max_relative_error == found.noise_error == 0


def test_other_models_are_refused() -> None:
    model = model_of(MODEL, w=WEIGHT)
    with pytest.raises(ModelError, match="expected a model made by gradient_model"):
        check_gradient(model, model)
    with pytest.raises(ValueError, match="directions: expected at least 2, got 1"):
        check_gradient(model, gradient_model(model), directions=1)


def _tensor(array: np.ndarray, name: str):
    from onnx import numpy_helper

    return numpy_helper.from_array(array, name)


def _node(op: str, inputs: list[str], outputs: list[str]):
    from onnx import helper

    return helper.make_node(op, inputs, outputs)
