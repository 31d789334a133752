"""x sigmoid(x), as exporters write it: its gradient is made at once, by Mul's rule."""

from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.gradients import gradient_model
from gradients.graphs import model_of, ops, run

X = np.array([[-300, -3, -1.2784645, -0.5, 0, 1, 4, 90]], np.float32)


def slope(x: np.ndarray) -> np.ndarray:
    s = 1 / (1 + np.exp(-x.astype(np.float64)))
    return s * (1 + x * (1 - s))


@pytest.mark.parametrize("product", ["Mul(x, s)", "Mul(s, x)"])
@pytest.mark.parametrize("lowering", ["cpu", "cuda"])
def test_values_by_hand(product: str, lowering: str) -> None:
    model = model_of(f"g (float[N,8] x) => (float[N,8] y) {{ s = Sigmoid(x) y = {product} }}")
    gradient = gradient_model(model, lowering=lowering)
    seed = np.arange(1, 9, dtype=np.float32)[None]
    found = run(gradient, "grad/x", x=X, seed=seed)[0]
    np.testing.assert_allclose(found, seed * slope(X), rtol=1e-6, atol=1e-6)
    assert ops(gradient).count("Mul") == 3  # the model's own, and two


def test_a_sigmoid_that_others_read_too() -> None:
    model = model_of("g (float[N,8] x) => (float[N,8] y) { s = Sigmoid(x) z = Mul(x, s) y = Add(z, s) }")
    s = 1 / (1 + np.exp(-X.astype(np.float64)))
    found = run(gradient_model(model), "grad/x", x=X, seed=np.ones_like(X))[0]
    np.testing.assert_allclose(found, slope(X) + s * (1 - s), rtol=1e-6, atol=1e-6)


def test_by_the_sigmoid_itself() -> None:
    model = model_of("g (float[N,8] x) => (float[N,8] y) { s = Sigmoid(x) y = Mul(x, s) }")
    found = run(gradient_model(model, wrt="s"), "grad/s", x=X, seed=np.ones_like(X))[0]
    assert np.array_equal(found, X)


def test_a_gate_of_another_tensor_is_no_swish() -> None:
    model = model_of("g (float[N,8] x) => (float[N,8] y) { h = Tanh(x) s = Sigmoid(h) y = Mul(x, s) }")
    h = np.tanh(X.astype(np.float64))
    s = 1 / (1 + np.exp(-h))
    found = run(gradient_model(model), "grad/x", x=X, seed=np.ones_like(X))[0]
    np.testing.assert_allclose(found, s + X * s * (1 - s) * (1 - h**2), rtol=1e-5, atol=1e-6)
