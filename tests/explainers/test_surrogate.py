"""The linear surrogate against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

import naive
from consensus_onnx.explainers.surrogate import (
    balanced_rows,
    likeliest_penalties,
    make_design,
    perturbation_rows,
)
from consensus_onnx_kernels.ridge import lime_weights

KEY = np.array([11, 12], np.uint64)
ROWS = perturbation_rows(KEY, 200, 20)
TARGETS = np.random.default_rng(0).normal(size=(200, 3)) + ROWS @ np.linspace(-1, 1, 60).reshape(20, 3)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("width", [0.1, 0.25, 25.0])
def test_it_is_a_weighted_ridge(alpha: float, width: float) -> None:
    fit = make_design(ROWS, width, alpha).fit(TARGETS)
    weights = naive.lime_weights(ROWS, width)
    for t in range(3):
        oracle = Ridge(alpha=alpha).fit(ROWS, TARGETS[:, t], sample_weight=weights)
        np.testing.assert_allclose(fit.coefficients[t], oracle.coef_, atol=1e-10)
        assert fit.intercepts[t] == pytest.approx(oracle.intercept_, abs=1e-10)
        assert fit.r2[t] == pytest.approx(oracle.score(ROWS, TARGETS[:, t], sample_weight=weights), abs=1e-10)


def test_targets_fitted_together_are_as_if_fitted_alone() -> None:
    design = make_design(ROWS, 0.25, 0.0)
    together = design.fit(TARGETS)
    for t in range(3):
        alone = design.fit(TARGETS[:, t : t + 1])
        np.testing.assert_array_equal(together.coefficients[t], alone.coefficients[0])
        np.testing.assert_array_equal(together.standard_errors[t], alone.standard_errors[0])


def test_rows_are_fair_coins_of_their_index() -> None:
    rows = perturbation_rows(KEY, 1000, 50)
    assert (rows[0] == 1).all()
    np.testing.assert_array_equal(rows[1:], naive.random_bits(KEY, 1, 999, 50))
    np.testing.assert_array_equal(perturbation_rows(KEY, 300, 50), rows[:300])
    assert rows[1:].mean() == pytest.approx(0.5, abs=0.01)
    assert np.abs(np.corrcoef(rows[1:].T) - np.eye(50)).max() < 0.15


def test_a_column_that_repeats_another_is_named() -> None:
    rows = ROWS.copy()
    rows[:, 7] = rows[:, 3]
    with pytest.raises(
        ValueError, match=r"200 perturbations cannot determine .* 20 superpixels \(stuck at superpixel 7\)"
    ):
        make_design(rows, 0.25, 0.0)
    make_design(rows, 0.25, 1.0)


def test_rows_must_be_bits() -> None:
    with pytest.raises(ValueError, match="rows: expected dtype uint8, got int64"):
        make_design(ROWS.astype(np.int64), 0.25, 0.0)


@pytest.mark.parametrize("pixels", [np.full(6, 50), np.array([5, 10, 20, 40, 80, 160])], ids=["equal", "unequal"])
def test_the_likeliest_penalties_are_those_of_the_gaussian_itself(pixels: np.ndarray) -> None:
    """Evidence worked out from the covariance of the target, without eigenvectors."""
    rng = np.random.default_rng(3)
    shares = pixels / pixels.mean()
    rows = rng.integers(0, 2, (70, 6)).astype(np.uint8)
    target = rows @ (rng.normal(0, 0.2, 6) * np.sqrt(shares)) + rng.normal(0, 0.3, 70)
    weights = lime_weights(rows, 0.25)
    root = np.sqrt(weights)
    x = root[:, None] * (rows - np.average(rows, axis=0, weights=weights))
    y = root * (target - np.average(target, weights=weights))
    steps = np.logspace(-4, 6, 101) * np.trace(x @ np.diag(shares) @ x.T) / 6

    def surprise(alpha: float) -> float:
        covariance = np.eye(70) + x @ np.diag(shares) @ x.T / alpha
        return float(69 * np.log(y @ np.linalg.solve(covariance, y)) + np.linalg.slogdet(covariance)[1])

    found = likeliest_penalties(rows, weights, target, pixels) * shares
    np.testing.assert_allclose(found, min(steps, key=surprise), rtol=1e-12)
    assert steps[0] < found[0] < steps[-1]


def test_little_noise_asks_for_little_ridge_and_no_signal_for_all() -> None:
    rng = np.random.default_rng(4)
    rows = rng.integers(0, 2, (90, 30)).astype(np.uint8)
    weights, pixels = lime_weights(rows, 0.25), np.ones(30, np.int64)
    signal, noise = rows @ rng.normal(size=30), rng.normal(size=90)
    alphas = [likeliest_penalties(rows, weights, signal + scale * noise, pixels)[0] for scale in (0.01, 1.0, 10.0)]
    assert alphas == sorted(alphas)
    assert alphas[0] < 0.1 * alphas[-1]
    assert likeliest_penalties(rows, weights, np.full(90, 0.3), pixels)[0] >= alphas[-1]
    few = likeliest_penalties(rows[:20], weights[:20], signal[:20], pixels)  # fewer rows than weights are enough
    assert np.isfinite(make_design(rows[:20], 0.25, few).fit(signal[:20, None]).coefficients).all()


def test_a_superpixel_without_pixels_costs_what_one_pixel_does() -> None:
    weights, pixels = lime_weights(ROWS, 0.25), np.arange(20)
    found = likeliest_penalties(ROWS, weights, TARGETS[:, 0], pixels)
    assert found[0] == found[1] == pytest.approx(2 * found[2])


BLOCKS = np.array([13, 14], np.uint64)


@given(k=st.integers(1, 70), samples=st.integers(2, 400), more=st.integers(0, 300))
def test_balanced_rows_are_a_prefix_of_more(k: int, samples: int, more: int) -> None:
    rows = balanced_rows(KEY, BLOCKS, samples, k)
    assert rows.shape == (samples, k)
    assert rows[0].all()
    np.testing.assert_array_equal(rows, balanced_rows(KEY, BLOCKS, samples + more, k)[:samples])


@pytest.mark.parametrize("k", [7, 8, 31, 100])
def test_whole_blocks_balance_every_pair(k: int) -> None:
    size = 1 << k.bit_length()
    rows = balanced_rows(KEY, BLOCKS, 4 * size, k).astype(np.int64)
    for block in (rows[size : 2 * size], rows[2 * size : 3 * size]):  # the first has the row that keeps everything
        assert (block.sum(axis=0) == size // 2).all()
        together = block.T @ block
        assert (together[~np.eye(k, dtype=bool)] == size // 4).all()
    assert not np.array_equal(rows[size : 2 * size], rows[2 * size : 3 * size])


def test_each_balanced_row_is_fair_coins_by_itself() -> None:
    """Over many keys, any given row is on in half of the superpixels, and in pairs a quarter of the time."""
    k = 6
    some = np.array(
        [balanced_rows(np.array([i, 1], np.uint64), np.array([i, 2], np.uint64), 12, k) for i in range(3000)]
    )
    for row in (1, 5, 11):
        drawn = some[:, row].astype(float)
        np.testing.assert_allclose(drawn.mean(axis=0), 0.5, atol=0.05)
        np.testing.assert_allclose(np.cov(drawn.T) + 0.25 * (1 - np.eye(k)), 0.25, atol=0.03)


def test_balanced_rows_leave_less_noise_than_independent_ones() -> None:
    rng = np.random.default_rng(5)
    truth, k = rng.normal(size=50), 50

    def error(rows: np.ndarray) -> float:
        target = rows @ truth + 4 * (rows[:, 0] ^ rows[:, 1]) + 3 * rng.normal(size=len(rows))
        return float(((make_design(rows, 25.0, 0.0).fit(target[:, None]).coefficients[0] - truth) ** 2)[2:].mean())

    keys = [np.array([i, i + 1], np.uint64) for i in range(30)]
    balanced = np.mean([error(balanced_rows(key, BLOCKS, 128, k)) for key in keys])
    independent = np.mean([error(perturbation_rows(key, 128, k)) for key in keys])
    assert balanced < 0.75 * independent  # 1 / 128 against 1 / 78
