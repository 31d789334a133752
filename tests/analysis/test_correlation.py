import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from consensus_onnx.analysis import Correlation, correlate

PAPER = Path(__file__).parents[1] / "data" / "paper"


def column(table, name):
    with open(PAPER / table, newline="") as file:
        return np.array([float(row[name]) for row in csv.DictReader(file) if row["model"] != "consensus"])


@pytest.mark.parametrize(
    ("table", "x", "y", "stated"),
    [
        ("table2a_imagenet.csv", "accuracy", "lime_score", 0.8090),
        ("table2a_imagenet.csv", "accuracy", "smoothgrad_score", 0.7827),
        ("table2a_imagenet.csv", "lime_score", "smoothgrad_score", 0.8259),
        ("table2b_cub.csv", "accuracy", "lime_score", 0.9076),
        ("table2b_cub.csv", "accuracy", "smoothgrad_score", 0.8800),
        ("table2b_cub.csv", "lime_score", "smoothgrad_score", 0.8530),
        ("table2b_cub.csv", "accuracy", "lime_map", 0.9275),
        ("table2b_cub.csv", "accuracy", "smoothgrad_map", 0.9158),
        ("table2b_cub.csv", "lime_score", "lime_map", 0.9548),
        ("table2b_cub.csv", "smoothgrad_score", "smoothgrad_map", 0.9343),
    ],
)
def test_coefficients_of_the_papers_table_2(table, x, y, stated):
    result = correlate(column(table, x), column(table, y), resamples=200)
    assert round(result.pearson, 4) == stated
    assert result.ci_low < stated < result.ci_high
    assert result.n == {"table2a_imagenet.csv": 81, "table2b_cub.csv": 85}[table]


@given(st.integers(3, 40), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_equals_scipy(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 50, n) + rng.normal(size=n)
    y = 0.1 * x + rng.normal(size=n)
    result = correlate(x, y, resamples=1)
    for name, oracle in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr), ("kendall", stats.kendalltau)):
        expected = oracle(x, y)
        assert getattr(result, name) == pytest.approx(expected.statistic, abs=1e-12)
        assert getattr(result, f"{name}_p") == pytest.approx(expected.pvalue, abs=1e-12)


def test_interval_is_close_to_scipys_bootstrap():
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    y = x + rng.normal(size=60)
    result = correlate(x, y)
    oracle = stats.bootstrap(
        (x, y),
        lambda a, b: stats.pearsonr(a, b).statistic,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=2000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert result.ci_low == pytest.approx(oracle.low, abs=0.03)
    assert result.ci_high == pytest.approx(oracle.high, abs=0.03)
    assert correlate(x, y) == result
    assert correlate(x, y, seed=1) != result


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(150):
        x = rng.normal(size=40)
        y = 0.6 * x + 0.8 * rng.normal(size=40)
        result = correlate(x, y, resamples=150)
        covered += result.ci_low <= 0.6 <= result.ci_high
    assert 0.87 < covered / 150 < 0.99


def all_nan_but_n(result, n):
    return result.n == n and all(
        math.isnan(getattr(result, name)) for name in Correlation.__dataclass_fields__ if name != "n"
    )


@pytest.mark.parametrize(
    ("x", "y", "n"),
    [
        ([], [], 0),
        ([1.0, 2.0], [1.0, 2.0], 2),
        ([1.0, 2.0, math.nan], [1.0, 2.0, 3.0], 2),
        ([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0], 4),
        ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1], 3),
        ([1.0, 2.0, 3.0], [1e9, 1e9 + 1e-7, 1e9], 3),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 3),
    ],
)
def test_what_has_no_correlation_gives_nan_without_a_warning(x, y, n):
    assert all_nan_but_n(correlate(x, y), n)


def test_pairs_with_nan_or_infinity_are_dropped():
    x = [1.0, math.nan, 2.0, 3.0, 4.0, math.inf]
    y = [1.0, 5.0, 3.0, math.nan, 2.0, 9.0]
    assert correlate(x, y) == correlate([1.0, 2.0, 4.0], [1.0, 3.0, 2.0])


def test_three_pairs_on_a_line():
    result = correlate([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    assert result.pearson == pytest.approx(1.0)
    assert result.spearman == pytest.approx(1.0)
    assert result.ci_low == pytest.approx(1.0)


def test_large_offsets_do_not_spoil_the_interval():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=30), rng.normal(size=30)
    near, far = correlate(x, y), correlate(x + 1e6, 1e-6 * y)
    assert far.ci_low == pytest.approx(near.ci_low, abs=1e-7)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"x, y: expected two columns of one length, got shapes \(2,\) and \(3,\)"):
        correlate([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="resamples: must be >= 1, got 0"):
        correlate([1, 2, 3], [1, 2, 3], resamples=0)
