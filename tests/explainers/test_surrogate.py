"""The linear surrogate against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import naive
from consensus_onnx.explainers.surrogate import make_design, perturbation_rows

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
