"""x (1 + erf(s x)), as exporters write GELU: its gradient is made at once, by Mul's rule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto
from scipy.special import erf

from consensus_onnx.gradients import gradient_model
from gradients.graphs import model_of, ops, run

X = np.array([[-30, -3, -0.7517916, -0.5, 0, 1, 4, 90]], np.float32)
S = np.sqrt(0.5)


def slope(x: np.ndarray, s: float = S) -> np.ndarray:
    wide = x.astype(np.float64)
    return 1 + erf(s * wide) + wide * 2 * s / np.sqrt(np.pi) * np.exp(-((s * wide) ** 2))


FORMS = {  # half of it is GELU
    "nn.GELU": "u = Div(x, root) e = Erf(u) a = Add(e, one) y = Mul(x, a)",
    "turned": "u = Mul(inverse, x) e = Erf(u) a = Add(one, e) y = Mul(a, x)",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lowering", ["cpu", "cuda"])
def test_values_by_hand(form: str, lowering: str) -> None:
    gradient = gradient_model(written(FORMS[form]), lowering=lowering)
    seed = np.arange(1, 9, dtype=np.float32)[None]
    found = run(gradient, "grad/x", x=X, seed=seed)[0]
    np.testing.assert_allclose(found, seed * slope(X), rtol=1e-6, atol=1e-6)
    forward = ops(written(FORMS[form]))
    assert ops(gradient).count("Mul") == forward.count("Mul") + 3
    assert ops(gradient).count("Erf") == 1


def test_half_of_x_first() -> None:
    """As BERT has it; by the chain rule the gradient of the half is that of the whole."""
    model = written("h = Mul(x, half) u = Div(x, root) e = Erf(u) a = Add(e, one) y = Mul(h, a)")
    gradient = gradient_model(model)
    found = run(gradient, "grad/x", x=X, seed=np.ones_like(X))[0]
    np.testing.assert_allclose(found, slope(X) / 2, rtol=1e-6, atol=1e-6)
    assert ops(gradient).count("Exp") == 1


def general(x: np.ndarray, u: np.ndarray, du: np.ndarray | float) -> np.ndarray:
    """Return the slope of x (1 + erf(u)) by the product rule."""
    return 1 + erf(u) + x * 2 / np.sqrt(np.pi) * np.exp(-(u**2)) * du


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("v = Neg(x) u = Mul(v, inverse) e = Erf(u) a = Add(e, one)", lambda x: slope(x, -S)),
        ("u = Mul(x, minus) e = Erf(u) a = Add(e, one)", lambda x: slope(x, -1)),
        ("e = Erf(x) a = Add(e, one)", lambda x: slope(x, 1)),
        ("e = Erf(x) a = Add(e, half)", lambda x: slope(x, 1) - 0.5),
        ("u = Div(root, x) e = Erf(u) a = Add(e, one)", lambda x: general(x, 2**0.5 / x, -(2**0.5) / x**2)),
        ("u = Mul(x, rows) e = Erf(u) a = Add(e, one)", lambda x: general(x, ROWS * x, ROWS)),
    ],
)
def test_what_only_looks_like_it(body: str, expected: Callable[[np.ndarray], np.ndarray]) -> None:
    """Another sign, scale or constant, a number over x, another number for each column."""
    x = X[:, [1, 2, 3, 5, 6, 1, 2, 3]]
    found = run(gradient_model(written(f"{body} y = Mul(x, a)")), "grad/x", x=x, seed=np.ones_like(x))[0]
    np.testing.assert_allclose(found, expected(x.astype(np.float64)), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 8), (3, 1, 8), (1,)])
def test_a_one_that_broadcasts(shape: tuple[int, ...]) -> None:
    text = "g (float[N,8] x) => (float[a,b,c] y) { u = Div(x, root) e = Erf(u) a = Add(e, ones) y = Mul(x, a) }"
    if len(shape) == 1:
        text = text.replace("[a,b,c]", "[N,8]")
    model = model_of(text, root=np.float32(np.sqrt(2)), ones=np.ones(shape, np.float32))
    gradient = gradient_model(model)
    outer = (*shape[:-2], 1, 8) if len(shape) > 1 else (1, 8)
    found = run(gradient, "grad/x", x=X, seed=np.ones(outer, np.float32))[0]
    np.testing.assert_allclose(found, slope(X) * np.prod(shape[:-1]), rtol=1e-5, atol=1e-5)


def test_an_erf_that_others_read_too() -> None:
    model = written("u = Div(x, root) e = Erf(u) a = Add(e, one) z = Mul(x, a) y = Add(z, e)")
    found = run(gradient_model(model), "grad/x", x=X, seed=np.ones_like(X))[0]
    wide = X.astype(np.float64)
    alone = 2 * S / np.sqrt(np.pi) * np.exp(-((S * wide) ** 2))
    np.testing.assert_allclose(found, slope(X) + alone, rtol=1e-6, atol=1e-6)


def test_by_a_tensor_inside_it() -> None:
    model = written("u = Div(x, root) e = Erf(u) a = Add(e, one) y = Mul(x, a)")
    assert np.array_equal(run(gradient_model(model, wrt="e"), "grad/e", x=X, seed=np.ones_like(X))[0], X)


ROWS = np.linspace(0.5, 1.5, 8)


def written(body: str) -> ModelProto:
    return model_of(
        f"g (float[N,8] x) => (float[N,8] y) {{ {body} }}",
        root=np.float32(np.sqrt(2)),
        inverse=np.float32(S),
        one=np.float32(1),
        half=np.float32(0.5),
        minus=np.float32(-1),
        rows=ROWS.astype(np.float32),
    )
