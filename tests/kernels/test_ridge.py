import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics.pairwise import cosine_distances

import naive
from consensus_onnx_kernels import noise, ridge

KEY = np.array([11, 12], np.uint64)


def problem(count=120, k=17, targets=3, seed=0):
    rows = noise.random_bits(KEY, 1000 * seed, count, k)
    rows[0] = 1
    rng = np.random.default_rng(seed)
    noise_free = rows @ rng.normal(size=(k, targets)) + rng.normal(size=targets)
    return rows, ridge.lime_weights(rows, 0.25), noise_free + 0.3 * rng.normal(size=(count, targets))


def fit(rows, weights, targets, alpha):
    means, factor, bad = ridge.weighted_design(rows, weights, np.full(rows.shape[1], alpha))
    assert bad == -1
    coefficients, intercepts = ridge.solve(factor, rows, weights, means, targets)
    statistics = ridge.fit_statistics(factor, rows, weights, means, targets, coefficients, intercepts)
    return coefficients, intercepts, *statistics


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 30.0])
def test_equals_scikit_learn(alpha):
    rows, weights, targets = problem()
    model = Ridge(alpha) if alpha else LinearRegression()
    model.fit(rows, targets, sample_weight=weights)
    coefficients, intercepts, r2, _ = fit(rows, weights, targets, alpha)
    np.testing.assert_allclose(coefficients, model.coef_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(intercepts, model.intercept_, rtol=0, atol=1e-10)
    assert r2.mean() == pytest.approx(model.score(rows, targets, sample_weight=weights), abs=1e-12)


def test_each_column_may_have_its_own_penalty():
    rows, weights, targets = problem()
    penalties = np.linspace(0.1, 40, rows.shape[1])
    means, factor, _ = ridge.weighted_design(rows, weights, penalties)
    coefficients, _ = ridge.solve(factor, rows, weights, means, targets)
    scaled = Ridge(1.0).fit(rows / np.sqrt(penalties), targets, sample_weight=weights)  # a smaller column costs more
    np.testing.assert_allclose(coefficients, scaled.coef_ / np.sqrt(penalties), rtol=0, atol=1e-10)


def test_more_columns_than_rows_need_a_penalty():
    rows, weights, targets = problem(count=30, k=50)
    model = Ridge(1.0).fit(rows, targets, sample_weight=weights)
    coefficients, intercepts, _, errors = fit(rows, weights, targets, 1.0)
    np.testing.assert_allclose(coefficients, model.coef_, atol=1e-10)
    np.testing.assert_allclose(intercepts, model.intercept_, atol=1e-10)
    assert np.isnan(errors).all()
    assert ridge.weighted_design(rows, weights, np.zeros(rows.shape[1]))[2] != -1


@given(st.integers(30, 90), st.integers(1, 12), st.sampled_from([0.0, 0.01, 1.0]), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_twins_agree(count, k, alpha, seed):
    rows, weights, targets = problem(count, k, 2, seed)
    for ours, twin in zip(fit(rows, weights, targets, alpha), naive.ridge(rows, weights, targets, alpha), strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-8, atol=1e-10)


def test_the_twin_comparison_can_fail():
    rows, weights, targets = problem()
    coefficients, *_ = fit(rows, weights, targets, 1.0)
    assert np.abs(coefficients - naive.ridge(rows, weights, targets, 1.01)[0]).max() > 1e-5


def test_an_exact_linear_target_is_found():
    rows, weights, _ = problem(count=60, k=5)
    slopes = np.array([[3.0, -1.0, 0.0, 2.5, 0.25]])
    coefficients, intercepts, r2, errors = fit(rows, weights, rows @ slopes.T + 0.5, 0.0)
    np.testing.assert_allclose(coefficients, slopes, atol=1e-12)
    np.testing.assert_allclose(intercepts, 0.5, atol=1e-12)
    assert r2[0] == pytest.approx(1.0)
    assert errors.max() < 1e-12


def test_standard_errors_cover_the_truth():
    """Noise that grows with what is kept: sandwich intervals of 2 errors hold the true slopes 19 times in 20."""
    rows, weights, _ = problem(count=300, k=6)
    slopes = np.array([1.0, 2.0, 0.0, -1.0, 0.5, 3.0])
    rng = np.random.default_rng(5)
    targets = (rows @ slopes)[:, None] + rng.normal(size=(300, 200)) * (0.1 + rows[:, :1] + rows[:, 1:2])
    coefficients, _, _, errors = fit(rows, weights, targets, 0.0)
    covered = np.abs(coefficients - slopes) < 1.96 * errors
    assert 0.92 < covered.mean() < 0.97


def test_a_target_that_does_not_vary_has_no_r2():
    rows, weights, _ = problem()
    coefficients, intercepts, r2, _ = fit(rows, weights, np.full((120, 1), 0.3), 1.0)
    assert np.isnan(r2[0])
    np.testing.assert_allclose(coefficients, 0.0, atol=1e-15)
    np.testing.assert_allclose(intercepts, 0.3)


@pytest.mark.parametrize("spoil", ["constant", "never kept", "copy", "complement", "sum"])
def test_dependent_columns_are_named(spoil):
    rows, weights, _ = problem(count=200, k=8)
    if spoil == "sum":
        rows[:, 3] &= 1 - rows[:, 2]
    rows[:, 5] = {
        "constant": 1,
        "never kept": 0,
        "copy": rows[:, 2],
        "complement": 1 - rows[:, 2],
        "sum": rows[:, 2] + rows[:, 3],
    }[spoil]
    assert ridge.weighted_design(rows, weights, np.zeros(rows.shape[1]))[2] == 5
    assert ridge.weighted_design(rows, weights, np.ones(rows.shape[1]))[2] == -1


def test_same_bits_every_time_and_for_any_company_of_targets():
    rows, weights, targets = problem()
    first = fit(rows, weights, targets, 1.0)
    again = fit(rows.copy(), weights.copy(), targets.copy(), 1.0)
    alone = fit(rows, weights, np.ascontiguousarray(targets[:, 1:2]), 1.0)
    for one, two, single in zip(first, again, alone, strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(one[1:2], single)


def test_lime_weights_are_the_kernel_of_the_cosine_distance():
    rows = noise.random_bits(KEY, 0, 50, 33)
    rows[3] = 0
    rows[4] = 1
    distances = cosine_distances(rows, np.ones((1, 33))).ravel()
    expected = np.sqrt(np.exp(-(distances**2) / 0.25**2))
    weights = ridge.lime_weights(rows, 0.25)
    np.testing.assert_allclose(weights, expected, rtol=1e-12)
    np.testing.assert_allclose(weights, naive.lime_weights(rows, 0.25), rtol=1e-12)
    assert weights[4] == 1.0
    assert weights[3] == pytest.approx(np.exp(-8.0))
