import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from consensus_onnx.analysis import average_precision, chance_precision, mean_average_precision, paint

RNG = np.random.default_rng(0)
MASK = RNG.random((30, 20)) < 0.25
MAP = (MASK + RNG.normal(size=MASK.shape)).astype(np.float32)


def test_equals_scikit_learn():
    assert average_precision(MASK, MAP) == pytest.approx(average_precision_score(MASK.ravel(), MAP.ravel()), abs=1e-12)
    coarse = np.round(MAP)
    expected = average_precision_score(MASK.ravel(), coarse.ravel())
    assert average_precision(MASK, coarse) == pytest.approx(expected, abs=1e-12)


def test_layout_in_memory_does_not_matter():
    assert average_precision(np.asfortranarray(MASK), np.asfortranarray(MAP)) == average_precision(MASK, MAP)


def test_perfect_and_ignorant_maps():
    assert average_precision(MASK, MASK.astype(np.float64)) == 1.0
    assert average_precision(MASK, np.zeros(MASK.shape)) == pytest.approx(chance_precision(MASK))
    guesses = [average_precision(MASK, RNG.random(MASK.shape)) for _ in range(200)]
    assert np.mean(guesses) == pytest.approx(chance_precision(MASK), abs=0.02)


def test_empty_masks_count_for_nothing():
    empty = np.zeros_like(MASK)
    assert math.isnan(average_precision(empty, MAP))
    assert math.isnan(chance_precision(empty))
    assert mean_average_precision([MASK, empty], [MAP, MAP]) == average_precision(MASK, MAP)
    assert math.isnan(mean_average_precision([empty], [MAP]))


def test_mean_over_images():
    values = [average_precision(MASK, MAP), average_precision(MASK, -MAP)]
    assert mean_average_precision([MASK, MASK], [MAP, -MAP]) == pytest.approx(np.mean(values))
    with pytest.raises(ValueError, match="shorter"):
        mean_average_precision([MASK, MASK], [MAP])


def test_paint():
    segments = np.array([[0, 1], [2, 1]], np.int32)
    assert np.array_equal(paint(np.array([0.5, -1.0, 2.0]), segments), [[0.5, -1.0], [2.0, -1.0]])
    with pytest.raises(ValueError, match=r"segments: expected labels in 0\.\.1, one weight each, got 0\.\.2"):
        paint(np.array([0.5, -1.0]), segments)


@pytest.mark.parametrize(
    ("mask", "explanation", "text"),
    [
        (MASK.astype(np.uint8), MAP, "mask: expected dtype bool, got uint8"),
        (MASK, MAP.T, r"explanation: expected shape \(30, 20\), got \(20, 30\)"),
        (MASK, MAP * np.float32(np.nan), "explanation: 600 of 600 values are nan"),
    ],
)
def test_wrong_input_is_named(mask, explanation, text):
    with pytest.raises(ValueError, match=text):
        average_precision(mask, explanation)
