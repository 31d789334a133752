"""Whether two columns still go together once others are held fixed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from consensus_onnx.analysis.correlation import pearson_rows
from consensus_onnx.arrays import Float64Array


@dataclass(frozen=True)
class PartialCorrelation:
    """Pearson's coefficient of what other columns leave unexplained of two columns.

    Parameters
    ----------
    coefficient : float
        -1..1; nan where it does not exist.
    p : float
        Two-sided, of no linear association given the others; exact for normal columns: t = r sqrt(df / (1 - r^2)).
    n : int
        Rows without nan or infinity.
    degrees : int
        n - 2 - the number of columns held fixed.
    """

    coefficient: float
    p: float
    n: int
    degrees: int


def partial_correlation(x: npt.ArrayLike, y: npt.ArrayLike, given: npt.ArrayLike) -> PartialCorrelation:
    """Correlate two columns with others held fixed, such as score and accuracy given the input size.

    Parameters
    ----------
    x, y : array_like of shape (N,)
        The two columns.
    given : array_like of shape (N,) or (N, C)
        What is held fixed, linearly.

    Returns
    -------
    PartialCorrelation
        nan where no degree of freedom is left, or the others explain a column to its last digit.

    Raises
    ------
    ValueError
        If the columns differ in length.

    Examples
    --------
    >>> size = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    >>> wobble = np.array([1.0, -1.0, 0.0, 0.0, -1.0, 1.0])
    >>> round(partial_correlation(size + wobble, size - wobble, size).coefficient, 6)
    -1.0
    """
    left, right = np.asarray(x, np.float64), np.asarray(y, np.float64)
    others = np.asarray(given, np.float64)
    others = others[:, np.newaxis] if others.ndim == 1 else others
    if left.ndim != 1 or left.shape != right.shape or others.ndim != 2 or len(others) != left.size:
        raise ValueError(
            f"x, y, given: expected columns of one length, got shapes {left.shape}, {right.shape} and {others.shape}"
        )
    known = np.isfinite(left) & np.isfinite(right) & np.isfinite(others).all(axis=1)
    left, right, others = left[known], right[known], others[known]
    degrees = left.size - 2 - others.shape[1]
    if degrees < 1:
        return PartialCorrelation(math.nan, math.nan, left.size, degrees)
    rest = [_residuals(column, others) for column in (left, right)]
    if any(part is None for part in rest):
        return PartialCorrelation(math.nan, math.nan, left.size, degrees)
    r = float(pearson_rows(np.asarray(rest[0])[np.newaxis], np.asarray(rest[1])[np.newaxis])[0])
    t = abs(r) * math.sqrt(degrees / max(1 - r * r, 1e-300))
    return PartialCorrelation(r, float(2 * stats.t.sf(t, degrees)), left.size, degrees)


def _residuals(column: Float64Array, others: Float64Array) -> Float64Array | None:
    """Return what a least-squares fit with intercept leaves; None if that is rounding only."""
    spread = np.linalg.norm(column - column.mean())
    scaled = others - others.mean(axis=0)
    scaled = scaled / np.maximum(np.abs(scaled).max(axis=0), 1e-300)
    centred = column - column.mean()
    rest: Float64Array = centred - scaled @ np.linalg.lstsq(scaled, centred, rcond=None)[0]
    return rest if np.linalg.norm(rest) > 1e-9 * spread else None
