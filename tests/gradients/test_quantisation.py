"""Straight-through gradients of quantised models, by hand."""

from __future__ import annotations

import numpy as np

from consensus_onnx.gradients import gradient_model
from gradients.graphs import model_of, run


def test_rounding_passes_and_saturation_blocks() -> None:
    model = model_of(
        """g (float[N,5] x) => (float[N,5] y) {
            q = QuantizeLinear(x, scale, zero)
            d = DequantizeLinear(q, scale, zero)
            y = Mul(d, three)
        }""",
        scale=np.float32(0.5).reshape(()),
        zero=np.asarray(10, np.int8),
        three=np.float32(3).reshape(()),
    )
    # int8 with zero point 10 and scale 0.5 encodes -69 to 58.5
    x = np.asarray([[-100, -69, 0.3, 58.5, 59]], np.float32)
    (gradient,) = run(gradient_model(model), "grad/x", x=x, seed=np.ones((1, 5), np.float32))
    np.testing.assert_array_equal(gradient, [[0, 3, 3, 3, 0]])


def test_integers_between_the_pair_carry_the_gradient() -> None:
    scale = np.asarray([0.5, 0.25], np.float32)
    zero = np.zeros(2, np.uint8)
    model = model_of(
        """g (float[N,2,3] x) => (float[N,3,2] y) {
            q = QuantizeLinear <axis = 1> (x, scale, zero)
            t = Transpose <perm = [0, 2, 1]> (q)
            y = DequantizeLinear <axis = 2> (t, scale, zero)
        }""",
        scale=scale,
        zero=zero,
    )
    x = np.asarray([[[1, 200, -1], [1, 60, 70]]], np.float32)
    seed = np.arange(1, 7, dtype=np.float32).reshape(1, 3, 2)
    (gradient,) = run(gradient_model(model), "grad/x", x=x, seed=seed)
    np.testing.assert_array_equal(gradient, [[[1, 0, 0], [2, 4, 0]]])


def test_dynamic_quantisation_passes() -> None:
    model = model_of(
        """g (float[N,2] x) => (float[N,2] y) {
            q, scale, zero = DynamicQuantizeLinear(x)
            y = DequantizeLinear(q, scale, zero)
        }"""
    )
    x, seed = np.asarray([[1, 2]], np.float32), np.asarray([[3, 4]], np.float32)
    (gradient,) = run(gradient_model(model), "grad/x", x=x, seed=seed)
    np.testing.assert_array_equal(gradient, seed)
