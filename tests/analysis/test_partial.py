import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from consensus_onnx.analysis import partial_correlation


def by_precision(x, y, given):
    """The textbook's other way: from the inverse of the correlation matrix."""
    inverse = np.linalg.inv(np.corrcoef(np.column_stack([x, y, given]), rowvar=False))
    return -inverse[0, 1] / math.sqrt(inverse[0, 0] * inverse[1, 1])


@given(st.integers(8, 40), st.integers(1, 3), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_equals_the_inverse_of_the_correlation_matrix(n, columns, seed):
    rng = np.random.default_rng(seed)
    given = rng.normal(size=(n, columns))
    x, y = given.sum(axis=1) + rng.normal(size=n), given[:, 0] - rng.normal(size=n)
    assert partial_correlation(x, y, given).coefficient == pytest.approx(by_precision(x, y, given), abs=1e-9)


def test_p_is_that_of_the_regression_coefficient():
    """Score on accuracy and size by least squares: the t-test of accuracy's slope is the same test."""
    rng = np.random.default_rng(2)
    size, accuracy = rng.normal(size=18), rng.normal(size=18)
    score = 0.5 * accuracy + size + rng.normal(size=18)
    design = np.column_stack([np.ones(18), accuracy, size])
    slopes, rest = np.linalg.lstsq(design, score, rcond=None)[:2]
    error = math.sqrt(rest[0] / 15 * np.linalg.inv(design.T @ design)[1, 1])
    found = partial_correlation(score, accuracy, size)
    assert found.degrees == 15
    assert found.p == pytest.approx(2 * stats.t.sf(abs(slopes[1] / error), 15), rel=1e-9)


def test_p_is_right_where_nothing_is_there():
    rng = np.random.default_rng(4)
    size = rng.normal(size=(400, 15))
    values = [partial_correlation(s + rng.normal(size=15), s + rng.normal(size=15), s).p for s in size]
    assert stats.kstest(values, "uniform").pvalue > 0.01
    plain = [stats.pearsonr(s + rng.normal(size=15), s + rng.normal(size=15)).pvalue for s in size]
    assert np.mean(np.array(plain) < 0.05) > 0.3  # the checker can fail: without `given` it does


def test_nothing_held_fixed_is_pearson():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 12))
    found, oracle = partial_correlation(x, y, np.empty((12, 0))), stats.pearsonr(x, y)
    assert (found.coefficient, found.p) == (pytest.approx(oracle.statistic), pytest.approx(oracle.pvalue))


@pytest.mark.parametrize(
    ("x", "y", "given"),
    [
        ([1.0, 2.0, 4.0], [1.0, 3.0, 2.0], [0.0, 1.0, 0.0]),  # no degree of freedom left
        ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 3.0, 2.0, 5.0, 4.0], [2.0, 4.0, 6.0, 8.0, 10.0]),  # explains x wholly
        ([1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 3.0, 2.0, 5.0, 4.0], [2.0, 4.0, 1.0, 8.0, 0.0]),
    ],
)
def test_what_does_not_exist_is_nan(x, y, given):
    found = partial_correlation(x, y, given)
    assert math.isnan(found.coefficient)
    assert math.isnan(found.p)


def test_rows_with_nan_are_dropped_and_units_do_not_matter():
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(3, 20))
    holes = x.copy()
    holes[3] = math.nan
    keep = np.arange(20) != 3
    assert partial_correlation(holes, y, z) == partial_correlation(x[keep], y[keep], z[keep])
    scaled = partial_correlation(1e6 * x + 5, y, 1e-9 * z)
    assert scaled.coefficient == pytest.approx(partial_correlation(x, y, z).coefficient)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"expected columns of one length, got shapes \(2,\), \(2,\) and \(3, 1\)"):
        partial_correlation([1, 2], [1, 2], [1, 2, 3])
