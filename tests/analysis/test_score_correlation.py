import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from consensus_onnx.analysis import correlate, correlate_scores
from consensus_onnx.analysis.correlation import pearson_rows

RNG = np.random.default_rng(0)
ACCURACY = np.linspace(0.5, 0.8, 20)
SCORES = ACCURACY[:, np.newaxis] + RNG.normal(0, 0.1, (20, 30))


def test_the_point_is_the_correlation_of_means():
    found = correlate_scores(SCORES, ACCURACY)
    assert asdict(found.over_members) == pytest.approx(asdict(correlate(SCORES.mean(axis=1), ACCURACY)))
    assert found.over_members.pearson == pytest.approx(stats.pearsonr(SCORES.mean(axis=1), ACCURACY).statistic)


def test_interval_over_images_is_scipys_bootstrap():
    found = correlate_scores(SCORES, ACCURACY)
    oracle = stats.bootstrap(
        (np.arange(30),),
        lambda drawn: stats.pearsonr(SCORES[:, drawn].mean(axis=1), ACCURACY).statistic,
        vectorized=False,
        method="percentile",
        n_resamples=2000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert found.images_low == pytest.approx(oracle.low, abs=0.02)
    assert found.images_high == pytest.approx(oracle.high, abs=0.02)


def test_interval_over_both_is_a_loop_over_both():
    found = correlate_scores(SCORES, ACCURACY)
    rng = np.random.default_rng(5)
    loop = []
    for _ in range(2000):
        members, images = rng.integers(20, size=20), rng.integers(30, size=30)
        loop.append(stats.pearsonr(SCORES[members][:, images].mean(axis=1), ACCURACY[members]).statistic)
    low, high = np.quantile(loop, (0.025, 0.975))
    assert found.both_low == pytest.approx(low, abs=0.03)
    assert found.both_high == pytest.approx(high, abs=0.03)


def test_both_are_drawn_together_where_both_belong_to_images():
    """Two tables whose images rise and fall together correlate more surely than with images drawn apart."""
    effect = RNG.normal(0, 1.0, (20, 30))
    found = correlate_scores(effect, effect + RNG.normal(0, 0.01, effect.shape))
    assert found.images_low > 0.99
    fixed = correlate_scores(effect, effect.mean(axis=1))
    assert fixed.images_low < 0.9


def test_groups_are_drawn_whole():
    scores = ACCURACY[:, np.newaxis] + np.repeat(RNG.normal(0, 0.3, (20, 6)), 5, axis=1)
    films = [f"film{image // 5}" for image in range(30)]
    alone, grouped = correlate_scores(scores, ACCURACY), correlate_scores(scores, ACCURACY, groups=films)
    assert grouped.images_high - grouped.images_low > 1.5 * (alone.images_high - alone.images_low)


def test_missing_scores_leave_the_rest_alone():
    holes = SCORES.copy()
    holes[0] = math.nan
    holes[1, ::2] = math.nan
    found = correlate_scores(holes, ACCURACY)
    assert found.over_members.n == 19
    assert found.images_low < found.over_members.pearson < found.images_high
    padded = np.concatenate([SCORES, np.full((1, 30), math.nan)])
    again = correlate_scores(padded, np.append(ACCURACY, 0.9))
    assert again.over_members == correlate_scores(SCORES, ACCURACY).over_members


def test_what_has_no_interval_is_nan():
    one = correlate_scores(SCORES[:, :1], ACCURACY)
    assert math.isfinite(one.over_members.pearson)
    assert math.isnan(one.images_low)
    assert math.isnan(correlate_scores(np.ones((5, 4)), np.arange(5.0)).both_high)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"other: expected shape \(20,\) or \(20, 30\) as scores has, got \(3,\)"):
        correlate_scores(SCORES, np.arange(3.0))
    with pytest.raises(ValueError, match="groups: expected one per image, 30 of them, got 1"):
        correlate_scores(SCORES, ACCURACY, groups=["a"])


@given(st.integers(2, 30), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_weighted_rows_equal_repeated_pairs(n, seed):
    rng = np.random.default_rng(seed)
    x, y, times = rng.normal(size=n), rng.normal(size=n), rng.integers(0, 4, n)
    ours = pearson_rows(x[np.newaxis], y[np.newaxis], times[np.newaxis].astype(float))[0]
    left, right = np.repeat(x, times), np.repeat(y, times)
    if np.unique(left).size < 2:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(np.corrcoef(left, right)[0, 1], abs=1e-9)
