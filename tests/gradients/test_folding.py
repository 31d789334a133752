"""Scales and centrings behind a dense layer's gradient become part of its weight."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from consensus_onnx.gradients import check_gradient, gradient_model
from gradients.graphs import model_of, ops, run

RNG = np.random.default_rng(0)


def noise(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


DENSE = {"scale": 1 + noise(6) / 4, "bias": noise(6), "w": noise(6, 5)}


@pytest.mark.parametrize("scale", [DENSE["scale"], np.ones(6, np.float32)], ids=["trained", "fresh"])
def test_a_dense_layer_behind_a_normalisation_centres_and_scales(scale: np.ndarray) -> None:
    model = model_of(
        """g (float[N,4,6] x) => (float[N,4,5] y) {
            h = Tanh(x) n = LayerNormalization(h, scale, bias) y = MatMul(n, w)
        }""",
        **{**DENSE, "scale": scale},
    )  # fmt: skip
    gradient = gradient_model(model)
    check_gradient(model, gradient).require(1e-5)
    backward = [node for node in gradient.graph.node if node.name.startswith("grad/n/")]
    assert sorted(node.op_type for node in backward) == ["LayerNormalization", "MatMul", "Mul", "Mul", "Mul", "Sub"]
    weights = [
        onnx.numpy_helper.to_array(tensor) for tensor in gradient.graph.initializer if list(tensor.dims) == [5, 6]
    ]
    wide = DENSE["w"].T.astype(np.float64) * scale
    np.testing.assert_allclose(weights, [wide - wide.mean(1, keepdims=True)], rtol=1e-6, atol=1e-7)


def test_rows_with_a_large_mean_are_centred_as_well() -> None:
    """The mean goes before the product is rounded: a weight of columns near 100 loses nothing."""
    model = model_of(
        "g (float[N,6] x) => (float[N,5] y) { n = LayerNormalization(x, scale, bias) y = MatMul(n, w) }",
        **{**DENSE, "scale": np.ones(6, np.float32), "w": DENSE["w"] + 100},
    )
    x, seed = noise(3, 6), noise(3, 5)
    found = run(gradient_model(model), "grad/x", x=x, seed=seed)[0]
    wide = x.astype(np.float64)
    std = np.sqrt(wide.var(1, keepdims=True) + 1e-5)
    n = (wide - wide.mean(1, keepdims=True)) / std
    h = seed.astype(np.float64) @ (DENSE["w"].astype(np.float64) + 100).T
    exact = (h - h.mean(1, keepdims=True) - n * (h * n).mean(1, keepdims=True)) / std
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("body", "muls"),
    [
        ("s = Mul(x, columns) y = MatMul(s, w)", 0),
        ("s = Mul(x, number) y = MatMul(s, w)", 0),
        ("s = Div(x, number) y = MatMul(s, w)", 0),
        ("t = Tanh(x) s = Mul(t, rows) y = MatMul(s, w)", 3),  # a number for each row stays; and two of Tanh
        ("s = Mul(x, columns) p = MatMul(s, w) q = MatMul(x, w) y = Add(p, q)", 1),  # a weight that two read stays one
        ("s = Mul(x, columns) p = MatMul(s, w) q = MatMul(x, v) y = Add(p, q)", 0),
        ("s = Mul(x, columns) t = Mul(s, number) y = MatMul(t, w)", 0),
    ],
)
def test_scales(body: str, muls: int) -> None:
    model = model_of(
        f"g (float[N,4,6] x) => (float[N,4,5] y) {{ {body} }}",
        columns=noise(6), rows=noise(4, 1), number=np.float32(0.37), w=noise(6, 5), v=noise(6, 5),
    )  # fmt: skip
    gradient = gradient_model(model)
    check_gradient(model, gradient).require(1e-5)
    assert sum(node.op_type == "Mul" and node.name.startswith("grad/") for node in gradient.graph.node) == muls


def test_a_product_that_others_read_stays() -> None:
    """The gradient by t goes on unscaled, too: one product and a Mul, not two products."""
    model = model_of(
        """g (float[N,6] x) => (float[N,5] y) {
            s = Mul(x, columns) t = Add(s, x) y = MatMul(t, w)
        }""",
        columns=noise(6), w=noise(6, 5),
    )  # fmt: skip
    gradient = gradient_model(model)
    check_gradient(model, gradient).require(1e-5)
    assert ops(gradient).count("MatMul") == 2
    assert ops(gradient).count("Mul") == 2


@pytest.mark.parametrize(("factor", "weight", "seed"), [(300, 300, 1e-3), (1e-4, 1.5e-3, 1000)])
def test_what_the_type_cannot_hold_stays_apart(factor: float, weight: float, seed: float) -> None:
    """float16 ends at 65504, and below 6e-5 it loses digits."""
    model = model_of(
        "g (float16[N,2] x) => (float16[N,2] y) { s = Mul(x, c) y = MatMul(s, w) }",
        c=np.float16(factor), w=np.full((2, 2), weight, np.float16),
    )  # fmt: skip
    found = run(gradient_model(model), "grad/x", x=np.ones((2, 2), np.float16), seed=np.full((2, 2), seed, np.float16))
    np.testing.assert_allclose(found[0], np.full((2, 2), 2 * factor * weight * seed), rtol=2e-3)


def test_the_models_own_products_stay_as_they_are() -> None:
    model = model_of(
        "g (float[N,6] x) => (float[N,5] y, float[N,5] z) { y = MatMul(x, w) p = MatMul(x, v) z = Mul(p, c) }",
        w=noise(6, 5), v=noise(6, 5), c=noise(5),
    )  # fmt: skip
    for node, name in zip(model.graph.node, ("grad/a", "grad/b", "grad/c"), strict=True):
        node.name = name
    assert ops(gradient_model(model, output="y")) == ["MatMul", "MatMul", "Mul", "MatMul"]
