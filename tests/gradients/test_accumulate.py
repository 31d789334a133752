"""Running sums inside the graph: the same bytes however the samples are batched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import averaging_model, gradient_model
from consensus_onnx.gradients.accumulate import SQUARE_SUM, SQUARE_SUM_OUT, SUM, SUM_OUT
from consensus_onnx.runtime import RuntimeSettings, open_session
from gradients.graphs import model_of

FOLDER = Path(__file__).parent.parent / "data" / "gradients"
SAMPLES = 14


def samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.standard_normal((SAMPLES, 3, 16, 16)).astype(np.float32), np.eye(10, dtype=np.float32)[[3] * SAMPLES]


def sums(name: str, batch: int, threads: int) -> tuple[np.ndarray, np.ndarray]:
    session = open_session(averaging_model(gradient_model(FOLDER / f"{name}.onnx")), RuntimeSettings(threads=threads))
    pictures, seeds = samples()
    total = square = np.zeros((1, 3, 16, 16), np.float32)
    for at in range(0, SAMPLES, batch):
        part = slice(at, at + batch)
        feeds = {"input": pictures[part], "grad/seed": seeds[part], SUM: total, SQUARE_SUM: square}
        total, square = session.run([SUM_OUT, SQUARE_SUM_OUT], feeds)
    return total, square


@pytest.mark.parametrize("name", ["mobile", "transformer", "plain", "mixer", "group_norm"])
def test_sums_have_the_same_bytes_for_every_split(name: str) -> None:
    whole = [array.tobytes() for array in sums(name, SAMPLES, 1)]
    for batch, threads in ((1, 1), (3, 1), (7, 1), (1, 2), (3, 2), (7, 2), (SAMPLES, 2)):
        assert [array.tobytes() for array in sums(name, batch, threads)] == whole, (batch, threads)


def test_sums_are_sums() -> None:
    pictures, seeds = samples()
    session = open_session(gradient_model(FOLDER / "residual.onnx"), RuntimeSettings(threads=1))
    (gradients,) = session.run(["grad/input"], {"input": pictures, "grad/seed": seeds})
    total, square = sums("residual", 5, 1)
    np.testing.assert_allclose(total[0], gradients.sum(0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(square[0], (gradients**2).sum(0), rtol=1e-5, atol=1e-9)


def test_only_the_sums_are_left() -> None:
    model = averaging_model(gradient_model(FOLDER / "plain.onnx"))
    assert [info.name for info in model.graph.input] == ["input", "grad/seed", SUM, SQUARE_SUM]
    assert [info.name for info in model.graph.output] == [SUM_OUT, SQUARE_SUM_OUT]
    assert "logits" not in {name for node in model.graph.node for name in node.output}, "a forward output nothing needs"


def test_float16_gradients_are_summed_in_float32() -> None:
    model = model_of("g (float16[N,4] x) => (float16[N,4] y) { y = Mul(x, x) }")
    session = open_session(averaging_model(gradient_model(model)), RuntimeSettings(threads=1))
    x = np.full((3, 4), 30000, np.float16)
    zeros = np.zeros((1, 4), np.float32)
    total, square = session.run(
        [SUM_OUT, SQUARE_SUM_OUT], {"x": x, "grad/seed": np.ones_like(x), SUM: zeros, SQUARE_SUM: zeros}
    )
    assert total.dtype == np.float32
    np.testing.assert_allclose(total, 3 * 60000, rtol=1e-3)
    np.testing.assert_allclose(square, 3 * 60000.0**2, rtol=1e-3)


def test_other_models_are_refused() -> None:
    plain = model_of("g (float[N,4] x) => (float[N,4] y) { y = Relu(x) }")
    with pytest.raises(
        ModelError, match=r"expected a model made by gradient_model, with input 'grad/seed'; got inputs x"
    ):
        averaging_model(plain)
    inner = model_of("g (float[N,4] x) => (float[N,4] y) { h = Tanh(x) y = Relu(h) }")
    with pytest.raises(ModelError, match="differentiates by the inner tensor 'h'"):
        averaging_model(gradient_model(inner, wrt="h"))
