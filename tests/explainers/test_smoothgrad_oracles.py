"""SmoothGrad against an average of single gradients, and against gradients known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
import tiny_models
from consensus_onnx.explainers.randomness import stream_key
from consensus_onnx.explainers.smoothgrad import input_noise
from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.model import SEED
from consensus_onnx.images.canvas import canvas_digest
from consensus_onnx.runtime import open_session
from consensus_onnx_zoo.scenes import draw_scene
from miniature import build_committee


def one_by_one(classifier: co.Classifier, canvas: np.ndarray, smoothgrad: co.SmoothGrad, target: int) -> np.ndarray:
    """Average single gradients in float64; the noise is the explainer's own."""
    session = open_session(gradient_model(classifier.load()))
    clean = classifier.input_tensor(canvas)
    key = stream_key(0, "smoothgrad.noise", canvas_digest(canvas))
    deviation = np.float32(smoothgrad.noise) * (clean.max() - clean.min())
    seed = np.zeros((1, classifier.facts.output.width), np.float32)
    seed[0, target] = 1
    total = np.zeros(clean.shape)
    for draw in input_noise(classifier, key, smoothgrad.samples):
        feeds = {classifier.facts.input.name: (clean + deviation * draw)[np.newaxis], SEED: seed}
        total += session.run([f"grad/{classifier.facts.input.name}"], feeds)[0][0]
    return np.abs(total / smoothgrad.samples).sum(axis=0)


def test_it_is_the_average_of_single_gradients(tmp_path: Path) -> None:
    classifier = co.load_committee(build_committee(tmp_path))[1].open()
    canvas = draw_scene(10_003).picture
    smoothgrad = co.SmoothGrad(samples=9)
    ours = smoothgrad.explain(classifier, canvas)
    expected = one_by_one(classifier, canvas, smoothgrad, ours.target)
    np.testing.assert_allclose(ours.values, expected, atol=2e-6 * expected.max())


def test_the_map_of_a_linear_model_is_its_weights(tmp_path: Path) -> None:
    folder = tiny_models.write_committee(tmp_path, {"linear": tiny_models.linear_classifier(size=8)})
    canvas = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    ours = co.SmoothGrad(samples=4).explain(co.load_committee(folder)[0], canvas, target=2)
    expected = np.abs(tiny_models.linear_weights(8)[2]).sum(axis=0)
    np.testing.assert_allclose(ours.values, expected, rtol=1e-5)
    # Constant gradients have no Monte-Carlo error; float32 sums of squares leave 1e-4 of it.
    assert ours.error.standard_error.max() < 1e-3 * expected.max()


@pytest.mark.real
def test_it_is_the_average_of_single_gradients_on_a_real_model(real_data: Path) -> None:
    classifier = co.load_committee(real_data / "imagenet" / "models").member("mobilenet_v1_0.25_128_coral").open()
    canvas = co.load_canvas(sorted((real_data / "imagenet" / "images").iterdir())[1])
    smoothgrad = co.SmoothGrad(samples=5)
    ours = smoothgrad.explain(classifier, canvas)
    expected = one_by_one(classifier, canvas, smoothgrad, ours.target)
    np.testing.assert_allclose(ours.values, expected, atol=2e-6 * expected.max())
