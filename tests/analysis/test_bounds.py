"""Bounds of means and shares: they hold as often as they say, for few and skewed numbers too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from consensus_onnx.analysis import bounded_mean, bounded_share


def test_of_many_normal_numbers_they_are_those_of_the_t_distribution() -> None:
    values = np.random.default_rng(0).normal(0.3, 0.1, 400)
    found = bounded_mean(values)
    expected = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected, abs=5e-4)
    assert found.at_least == pytest.approx(values.mean() - stats.t.ppf(0.95, 399) * stats.sem(values), abs=5e-4)


@pytest.mark.parametrize("images", [6, 24])
@pytest.mark.parametrize("shape", ["normal", "skewed"])
def test_a_mean_lies_beyond_its_bound_about_as_often_as_said(images: int, shape: str) -> None:
    rng = np.random.default_rng(1)
    trials = 200
    draw = rng.normal(0.0, 1.0, (trials, images)) if shape == "normal" else 1 - rng.exponential(1.0, (trials, images))
    beyond = np.mean([bounded_mean(row, seed=trial).at_least > 0 for trial, row in enumerate(draw)])
    said = 0.05 if shape == "normal" else 0.10  # no bound from a few numbers is exact for the most skewed ones
    assert beyond <= said + 3 * np.sqrt(said * (1 - said) / trials)


def test_equal_numbers_leave_no_doubt_and_missing_ones_are_left_out() -> None:
    found = bounded_mean(np.array([0.5, np.nan, 0.5, 0.5]))
    assert (found.mean, found.low, found.high, found.spread, found.images) == (0.5, 0.5, 0.5, 0.0, 3)


def test_one_number_says_nothing_of_others() -> None:
    found = bounded_mean(np.array([0.5, np.nan]))
    assert found.mean == 0.5
    assert np.isnan([found.low, found.high, found.at_least, found.at_most]).all()


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (3, 24), (22, 24), (24, 24)])
def test_shares_are_bounded_as_scipy_does(hits: int, count: int) -> None:
    found = bounded_share(hits, count)
    two = stats.binomtest(hits, count).proportion_ci(0.95, "exact")
    assert (found.low, found.high) == pytest.approx((two.low, two.high))
    assert found.at_most == pytest.approx(stats.binomtest(hits, count, alternative="less").proportion_ci(0.95).high)
    assert found.at_least == pytest.approx(stats.binomtest(hits, count, alternative="greater").proportion_ci(0.95).low)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"level: must be > 0.5 and < 1, got 1.0"):
        bounded_mean(np.zeros(3), level=1.0)
    with pytest.raises(ValueError, match=r"hits: must be 0..3, got 4"):
        bounded_share(4, 3)
    assert np.isnan(bounded_share(0, 0).mean)
