"""How two columns of numbers go together, with the uncertainty of few points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from consensus_onnx.arrays import Float64Array

# SciPy's own limit for a correlation that rounding decides.
_CONSTANT = 1e-13


@dataclass(frozen=True)
class Correlation:
    """Three correlation coefficients of the same pairs; nan where they do not exist.

    Parameters
    ----------
    pearson, spearman, kendall : float
        Coefficients in -1..1; Kendall's is tau-b.
    pearson_p, spearman_p, kendall_p : float
        Two-sided p-values of no association.
    ci_low, ci_high : float
        Percentile bootstrap interval of 95 % of Pearson's coefficient, over pairs.
    n : int
        Number of pairs without nan or infinity.
    """

    pearson: float
    pearson_p: float
    spearman: float
    spearman_p: float
    kendall: float
    kendall_p: float
    ci_low: float
    ci_high: float
    n: int


def correlate(x: npt.ArrayLike, y: npt.ArrayLike, *, seed: int = 0, resamples: int = 2000) -> Correlation:
    """Correlate two columns, such as accuracy and consensus score over members.

    Parameters
    ----------
    x, y : array_like of shape (N,)
        The pairs; those with nan or infinity are dropped.
    seed : int
        Seed of the bootstrap; equal input and seed give equal intervals.
    resamples : int
        Number of bootstrap samples, at least 1. Samples in which a column does not vary are left out.

    Returns
    -------
    Correlation
        All nan but n where fewer than three pairs are left or a column does not vary.

    Raises
    ------
    ValueError
        If the columns differ in length, or resamples is below 1.

    Examples
    --------
    >>> result = correlate([1, 2, 3, 4, 5], [1, 3, 2, 5, 4])
    >>> round(result.pearson, 3), round(result.kendall, 3), result.n
    (0.8, 0.6, 5)
    """
    left, right = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if left.ndim != 1 or left.shape != right.shape:
        raise ValueError(f"x, y: expected two columns of one length, got shapes {left.shape} and {right.shape}")
    if resamples < 1:
        raise ValueError(f"resamples: must be >= 1, got {resamples}")
    known = np.isfinite(left) & np.isfinite(right)
    left, right = left[known], right[known]
    if left.size < 3 or not (_varies(left) and _varies(right)):
        nan = math.nan
        return Correlation(nan, nan, nan, nan, nan, nan, nan, nan, n=left.size)
    pearson, spearman, kendall = (
        stats.pearsonr(left, right),
        stats.spearmanr(left, right),
        stats.kendalltau(left, right),
    )
    low, high = _bootstrap_interval(left, right, seed, resamples)
    return Correlation(
        pearson=float(pearson.statistic),
        pearson_p=float(pearson.pvalue),
        spearman=float(spearman.statistic),
        spearman_p=float(spearman.pvalue),
        kendall=float(kendall.statistic),
        kendall_p=float(kendall.pvalue),
        ci_low=low,
        ci_high=high,
        n=left.size,
    )


def _varies(values: Float64Array) -> bool:
    """Whether a column varies by more than the rounding of its mean."""
    return bool(np.linalg.norm(values - values.mean()) > _CONSTANT * max(abs(values.mean()), np.abs(values).max()))


def _bootstrap_interval(left: Float64Array, right: Float64Array, seed: int, resamples: int) -> tuple[float, float]:
    """Percentile interval of Pearson's coefficient over resampled pairs."""
    rng = np.random.default_rng(seed)
    # Centred and scaled once, so that the sums of a sample keep their digits whatever the columns' units.
    left, right = (left - left.mean()) / left.std(), (right - right.mean()) / right.std()
    coefficients = np.full(resamples, np.nan)
    for sample in range(resamples):
        drawn = rng.integers(left.size, size=left.size)
        a, b = left[drawn], right[drawn]
        if a.min() < a.max() and b.min() < b.max():
            a, b = a - a.mean(), b - b.mean()
            coefficients[sample] = (a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum())
    coefficients = coefficients[~np.isnan(coefficients)]
    if not coefficients.size:
        return math.nan, math.nan
    low, high = np.quantile(coefficients, (0.025, 0.975))
    return float(low), float(high)
