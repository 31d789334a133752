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
_PAIRS_AT_ONCE = 1 << 20  # of a bootstrap; 8 MB a table


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
    # Centred and scaled once, so that the sums of a sample keep their digits whatever the columns' units.
    pairs = np.stack([(left - left.mean()) / left.std(), (right - right.mean()) / right.std()])
    rng = generator(seed)
    coefficients = []
    block = max(1, _PAIRS_AT_ONCE // left.size)
    for start in range(0, resamples, block):
        drawn = rng.integers(left.size, size=(min(block, resamples - start), left.size))
        coefficients.append(pearson_rows(pairs[0][drawn], pairs[1][drawn]))
    return percentile_interval(np.concatenate(coefficients))


def pearson_rows(left: Float64Array, right: Float64Array, weights: Float64Array | None = None) -> Float64Array:
    """Return Pearson's coefficient of each row of one table with the same row of another.

    Parameters
    ----------
    left, right : ndarray of shape (R, N), float64
        Finite where they have weight.
    weights : ndarray of shape (R, N), float64, optional
        How often each entry counts, not negative; None counts all once.

    Returns
    -------
    ndarray of shape (R,), float64
        Coefficients in -1..1; nan where a row of either does not vary.
    """
    times = np.ones(left.shape) if weights is None else weights
    totals = np.maximum(times.sum(axis=1, keepdims=True), 1e-300)
    a, b = np.where(times > 0, left, 0.0), np.where(times > 0, right, 0.0)
    scales = np.maximum(np.abs(a).max(axis=1), 1e-300), np.maximum(np.abs(b).max(axis=1), 1e-300)
    a = a - (times * a).sum(axis=1, keepdims=True) / totals
    b = b - (times * b).sum(axis=1, keepdims=True) / totals
    squares = (times * a * a).sum(axis=1), (times * b * b).sum(axis=1)
    # Below the rounding of the means nothing varies.
    floor = [(1e-13 * scale) ** 2 * totals[:, 0] for scale in scales]
    varies = (squares[0] > floor[0]) & (squares[1] > floor[1])
    coefficients = np.full(len(left), np.nan)
    products = (times * a * b).sum(axis=1)
    np.divide(products, np.sqrt(squares[0] * squares[1]), out=coefficients, where=varies)
    return np.asarray(np.clip(coefficients, -1.0, 1.0))


def percentile_interval(values: Float64Array, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of bootstrap values; nan, nan if none of them is a number."""
    known = values[~np.isnan(values)]
    if not known.size:
        return math.nan, math.nan
    low, high = np.quantile(known, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def generator(*key: int) -> np.random.Generator:
    """Return a counter-based generator (Philox) for a key of one or two numbers."""
    return np.random.Generator(np.random.Philox(key=np.array([*key, 0][:2], np.uint64)))
