"""Sums inside the graph against sums outside of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
from consensus_onnx.explainers.gradient_sums import gradient_sums
from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import open_session
from tiny_models import TinyNet, batch_breaker, open_model

INPUTS = np.random.default_rng(1).normal(size=(10, 3, 16, 16)).astype(np.float32)


def one_by_one(classifier: co.Classifier, target: int, inputs: np.ndarray = INPUTS) -> np.ndarray:
    """Return single gradients, float64 (S, ...)."""
    session = open_session(gradient_model(classifier.load()))
    seed = np.zeros((1, classifier.facts.output.width), np.float32)
    seed[0, target] = 1
    return np.array(
        [session.run(["grad/input"], {"input": picture[np.newaxis], SEED: seed})[0][0] for picture in inputs],
        np.float64,
    )


@pytest.mark.parametrize("batch", [1, 3, 4, 64])
@pytest.mark.parametrize("net", [TinyNet(), TinyNet(batch=1), TinyNet(batch=3), TinyNet(background=True)], ids=str)
def test_sums_and_squares(net: TinyNet, batch: int, tmp_path: Path) -> None:
    manifest = net.declaration() + "classes: 5\n"
    classifier = open_model(tmp_path, net, manifest, batch=batch)
    found = gradient_sums(classifier, "logits").over(INPUTS, 2)
    reference = open_model(tmp_path, TinyNet(background=net.background), batch=1)
    gradients = one_by_one(reference, 2 + net.background)
    assert found.sum.shape == found.squares.shape == (3, 16, 16)
    np.testing.assert_allclose(found.sum, gradients.sum(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.squares, (gradients**2).sum(axis=0), atol=1e-5)


def test_a_model_that_runs_one_by_one_is_summed_one_by_one(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, batch_breaker(size=16), "")
    found = gradient_sums(classifier, "logits").over(INPUTS, 1)
    np.testing.assert_allclose(found.sum, one_by_one(classifier, 1).sum(axis=0), atol=1e-6)


def test_the_session_is_opened_once_for_each_kind(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    assert gradient_sums(classifier, "logits") is gradient_sums(classifier, "logits")
    assert gradient_sums(classifier, "logits") is not gradient_sums(classifier, "probabilities")


def test_inputs_of_another_shape_are_an_error_of_the_model(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    with pytest.raises(co.ModelError, match=r"model\.onnx: its gradient graph fails while running: "):
        gradient_sums(classifier, "logits").over(np.zeros((2, 3, 9, 9), np.float32), 0)
