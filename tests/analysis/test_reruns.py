"""Reruns that were only predicted look like reruns that were made."""

from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.analysis import predicted_map_reruns, predicted_reruns, rerun_range
from consensus_onnx.arrays import AnyArray


def cosine(a: AnyArray, b: AnyArray) -> float:
    return float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0])
def test_weights_rerun_as_predicted(noise: float) -> None:
    """Truth, noise and reruns are drawn; the prediction sees one run and its errors alone."""
    rng = np.random.default_rng(3)
    made, drawn, norms = [], [], []
    for image in range(60):
        truth = rng.normal(0.2, 1.0, 60)
        error = noise * rng.uniform(0.5, 1.5, 60)
        first, second = truth + error * rng.standard_normal((2, 60))
        made.append(cosine(first, second))
        predicted = predicted_reruns(first, error, 8, seed=image)
        drawn.append(np.mean([cosine(first, one) for one in predicted]))
        norms.append(np.mean(predicted**2) / np.mean(second**2))
    assert np.mean(drawn) == pytest.approx(np.mean(made), abs=0.015)
    assert np.mean(norms) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("draws", [8, 32])
def test_maps_rerun_as_predicted(draws: int) -> None:
    """Signed gradients with noise that goes with them, as SmoothGrad's do; magnitudes are summed over channels."""
    rng = np.random.default_rng(4)
    made, drawn, peaks = [], [], []
    for image in range(20):
        scale = rng.gamma(0.5, 1.0, (1, 24, 24))
        truth = scale * rng.standard_normal((3, 24, 24))
        runs = truth + 3 * scale * rng.standard_normal((2, draws, 3, 24, 24))
        first, second = (np.abs(run.mean(axis=0)).sum(axis=0) for run in runs)
        error = np.sqrt(runs[0].var(axis=0, ddof=1).sum(axis=0) / draws)
        predicted = predicted_map_reruns(first, error, 8, seed=image)
        assert (predicted >= 0).all()
        made.append(cosine(first, second))
        drawn.append(np.mean([cosine(first, one) for one in predicted]))
        peaks.append(predicted.max(axis=(1, 2)).mean() / second.max())
    assert np.mean(drawn) == pytest.approx(np.mean(made), abs=0.03)
    assert np.mean(peaks) == pytest.approx(1.0, abs=0.15)  # what the RBF's scaling to 0..1 hangs on


def test_without_error_a_rerun_is_the_same() -> None:
    values = np.array([[0.3, 1.0], [0.0, 2.0]])
    np.testing.assert_allclose(predicted_reruns(values, np.zeros((2, 2)), 3), np.stack([values] * 3))
    np.testing.assert_allclose(predicted_map_reruns(values, np.zeros((2, 2)), 3), np.stack([values] * 3))


def test_errors_that_are_not_known_are_taken_for_none() -> None:
    assert np.isfinite(predicted_reruns(np.ones(3), np.full(3, np.nan), 2)).all()


@pytest.mark.parametrize("repeats", [1, 2, 8])
def test_one_more_rerun_lies_below_the_upper_end_as_often_as_said(repeats: int) -> None:
    """Every image has its own bias, which reruns share, and its own noise, which they do not."""
    rng = np.random.default_rng(5)
    outside = 0
    trials = 400
    for _ in range(trials):
        bias = rng.normal(0.01, 0.02, 24)
        noise = rng.gamma(2.0, 0.01, 24)
        runs = bias + noise * rng.standard_normal((repeats + 1, 24))
        outside += runs[-1].mean() > rerun_range(runs[:-1]).high
    assert outside / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_nothing_known_is_nan() -> None:
    found = rerun_range(np.full((2, 3), np.nan))
    assert np.isnan([found.mean, found.low, found.high, found.spread]).all()


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"standard_error: expected shape \(3,\) of the values, got \(2,\)"):
        predicted_reruns(np.ones(3), np.ones(2), 1)
    with pytest.raises(ValueError, match=r"draws: must be >= 1, got 0"):
        predicted_map_reruns(np.ones((2, 2)), np.ones((2, 2)), 0)
