"""Models of opsets 7 to 12, where attributes were what inputs are now, and axes meant other things."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import check_gradient, gradient_model
from consensus_onnx.gradients.canonical import canonicalise
from gradients.graphs import model_of, run

RNG = np.random.default_rng(12)
VALUES = {
    "s": np.float32([1, 2, 3]),
    "v": np.float32([0.5, 2, 1]),
    "w": RNG.standard_normal((4, 3, 3, 3)).astype(np.float32),
    "wt": RNG.standard_normal((3, 4, 2, 2)).astype(np.float32),
    "m": RNG.standard_normal((6, 5)).astype(np.float32),
    "row": RNG.standard_normal((1, 5)).astype(np.float32),
    "slope": RNG.standard_normal((3, 1, 1)).astype(np.float32),
    "up": np.float32([1, 1, 2, 2]),
    "odd": np.float32([1, 1, 2.5, 1.5]),
    "down": np.float32([1, 1, 0.6, 0.7]),
    "at": np.asarray([2, 0]),
    "places": np.asarray([[0, 1, 1, 0, 0, 1]] * 2),
    "values": RNG.standard_normal((2, 6)).astype(np.float32),
    "shape": np.asarray([2, 3, 4, 4]),
    "k": np.asarray([2]),
}
IMAGE = "g (float[N,3,4,4] x) => "
FLAT = "g (float[N,6] x) => "
CASES = [
    (7, IMAGE + "(float[N,4,4,4] y) { y = Conv <pads = [1, 1, 1, 1]> (x, w) }"),
    (7, IMAGE + "(float[N,4,8,8] y) { y = ConvTranspose <strides = [2, 2]> (x, wt) }"),
    (7, IMAGE + "(float[N,3,4,4] y) { y = BatchNormalization (x, s, s, s, v) }"),
    (7, IMAGE + "(float[N,3,2,2] y) { y = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (x) }"),
    (7, IMAGE + "(float[N,3,2,2] y) { y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (x) }"),
    (8, IMAGE + "(float[N,3,2,2] y) { y, i = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x) }"),
    (10, IMAGE + "(float[N,3,2,2] y) { y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (x) }"),
    (7, IMAGE + "(float[N,3,1,1] y) { y = GlobalAveragePool (x) }"),
    (7, IMAGE + "(float[N,3,4,4] y) { y = InstanceNormalization (x, s, s) }"),
    (7, IMAGE + "(float[N,3,4,4] y) { y = PRelu (x, slope) }"),
    (7, IMAGE + "(float[N,3,4,4] y) { y = LeakyRelu <alpha = 0.2> (x) }"),
    (7, IMAGE + "(float[N,3,4,4] y) { y = Clip <min = -0.5, max = 0.5> (x) }"),
    (7, IMAGE + "(float[N,3,4,4] y) { y = HardSigmoid <alpha = 0.3> (x) }"),
    (7, IMAGE + "(float[N,3,6,6] y) { y = Pad <pads = [0, 0, 1, 1, 0, 0, 1, 1], value = 0.5> (x) }"),
    (10, IMAGE + "(float[N,3,6,6] y) { y = Pad <mode = \"reflect\", pads = [0, 0, 1, 1, 0, 0, 1, 1]> (x) }"),
    (7, IMAGE + "(float[N,3,2,3] y) { y = Slice <axes = [2, 3], starts = [1, -3], ends = [3, 100]> (x) }"),
    (7, IMAGE + "(float[N,3,8,8] y) { y = Upsample <mode = \"nearest\", scales = [1.0, 1.0, 2.0, 2.0]> (x) }"),
    (9, IMAGE + "(float[N,3,8,8] y) { y = Upsample <mode = \"nearest\"> (x, up) }"),
    (9, IMAGE + "(float[N,3,8,8] y) { y = Upsample <mode = \"linear\"> (x, up) }"),
    (10, IMAGE + "(float[N,3,8,8] y) { y = Resize <mode = \"nearest\"> (x, up) }"),
    (10, IMAGE + "(float[N,3,8,8] y) { y = Resize <mode = \"linear\"> (x, up) }"),
    (10, IMAGE + "(float[N,3,10,6] y) { y = Resize <mode = \"nearest\"> (x, odd) }"),
    (10, IMAGE + "(float[N,3,2,2] y) { y = Resize <mode = \"nearest\"> (x, down) }"),
    (10, IMAGE + "(float[N,3,2,2] y) { y = Resize <mode = \"linear\"> (x, down) }"),
    (11, IMAGE + "(float[N,3,4,1] y) { a = Unsqueeze <axes = [1]> (x) b = Squeeze <axes = [1]> (a) "
                 "y = ReduceMean <axes = [3]> (b) }"),
    (7, IMAGE + "(float[N,3,4,4] y) { t = Tanh(x) y = Softmax (t) }"),
    (11, IMAGE + "(float[N,3,4,4] y) { t = Tanh(x) y = Softmax <axis = 2> (t) }"),
    (11, IMAGE + "(float[N,3,4,4] y) { t = Tanh(x) y = LogSoftmax <axis = 1> (t) }"),
    (9, IMAGE + "(float[N,3] y) { a = ReduceMax <axes = [2, 3], keepdims = 0> (x) b = ReduceSum <axes = [2, 3], "
                "keepdims = 0> (x) y = Sum(a, b) }"),
    (9, IMAGE + "(float[N,48] y) { t = Exp(x) y = Flatten(t) }"),
    (7, FLAT + "(float[N,5] y) { y = Gemm <alpha = 0.5> (x, m, row) }"),
    (9, FLAT + "(float[N,5] y) { a = MatMul(x, m) y = Add(a, row) }"),
    (7, FLAT + "(float[N,6] y) { t = Tanh(x) y, mask = Dropout <ratio = 0.5> (t) }"),
    (10, FLAT + "(float[N,6] y) { t = Tanh(x) y = Dropout (t) }"),
    (7, FLAT + "(float[N,2] y) { a, b = Split <axis = 1, split = [2, 4]> (x) c, d = Split <axis = 1> (b) y = Mul(a, d) }"),
    (7, FLAT + "(float[N,2] y) { y, i = TopK <axis = 1, k = 2> (x) }"),
    (10, FLAT + "(float[N,2] y) { y, i = TopK <axis = 1> (x, k) }"),
    (7, FLAT + "(float[N,2] y) { t = Sigmoid(x) y = Gather <axis = 1> (t, at) }"),
    (7, FLAT + "(float[N,12] y) { t = Sin(x) y = Concat <axis = 1> (t, x) }"),
    (9, FLAT + "(float[N,6] y) { t = Erf(x) y = Where(c, t, x) }"),
    (7, FLAT + "(float[N,6] y) { t = Neg(x) u = Abs(t) p = Sqrt(u) q = Elu(x) y = Mean(p, q) }"),
    (7, FLAT + "(float[N,6] y) { t = Selu(x) u = Softplus(x) p = Softsign(u) y = Max(t, p) }"),
]  # fmt: skip


@pytest.mark.parametrize(("opset", "text"), CASES, ids=lambda value: str(value)[-70:])
def test_older_forms(opset: int, text: str) -> None:
    words = set(text.replace("(", " ").replace(")", " ").replace(",", " ").split("=>")[1].split())
    constants = {name: value for name, value in VALUES.items() if name in words}
    if "Where" in text:
        constants["c"] = np.asarray([True, False, True, True, False, False])
    if "{ a = Unsqueeze" in text or 'mode = "linear"> (x, up)' in text:
        constants = {name: value for name, value in constants.items() if name != "s"}
    model = model_of(text, opset, **constants)
    check_gradient(model, gradient_model(model, output="y"), directions=6).require(2e-5)


def test_the_old_softmax_spans_all_later_axes() -> None:
    """Before opset 13 the axes from `axis` on were one: here 4 probabilities that sum to 1, not 2 pairs of them."""
    model = model_of("g (float[1,2,2] x) => (float[1,2,2] y) { y = Softmax <axis = 1> (x) }", 11)
    seed = np.zeros((1, 2, 2), np.float32)
    seed[0, 0, 0] = 1
    y, gradient = run(gradient_model(model), "y", "grad/x", x=np.zeros((1, 2, 2), np.float32), seed=seed)
    np.testing.assert_allclose(y, 0.25)
    np.testing.assert_allclose(gradient, [[[3 / 16, -1 / 16], [-1 / 16, -1 / 16]]], rtol=1e-6)


def test_large_weights_are_kept_to_the_bit_where_the_converter_does_not_see_them() -> None:
    weights = RNG.standard_normal((40, 50)).astype(np.float32)
    text = "g (float[N,40] x) => (float[N,50] y) { a = MatMul(x, m) t = Tanh(a) y = Softmax (t) }"
    old = canonicalise(model_of(text, 9, m=weights)).model
    assert [info.name for info in old.graph.input] == ["x"]
    (kept,) = (tensor for tensor in old.graph.initializer if tensor.name == "m")
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(kept), weights)
    x = RNG.standard_normal((2, 40)).astype(np.float32)
    seed = RNG.standard_normal((2, 50)).astype(np.float32)
    got, expected = (
        run(gradient_model(model_of(text, opset, m=weights)), "grad/x", x=x, seed=seed)[0] for opset in (9, 17)
    )
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_scatter_became_scatter_elements() -> None:
    text = "g (float[2,6] x) => (float[2,6] y) { t = Tanh(x) y = Scatter <axis = 1> (t, places, values) }"
    model = model_of(text, 9, places=VALUES["places"][:, :2], values=VALUES["values"][:, :2])
    check_gradient(model, gradient_model(model)).require(2e-5)


def test_the_scan_of_opset_8_is_refused() -> None:
    text = """g (float[1,3,2] x) => (float[1,3,2] z) {
        y, z = Scan <num_scan_inputs = 1, body = step (float[2] a, float[2] r) => (float[2] b, float[2] o) {
            b = Add(a, r) o = Identity(b)
        }> ("", start, x)
    }"""
    model = model_of(text.replace('"", start', "start, start"), 8, start=np.zeros((1, 2), np.float32))
    model.graph.node[0].input[0] = ""
    with pytest.raises(
        ModelError, match="the model's opset is 8, where Scan has another form; export it again at opset"
    ):
        gradient_model(model)
