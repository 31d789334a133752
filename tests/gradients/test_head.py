"""Finding logits and probabilities, and differentiating either."""

from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import Head, find_head, gradient_model
from gradients.graphs import model_of, ops, run

LOGITS = "g (float[N,4] x) => (float[N,4] y) { y = Mul(x, x) }"
SOFTMAX = "g (float[N,4] x) => (float[N,4] y) { z = Mul(x, x) y = Softmax <axis = 1> (z) }"
LOG_SOFTMAX = "g (float[N,4] x) => (float[N,4] y) { z = Mul(x, x) y = LogSoftmax <axis = 1> (z) }"
TAILED = """g (float[N,4] x) => (float[N,4] y) {
    z = Mul(x, x) p = Softmax <axis = 1> (z) c = Cast <to = 1> (p) f = Flatten(c) y = Identity(f)
}"""


@pytest.mark.parametrize(
    ("text", "head"),
    [
        (LOGITS, Head("y", "y", None)),
        (SOFTMAX, Head("y", "z", "y", 1)),
        (TAILED, Head("y", "z", "y", 1)),
        ("g (float[N,4] x) => (float[N,4] y) { y = Sigmoid(x) }", Head("y", None, None)),
        ("g (float[N,4] x) => (float[N,4] y) { y = LogSoftmax(x) }", Head("y", "x", None, -1, "y")),
    ],
)
def test_find_head(text: str, head: Head) -> None:
    assert find_head(model_of(text)) == head


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.mark.parametrize("text", [LOGITS, SOFTMAX, TAILED, LOG_SOFTMAX])
def test_logits_and_probabilities_of_either_model(text: str) -> None:
    x = np.asarray([[0.1, -0.4, 0.7, 0.2], [1, 0.5, -0.3, 0]], np.float32)
    seed = np.eye(4, dtype=np.float32)[[2, 0]]
    (gradient,) = run(gradient_model(model_of(text), of="logits"), "grad/x", x=x, seed=seed)
    np.testing.assert_allclose(gradient, 2 * x * seed, atol=1e-6)
    (gradient,) = run(gradient_model(model_of(text), of="probabilities"), "grad/x", x=x, seed=seed)
    p = softmax(x * x)
    np.testing.assert_allclose(gradient, 2 * x * p * (seed - (seed * p).sum(1, keepdims=True)), atol=1e-6)
    (gradient,) = run(gradient_model(model_of(text), of="log-probabilities"), "grad/x", x=x, seed=seed)
    np.testing.assert_allclose(gradient, 2 * x * (seed - p), atol=1e-6)


def test_the_differentiated_tensor_becomes_an_output() -> None:
    model = gradient_model(model_of(SOFTMAX), of="logits")
    assert [info.name for info in model.graph.output] == ["y", "z", "grad/x"]
    model = gradient_model(model_of(LOGITS), of="probabilities")
    assert [info.name for info in model.graph.output] == ["y", "grad/probabilities", "grad/x"]
    assert "Softmax" in ops(model)


def test_a_sigmoid_head_has_no_logits_to_strip() -> None:
    model = model_of("g (float[N,4] x) => (float[N,4] y) { y = Sigmoid(x) }")
    with pytest.raises(
        ModelError, match="output 'y' is neither logits nor their Softmax; differentiate it with of='output'"
    ):
        gradient_model(model, of="logits")


def test_several_outputs_have_to_be_told_apart() -> None:
    model = model_of("g (float[N,4] x) => (float[N,4] y, float[N,4] z) { y = Relu(x) z = Tanh(x) }")
    with pytest.raises(ModelError, match=r"the model has 2 outputs of floats \(y, z\); name one"):
        find_head(model)
    assert find_head(model, "z").logits == "z"
    with pytest.raises(ValueError, match="output: expected one of y, z, got 'q'"):
        find_head(model, "q")
