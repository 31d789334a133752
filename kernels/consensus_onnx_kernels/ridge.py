"""Weighted ridge regression on 0/1 rows with an intercept: one factorisation for any number of targets.

With weighted means xbar and ybar, centred rows Xc and targets yc, W the diagonal of the weights and D that of the
penalties, the coefficients solve (Xc' W Xc + D) beta = Xc' W yc and the intercept is ybar - xbar' beta. Everything is
serial float64 in a fixed order: BLAS gives other last bits for other thread counts and CPUs.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from consensus_onnx_kernels.compilation import serial

Float64 = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint8]

# A pivot below this share of its column's uncentred sum is what rounding left of a dependent column, not information.
# Measured: dependent columns leave at most 1e-14 (K = 1000), random rows at least 8e-6 even with P = K + 1.
_PIVOT_FLOOR = 1e-11

# Rows weighted at a stretch; with K = 1000 the buffer of 512 KB stays in the second-level cache.
_STRETCH = 64


@serial
def lime_weights(rows: Bits, kernel_width: float) -> Float64:
    """Weigh perturbations by their nearness to the unmasked picture.

    Parameters
    ----------
    rows : ndarray of shape (P, K), uint8
        One perturbation per row, one where a superpixel is kept.
    kernel_width : float
        Width of the kernel, above zero.

    Returns
    -------
    ndarray of shape (P,), float64
        sqrt(exp(-d^2 / width^2)) with the cosine distance d = 1 - sqrt(kept / K), as LIME weighs its samples; a row
        that keeps nothing has d = 1.
    """
    count, k = rows.shape
    weights = np.empty(count)
    for p in range(count):
        kept = 0
        for column in range(k):
            kept += rows[p, column]
        distance = 1.0 - math.sqrt(kept / k)
        weights[p] = math.sqrt(math.exp(-(distance * distance) / (kernel_width * kernel_width)))
    return weights


@serial
def weighted_design(rows: Bits, weights: Float64, penalties: Float64) -> tuple[Float64, Float64, int]:
    """Factor the centred normal equations.

    Parameters
    ----------
    rows : ndarray of shape (P, K), uint8
        Zeros and ones.
    weights : ndarray of shape (P,), float64
        Importance of each row, not negative, not all zero.
    penalties : ndarray of shape (K,), float64
        Ridge penalty of each column, not negative; all 0 is weighted least squares.

    Returns
    -------
    means : ndarray of shape (K,), float64
        Weighted mean of each column.
    factor : ndarray of shape (K, K), float64
        Lower Cholesky factor, zero above the diagonal; meaningless where `bad` is not -1.
    bad : int
        -1, or the first column that the columns before it (and the intercept) already explain.
    """
    count, k = rows.shape
    total = 0.0
    for p in range(count):
        total += weights[p]
    gram = _gram(rows, weights)
    means = np.empty(k)
    floors = np.empty(k)
    for i in range(k):
        means[i] = gram[i, i] / total
        floors[i] = _PIVOT_FLOOR * gram[i, i]
    for i in range(k):
        shift = total * means[i]
        for j in range(i + 1):
            gram[i, j] -= shift * means[j]
        gram[i, i] += penalties[i]
    return means, gram, _factor_in_place(gram, floors)


@serial
def solve(factor: Float64, rows: Bits, weights: Float64, means: Float64, targets: Float64) -> tuple[Float64, Float64]:
    """Fit every target on the factored design.

    Parameters
    ----------
    factor : ndarray of shape (K, K), float64
        From `weighted_design`, as are the means.
    rows : ndarray of shape (P, K), uint8
        The same rows.
    weights : ndarray of shape (P,), float64
        The same weights.
    means : ndarray of shape (K,), float64
        Weighted mean of each column.
    targets : ndarray of shape (P, T), float64
        One column per target.

    Returns
    -------
    coefficients : ndarray of shape (T, K), float64
        Slope of each column.
    intercepts : ndarray of shape (T,), float64
        Fitted value of an all-zero row.
    """
    count, k = rows.shape
    coefficients = np.zeros((targets.shape[1], k))
    intercepts = np.empty(targets.shape[1])
    for t in range(targets.shape[1]):
        beta = coefficients[t]
        mean = _weighted_mean(targets[:, t], weights)
        for p in range(count):
            share = weights[p] * (targets[p, t] - mean)
            for i in range(k):
                beta[i] += share * rows[p, i]
        _solve_in_place(factor, beta)
        fitted_mean = 0.0
        for i in range(k):
            fitted_mean += means[i] * beta[i]
        intercepts[t] = mean - fitted_mean
    return coefficients, intercepts


@serial
def fit_statistics(
    factor: Float64,
    rows: Bits,
    weights: Float64,
    means: Float64,
    targets: Float64,
    coefficients: Float64,
    intercepts: Float64,
) -> tuple[Float64, Float64]:
    """Say how well the fits describe their targets and how certain their coefficients are.

    Parameters
    ----------
    factor, rows, weights, means, targets : ndarray
        As given to `solve`.
    coefficients : ndarray of shape (T, K), float64
        From `solve`.
    intercepts : ndarray of shape (T,), float64
        From `solve`.

    Returns
    -------
    r2 : ndarray of shape (T,), float64
        Weighted coefficient of determination, at most 1; nan for a target that does not vary.
    standard_errors : ndarray of shape (T, K), float64
        Square roots of the diagonal of the sandwich A^-1 (Xc' W E^2 W Xc) A^-1 times P / (P - K - 1), where A is the
        factored matrix and E the residuals (White 1980, HC1). The weights say how much a row matters, not how exact
        it is, so the usual weighted-least-squares errors would be wrong. nan unless P > K + 1.
    """
    count, k = rows.shape
    residuals, r2 = _residuals(rows, weights, targets, coefficients, intercepts)
    standard_errors = np.full((targets.shape[1], k), np.nan)
    if count <= k + 1:
        return r2, standard_errors
    standard_errors[:] = 0.0
    inverse = _inverse(factor)
    centre = np.zeros(k)
    for i in range(k):
        for j in range(k):
            centre[j] += means[i] * inverse[i, j]
    influence = np.empty(k)
    for p in range(count):
        for j in range(k):
            influence[j] = -centre[j]
        for i in range(k):
            if rows[p, i]:
                row = inverse[i]
                for j in range(k):
                    influence[j] += row[j]
        for t in range(targets.shape[1]):
            scale = weights[p] * residuals[p, t]
            for j in range(k):
                term = scale * influence[j]
                standard_errors[t, j] += term * term
    correction = count / (count - k - 1)
    for t in range(targets.shape[1]):
        for j in range(k):
            standard_errors[t, j] = math.sqrt(correction * standard_errors[t, j])
    return r2, standard_errors


@serial
def _gram(rows: Bits, weights: Float64) -> Float64:
    """Lower triangle of X' W X; a row adds to the columns it has set, so no product is formed in the inner loop."""
    count, k = rows.shape
    gram = np.zeros((k, k))
    buffer = np.empty((_STRETCH, k))
    for start in range(0, count, _STRETCH):
        stop = min(start + _STRETCH, count)
        for p in range(start, stop):
            for i in range(k):
                buffer[p - start, i] = weights[p] * rows[p, i]
        for i in range(k):
            sums = gram[i]
            for p in range(start, stop):
                if rows[p, i]:
                    weighted = buffer[p - start]
                    for j in range(i + 1):
                        sums[j] += weighted[j]
    return gram


@serial
def _factor_in_place(matrix: Float64, floors: Float64) -> int:
    """Cholesky on the lower triangle, column after column; -1 or the first pivot not above its floor."""
    k = matrix.shape[0]
    column = np.empty(k)
    for i in range(k):
        pivot = matrix[i, i]
        if not pivot > floors[i]:
            return i
        root = math.sqrt(pivot)
        matrix[i, i] = root
        for r in range(i + 1, k):
            column[r] = matrix[r, i] / root
            matrix[r, i] = column[r]
        for r in range(i + 1, k):
            row = matrix[r]
            scale = column[r]
            for j in range(i + 1, r + 1):
                row[j] -= scale * column[j]
    return -1


@serial
def _solve_in_place(factor: Float64, vector: Float64) -> None:
    """Replace b by the solution x of L L' x = b."""
    k = factor.shape[0]
    for i in range(k):
        value = vector[i]
        for j in range(i):
            value -= factor[i, j] * vector[j]
        vector[i] = value / factor[i, i]
    for i in range(k - 1, -1, -1):
        vector[i] /= factor[i, i]
        for j in range(i):
            vector[j] -= factor[i, j] * vector[i]


@serial
def _inverse(factor: Float64) -> Float64:
    """Inverse of L L': first L^-1 row by row, then the product of its transpose with itself."""
    k = factor.shape[0]
    lower = np.zeros((k, k))
    for i in range(k):
        row = lower[i]
        for j in range(i):
            above = lower[j]
            scale = factor[i, j]
            for c in range(j + 1):
                row[c] -= scale * above[c]
        for c in range(i):
            row[c] /= factor[i, i]
        row[i] = 1.0 / factor[i, i]
    inverse = np.zeros((k, k))
    for r in range(k):
        source = lower[r]
        for i in range(r + 1):
            row = inverse[i]
            for j in range(i + 1):
                row[j] += source[i] * source[j]
    for i in range(k):
        for j in range(i):
            inverse[j, i] = inverse[i, j]
    return inverse


@serial
def _residuals(
    rows: Bits, weights: Float64, targets: Float64, coefficients: Float64, intercepts: Float64
) -> tuple[Float64, Float64]:
    """Residuals (P, T) and weighted R^2 (T,)."""
    count, k = rows.shape
    residuals = np.empty(targets.shape)
    r2 = np.empty(targets.shape[1])
    for t in range(targets.shape[1]):
        mean = _weighted_mean(targets[:, t], weights)
        unexplained = 0.0
        spread = 0.0
        varies = False
        for p in range(count):
            fitted = intercepts[t]
            for i in range(k):
                fitted += coefficients[t, i] * rows[p, i]
            residuals[p, t] = targets[p, t] - fitted
            unexplained += weights[p] * residuals[p, t] ** 2
            spread += weights[p] * (targets[p, t] - mean) ** 2
            varies = varies or targets[p, t] != targets[0, t]
        r2[t] = 1.0 - unexplained / spread if varies and spread > 0.0 else np.nan
    return residuals, r2


@serial
def _weighted_mean(values: Float64, weights: Float64) -> float:
    """Weighted mean of a vector, which may be strided."""
    total = 0.0
    weighted = 0.0
    for p in range(values.size):
        total += weights[p]
        weighted += weights[p] * values[p]
    return weighted / total
