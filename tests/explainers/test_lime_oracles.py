"""LIME against the lime package and against scikit-learn, on the same model, superpixels, rows and predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lime.lime_image import LimeImageExplainer
from sklearn.linear_model import LinearRegression

import consensus_onnx as co
from consensus_onnx.explainers.masking import make_masking
from consensus_onnx.explainers.randomness import stream_key
from consensus_onnx.explainers.surrogate import perturbation_rows
from consensus_onnx.images.canvas import canvas_digest
from consensus_onnx_zoo.scenes import draw_scene
from miniature import build_committee

SAMPLES = 160


class TheseRows(np.random.RandomState):
    """A random state that deals given rows."""

    def __init__(self, rows: np.ndarray) -> None:
        super().__init__(0)
        self._rows = rows

    def randint(self, low: int, high: int, size: int) -> np.ndarray:  # type: ignore[override]
        assert (low, high, size) == (0, 2, self._rows.size)
        return self._rows.ravel().astype(int)


def lime_package_weights(
    classifier: co.Classifier, canvas: np.ndarray, segments: np.ndarray, rows: np.ndarray, target: int
) -> np.ndarray:
    """Return the lime package's weights for a class, by superpixel."""

    def probabilities(pictures: np.ndarray) -> np.ndarray:
        batch = np.stack([classifier.input_tensor(picture) for picture in pictures.astype(np.uint8)])
        return classifier.probabilities(batch.astype(classifier.facts.input.dtype))

    explanation = LimeImageExplainer(random_state=TheseRows(rows)).explain_instance(
        canvas,
        probabilities,
        labels=(target,),
        top_labels=None,
        num_samples=len(rows),
        random_seed=0,
        segmentation_fn=lambda picture: segments,
    )
    weights = np.zeros(segments.max() + 1)
    for superpixel, weight in explanation.local_exp[target]:
        weights[superpixel] = weight
    return weights


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> co.Classifier:
    return co.load_committee(build_committee(tmp_path_factory.mktemp("models")))[0].open()


def rows_of(canvas: np.ndarray, segments: np.ndarray, seed: int) -> np.ndarray:
    key = stream_key(seed, "lime.rows", canvas_digest(canvas))
    return perturbation_rows(key, SAMPLES, int(segments.max()) + 1)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("seed", [0, 3])
def test_lime_preset_equals_the_lime_package(classifier: co.Classifier, seed: int) -> None:
    canvas = draw_scene(10_000 + seed).picture
    lime = co.Lime(samples=SAMPLES, alpha=1.0, superpixels=co.Superpixels(method="slic", segments=30))
    ours = lime.explain(classifier, canvas, seed=seed)
    assert ours.segments is not None
    theirs = lime_package_weights(classifier, canvas, ours.segments, rows_of(canvas, ours.segments, seed), ours.target)
    np.testing.assert_allclose(ours.values, theirs, atol=1e-6, rtol=0)


def test_paper_preset_equals_weighted_least_squares(classifier: co.Classifier) -> None:
    canvas = draw_scene(10_001).picture
    lime = co.Lime(samples=SAMPLES, superpixels=co.Superpixels(method="slic", segments=30))
    ours = lime.explain(classifier, canvas)
    assert ours.segments is not None
    rows = rows_of(canvas, ours.segments, 0)
    pictures = make_masking(classifier, canvas, ours.segments, "mean").pictures(rows)
    answers = np.concatenate([classifier.probabilities(some) for some in np.split(pictures, 20)])[:, ours.target]
    weights = np.sqrt(np.exp(-((1 - np.sqrt(rows.mean(axis=1))) ** 2) / 0.25**2))
    oracle = LinearRegression().fit(rows, answers, sample_weight=weights)
    np.testing.assert_allclose(ours.values, oracle.coef_, atol=1e-10, rtol=0)
    assert ours.error.r2 == pytest.approx(oracle.score(rows, answers, sample_weight=weights), abs=1e-10)


def test_masked_batches_equal_a_picture_built_pixel_by_pixel(classifier: co.Classifier) -> None:
    canvas = draw_scene(10_002).picture
    segments = co.Superpixels(method="grid", segments=16).segment(canvas)
    rows = rows_of(canvas, segments, 1)[:6]
    built = make_masking(classifier, canvas, segments, "mean").pictures(rows)
    for row, batch in zip(rows, built, strict=True):
        picture = canvas.copy()
        for superpixel in np.flatnonzero(row == 0):
            picture[segments == superpixel] = canvas[segments == superpixel].mean(axis=0)  # uint8: truncated
        np.testing.assert_allclose(batch, classifier.input_tensor(picture), atol=1e-6)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.real
def test_lime_equals_the_lime_package_on_a_real_model(real_data: Path) -> None:
    classifier = co.load_committee(real_data / "imagenet" / "models").member("mobilenet_v1_0.25_224_keras").open()
    picture = sorted((real_data / "imagenet" / "images").iterdir())[0]
    canvas = co.load_canvas(picture)
    lime = co.Lime(samples=SAMPLES, alpha=1.0, superpixels=co.Superpixels(**co.Superpixels.PRESETS["lime"]))
    ours = lime.explain(classifier, canvas)
    assert ours.segments is not None
    theirs = lime_package_weights(classifier, canvas, ours.segments, rows_of(canvas, ours.segments, 0), ours.target)
    np.testing.assert_allclose(ours.values, theirs, atol=1e-6, rtol=0)
