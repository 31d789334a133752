"""Gradients computed by hand, at the points where a derivative has to be chosen: always as PyTorch chooses."""

from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.gradients import gradient_model
from gradients.graphs import model_of, run


def row(*values: float) -> np.ndarray:
    return np.asarray([values], np.float32)


@pytest.mark.parametrize("lowering", ["cpu", "cuda"])
@pytest.mark.parametrize(
    ("expression", "x", "expected"),
    [
        ("Relu(x)", (-1, 0, -0.0, 2, 2.0**-126, -(2.0**-126), 3e38), (0, 0, 0, 1, 1, 0, 1)),
        ("Clip(x, zero, six)", (-1, 0, 3, 6, 7, 2.0**-126, 5.9999995), (0, 0, 1, 0, 0, 1, 1)),
        ("Clip(x, one, six)", (0, 1, 1.0000001, 6, -3e38, 3e38, 2), (0, 0, 1, 0, 0, 0, 1)),
        ("LeakyRelu <alpha = 0.25> (x)", (-1, 0, 1, -0.0), (0.25, 0.25, 1, 0.25)),
        ("Elu <alpha = 2.0> (x)", (0, 1, 5), (2, 1, 1)),
        ("Selu <alpha = 2.0, gamma = 3.0> (x)", (0, 1), (6, 3)),
        ("Celu <alpha = 2.0> (x)", (0, 1), (1, 1)),
        ("Abs(x)", (-2, 0, 2), (-1, 0, 1)),
        ("HardSigmoid <alpha = 0.25, beta = 0.5> (x)", (-2, -1, 0, 2, 3), (0, 0.25, 0.25, 0, 0)),
        ("HardSwish(x)", (-3, 3, 4, -4, 0), (0, 1, 1, 0, 0.5)),
        ("ThresholdedRelu <alpha = 1.0> (x)", (1, 1.5, 0.5), (0, 1, 0)),
        ("Max(x, one)", (0, 1, 2), (0, 0.5, 1)),
        ("Min(x, one)", (0, 1, 2), (1, 0.5, 0)),
        ("Pow(x, zero)", (0, 2), (0, 0)),
        ("Pow(x, one)", (0, 2), (1, 1)),
        ("Sqrt(x)", (4, 0.25), (0.25, 1)),
        ("PRelu(x, one)", (0, 1, -1), (1, 1, 1)),
        ("Softsign(x)", (0, 1, -1), (1, 0.25, 0.25)),
        ("Round(x)", (0.2, 0.7), None),
    ],
)  # fmt: skip
def test_by_hand(expression: str, x: tuple[float, ...], expected: tuple[float, ...] | None, lowering: str) -> None:
    constants = {"zero": np.float32(0), "six": np.float32(6), "one": np.float32(1)}
    used = {name: np.asarray(value) for name, value in constants.items() if name in expression}
    model = model_of(f"g (float[1,{len(x)}] x) => (float[1,{len(x)}] y) {{ y = {expression} }}", 22, **used)
    if expected is None:
        with pytest.raises(Exception, match="'y' does not depend on 'x' by any way that has a gradient"):
            gradient_model(model)
        return
    (gradient,) = run(gradient_model(model, lowering=lowering), "grad/x", x=row(*x), seed=np.ones((1, len(x)), "f"))
    np.testing.assert_allclose(gradient, row(*expected), rtol=1e-6)


def test_max_pool_gives_everything_to_the_first_of_equal_maxima() -> None:
    model = model_of(
        "g (float[1,1,2,4] x) => (float[1,1,1,2] y) { y = MaxPool <kernel_shape = [2,2], strides = [2,2]> (x) }"
    )
    x = np.asarray([[[[1, 1, 0, 0], [1, 0, 0, 5]]]], np.float32)
    (gradient,) = run(gradient_model(model), "grad/x", x=x, seed=np.asarray([[[[2, 3]]]], np.float32))
    np.testing.assert_array_equal(gradient, [[[[2, 0, 0, 0], [0, 0, 0, 3]]]])


def test_overlapping_max_pool_windows_add() -> None:
    model = model_of("g (float[1,1,1,3] x) => (float[1,1,1,2] y) { y = MaxPool <kernel_shape = [1,2]> (x) }")
    x = np.asarray([[[[1, 9, 2]]]], np.float32)
    (gradient,) = run(gradient_model(model), "grad/x", x=x, seed=np.asarray([[[[2, 3]]]], np.float32))
    np.testing.assert_array_equal(gradient, [[[[0, 5, 0]]]])


def test_reduce_max_shares_between_equal_maxima() -> None:
    axes = np.asarray([1])
    model = model_of("g (float[1,3] x) => (float[1,1] y) { y = ReduceMax(x, axes) }", 18, axes=axes)
    (gradient,) = run(gradient_model(model), "grad/x", x=row(2, 2, 1), seed=row(3))
    np.testing.assert_array_equal(gradient, [[1.5, 1.5, 0]])


def test_norm_of_zero_has_gradient_zero() -> None:
    axes = np.asarray([1])
    model = model_of("g (float[1,3] x) => (float[1,1] y) { y = ReduceL2(x, axes) }", 18, axes=axes)
    (gradient,) = run(gradient_model(model), "grad/x", x=row(0, 0, 0), seed=row(3))
    np.testing.assert_array_equal(gradient, [[0, 0, 0]])


def test_convolution_by_hand() -> None:
    """One 2x2 kernel, stride 1, seed 1 at the first output: the kernel itself comes back."""
    weight = np.asarray([[[[1, 2], [3, 4]]]], np.float32)
    model = model_of("g (float[1,1,3,3] x) => (float[1,1,2,2] y) { y = Conv(x, w) }", w=weight)
    seed = np.zeros((1, 1, 2, 2), np.float32)
    seed[0, 0, 0, 0] = 1
    (gradient,) = run(gradient_model(model), "grad/x", x=np.zeros((1, 1, 3, 3), np.float32), seed=seed)
    np.testing.assert_array_equal(gradient, [[[[1, 2, 0], [3, 4, 0], [0, 0, 0]]]])
