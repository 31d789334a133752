"""Straight-through gradients of quantised models, by hand."""

from __future__ import annotations

import numpy as np
import pytest

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


RNG = np.random.default_rng(8)
SCALES = {"sx": np.float32(0.02), "sw": np.float32(0.01), "sy": np.float32(0.1)}
ZEROS = {"zx": np.uint8(128), "zw": np.int8(3), "zy": np.uint8(120)}
PARAMETERS = {name: np.asarray(value) for name, value in (SCALES | ZEROS).items()}
KERNEL = RNG.integers(-40, 40, (4, 3, 3, 3)).astype(np.int8)
MATRIX = RNG.integers(-40, 40, (6, 5)).astype(np.int8)
IMAGE = RNG.uniform(-1, 1, (2, 3, 5, 5)).astype(np.float32)
ROWS = RNG.uniform(-1, 1, (2, 6)).astype(np.float32)
BIG = "g (float[N,3,5,5] x) => (float[N,4,3,3] y)"
CONV = "<strides = [2, 2], pads = [1, 1, 1, 1]>"
FLAT = "g (float[N,6] x) => (float[N,5] y)"


def chosen(text: str) -> dict[str, np.ndarray]:
    """Return the constants a graph's text names."""
    every = {**PARAMETERS, "w": KERNEL, "m": MATRIX, "real_w": (KERNEL - 3) * np.float32(0.01),
             "real_m": (MATRIX - 3) * np.float32(0.01), "bias": np.arange(4, dtype=np.int32),
             "sww": np.float32([0.01, 0.02, 0.03, 0.04]), "zww": np.int8([3, 3, 3, 3]),
             "real_ww": (KERNEL - 3) * np.float32([0.01, 0.02, 0.03, 0.04]).reshape(4, 1, 1, 1),
             "four": np.asarray(4, np.float32), "axes": np.asarray([2, 3])}  # fmt: skip
    words = set(text.replace("(", " ").replace(")", " ").replace(",", " ").split())
    return {name: value for name, value in every.items() if name in words}


def gradient_of(text: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return output and gradient of a graph under the same random seed."""
    model = model_of(text, 17, **chosen(text))
    model.opset_import.add(domain="com.microsoft", version=1)
    gradient = gradient_model(model)
    shape = {4: (2, 4, 3, 3), 2: (2, 5)}[x.ndim] if "=> (float[N,3,5,5]" not in text else x.shape
    seed = np.random.default_rng(9).standard_normal(shape).astype(np.float32)
    return tuple(run(gradient, "y", "grad/x", x=x, seed=seed))


@pytest.mark.parametrize(
    ("quantised", "real"),
    [
        (f"{BIG} {{ q = QuantizeLinear(x, sx, zx) c = QLinearConv {CONV} (q, sx, zx, w, sw, zw, sy, zy, bias) "
         "y = DequantizeLinear(c, sy, zy) }", f"{BIG} {{ y = Conv {CONV} (x, real_w) }}"),
        (f"{BIG} {{ q = QuantizeLinear(x, sx, zx) c = QLinearConv {CONV} (q, sx, zx, w, sww, zww, sy, zy) "
         "y = DequantizeLinear(c, sy, zy) }", f"{BIG} {{ y = Conv {CONV} (x, real_ww) }}"),
        (f"{BIG} {{ q, s, z = DynamicQuantizeLinear(x) c = ConvInteger {CONV} (q, w, z, zw) f = Cast <to = 1> (c) "
         "t = Mul(s, sw) y = Mul(f, t) }", f"{BIG} {{ y = Conv {CONV} (x, real_w) }}"),
        (f"{FLAT} {{ q = QuantizeLinear(x, sx, zx) c = QLinearMatMul(q, sx, zx, m, sw, zw, sy, zy) "
         "y = DequantizeLinear(c, sy, zy) }", f"{FLAT} {{ y = MatMul(x, real_m) }}"),
        (f"{FLAT} {{ q, s, z = DynamicQuantizeLinear(x) c = MatMulInteger(q, m, z, zw) f = Cast <to = 1> (c) "
         "t = Mul(s, sw) y = Mul(f, t) }", f"{FLAT} {{ y = MatMul(x, real_m) }}"),
        (f"{FLAT} {{ q, s, z = DynamicQuantizeLinear(x) y = com.microsoft.MatMulIntegerToFloat(q, m, s, sw, z, zw) }}",
         f"{FLAT} {{ y = MatMul(x, real_m) }}"),
        (f"{FLAT} {{ y = com.microsoft.DynamicQuantizeMatMul(x, m, sw, zw) }}", f"{FLAT} {{ y = MatMul(x, real_m) }}"),
        (f"{FLAT} {{ q = QuantizeLinear(x, sx, zx) c = com.microsoft.QGemm(q, sx, zx, m, sw, zw, , sy, zy) "
         "y = DequantizeLinear(c, sy, zy) }", f"{FLAT} {{ y = MatMul(x, real_m) }}"),
        ("g (float[N,3,5,5] x) => (float[N,3,5,5] y) { q = QuantizeLinear(x, sx, zx) "
         "c = com.microsoft.QLinearAdd(q, sx, zx, q, sx, zx, sy, zy) y = DequantizeLinear(c, sy, zy) }",
         "g (float[N,3,5,5] x) => (float[N,3,5,5] y) { y = Add(x, x) }"),
        ("g (float[N,3,5,5] x) => (float[N,3,5,5] y) { q = QuantizeLinear(x, sx, zx) "
         "c = com.microsoft.QLinearSigmoid(q, sx, zx, sw, zx) y = DequantizeLinear(c, sw, zx) }",
         "g (float[N,3,5,5] x) => (float[N,3,5,5] y) { q = QuantizeLinear(x, sx, zx) d = DequantizeLinear(q, sx, zx) "
         "y = Sigmoid(d) }"),
        ("g (float[N,3,5,5] x) => (float[N,3,5,5] y) { q = QuantizeLinear(x, sx, zx) "
         "c = com.microsoft.QLinearGlobalAveragePool(q, sx, zx, sw, zx) d = DequantizeLinear(c, sw, zx) "
         "y = Add(x, d) }",
         "g (float[N,3,5,5] x) => (float[N,3,5,5] y) { d = GlobalAveragePool(x) y = Add(x, d) }"),
        ("g (float[N,3,5,5] x) => (float[N,3,5,5] y) { q = QuantizeLinear(x, sx, zx) "
         "p = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (q) y = DequantizeLinear(p, sx, zx) }",
         "g (float[N,3,5,5] x) => (float[N,3,5,5] y) { q = QuantizeLinear(x, sx, zx) d = DequantizeLinear(q, sx, zx) "
         "y = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (d) }"),
        ("g (float[N,3,5,5] x) => (float[N,3,5,5] y) { q = QuantizeLinear(x, sx, zx) "
         "c = com.microsoft.QLinearConcat <axis = 2> (sx, zx, q, sx, zx) y = DequantizeLinear(c, sx, zx) }",
         "g (float[N,3,5,5] x) => (float[N,3,5,5] y) { y = Identity(x) }"),
    ],
    ids=lambda text: text.split("= ")[-2 if "Dequant" in text else -1][:40],
)  # fmt: skip
def test_a_quantised_operator_has_the_gradient_of_the_real_one(quantised: str, real: str) -> None:
    """Nothing saturates here, so the straight-through gradient is that of the graph without quantisation."""
    x = IMAGE if "N,3,5,5" in quantised else ROWS
    y, got = gradient_of(quantised, x)
    expected_y, expected = gradient_of(real, x)
    np.testing.assert_allclose(y, expected_y, atol=0.2)
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def test_a_saturated_result_blocks() -> None:
    text = (
        "g (float[N,2] x) => (float[N,2] y) { q = QuantizeLinear(x, half, zero) "
        "c = QLinearMatMul(q, half, zero, two, half, none, half, zero) y = DequantizeLinear(c, half, zero) }"
    )
    model = model_of(text, half=np.asarray(0.5, np.float32), zero=np.asarray(0, np.uint8), none=np.asarray(0, np.int8),
                     two=np.asarray([[4, 0], [0, 4]], np.int8))  # fmt: skip
    # y = 2 x in steps of a half from 0 to 127.5
    x = np.asarray([[10, 63], [64, -1]], np.float32)
    y, gradient = run(gradient_model(model), "y", "grad/x", x=x, seed=np.ones((2, 2), np.float32))
    np.testing.assert_array_equal(y, [[20, 126], [127.5, 0]])
    np.testing.assert_array_equal(gradient, [[2, 2], [0, 0]])


def test_blocks_of_an_axis_have_their_own_scale() -> None:
    text = """g (float[1,4] x) => (float[1,4] y) {
        q = QuantizeLinear <axis = 1, block_size = 2> (x, scale, zero)
        y = DequantizeLinear <axis = 1, block_size = 2> (q, scale, zero)
    }"""
    model = model_of(text, 21, scale=np.float32([[0.5, 0.25]]), zero=np.zeros((1, 2), np.uint8))
    x = np.asarray([[100, 200, 60, 70]], np.float32)
    (gradient,) = run(gradient_model(model), "grad/x", x=x, seed=np.ones((1, 4), np.float32))
    np.testing.assert_array_equal(gradient, [[1, 0, 1, 0]])
