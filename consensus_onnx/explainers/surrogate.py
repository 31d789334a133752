"""LIME's linear surrogate: rows of on/off superpixels, their weights, and the ridge that is fitted to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import hadamard

from consensus_onnx.arrays import Float64Array, Int64Array, UInt8Array, UInt64Array, require
from consensus_onnx_kernels.noise import random_bits, standard_normal
from consensus_onnx_kernels.ridge import fit_statistics, lime_weights, solve, weighted_design


@dataclass(frozen=True)
class Fit:
    """Weighted ridge fits of T targets on one design.

    Attributes
    ----------
    coefficients : float64 (T, K)
        Weight of each superpixel.
    intercepts, r2 : float64 (T,)
        Value with everything off; weighted share of variance explained.
    standard_errors : float64 (T, K)
        HC1 sandwich.
    """

    coefficients: Float64Array
    intercepts: Float64Array
    r2: Float64Array
    standard_errors: Float64Array


@dataclass(frozen=True)
class Design:
    """On/off rows with their weights, factored once for every target of a picture.

    Rows and weights depend on the picture's superpixels alone, so the same design serves all members.

    Attributes
    ----------
    rows : uint8 (P, K)
        1 where a superpixel is kept.
    weights : float64 (P,)
        sqrt(exp(-d^2 / width^2)) with cosine distance d = 1 - sqrt(on / K) to the full picture.
    means : float64 (K,)
        Weighted column means.
    factor : float64 (K, K)
        Lower Cholesky factor of the centred, weighted Gram matrix plus the penalties.
    """

    rows: UInt8Array
    weights: Float64Array
    means: Float64Array
    factor: Float64Array

    def fit(self, targets: Float64Array) -> Fit:
        """Fit every column of `targets`, float64 (P, T)."""
        targets = np.ascontiguousarray(targets)
        coefficients, intercepts = solve(self.factor, self.rows, self.weights, self.means, targets)
        r2, standard_errors = fit_statistics(
            self.factor, self.rows, self.weights, self.means, targets, coefficients, intercepts
        )
        return Fit(coefficients, intercepts, r2, standard_errors)


def perturbation_rows(key: UInt64Array, samples: int, k: int) -> UInt8Array:
    """Return P rows of K fair coin flips, uint8 (P, K); row 0 keeps everything, row p depends on (key, p) only."""
    rows = random_bits(key, 0, samples, k)
    rows[0] = 1
    return rows


def balanced_rows(key: UInt64Array, shuffling: UInt64Array, samples: int, k: int) -> UInt8Array:
    """Return P rows of K bits in which every superpixel, and every pair of them, is on as often as off.

    Parameters
    ----------
    key, shuffling : uint64 (2,)
        Keys of two streams: one turns superpixels over, the other shuffles.
    samples : int
        P.
    k : int
        K, the number of superpixels.

    Returns
    -------
    uint8 (P, K)
        Row 0 keeps everything; row p depends on the keys and p only. Blocks of N rows, the power of two above K, are
        K columns of a Hadamard matrix, drawn, turned over and with their rows shuffled at random, so that each row by
        itself is K fair coins: what is fitted to endless rows is what is fitted to endless independent ones. A block
        determines K weights with errors of variance 1 / N, where N independent rows leave 1 / (N - K).

    References
    ----------
    Plackett and Burman, "The design of optimum multifactorial experiments" (Biometrika 33, 1946); Owen, "Randomly
    permuted (t, m, s)-nets" (1995), for the turning over.
    """
    size = 1 << k.bit_length()
    matrix = ((hadamard(size) + 1) // 2).astype(np.uint8)
    blocks = []
    for number in range(-(-samples // size)):
        draws = standard_normal(shuffling, number, 1, 2 * size - 1)[0]
        columns = 1 + np.argsort(draws[: size - 1], kind="stable")[:k]
        order = np.argsort(draws[size - 1 :], kind="stable")
        blocks.append(matrix[np.ix_(order, columns)] ^ random_bits(key, number, 1, k))
    rows = np.concatenate(blocks)[:samples]
    rows[0] = 1
    return np.ascontiguousarray(rows)


def make_design(rows: UInt8Array, kernel_width: float, alpha: float | Float64Array) -> Design:
    """Weigh and factor rows.

    Parameters
    ----------
    rows : uint8 (P, K)
        Zeros and ones.
    kernel_width : float
        Of LIME's exponential kernel, > 0.
    alpha : float or float64 (K,)
        Ridge penalty, >= 0, of all superpixels or of each; 0 is weighted least squares.

    Raises
    ------
    ValueError
        If the rows do not determine K weights (with alpha 0: fewer usable rows than superpixels).
    """
    sizes = require("rows", rows, shape=("P", "K"), dtype=np.uint8)
    weights = lime_weights(rows, kernel_width)
    penalties = np.full(sizes["K"], alpha, np.float64)
    means, factor, pivot = weighted_design(rows, weights, penalties)
    if pivot >= 0:
        raise ValueError(
            f"{sizes['P']} perturbations cannot determine the weights of {sizes['K']} superpixels (stuck at "
            f"superpixel {pivot}); raise samples above {sizes['K']}, set alpha above 0, or use fewer superpixels"
        )
    return Design(rows, weights, means, factor)


def likeliest_penalties(
    rows: UInt8Array, weights: Float64Array, target: Float64Array, pixels: Int64Array
) -> Float64Array:
    """Return the ridge penalties under which the target is most likely: the evidence of a Bayesian linear model.

    A superpixel's weight is thought of as the sum of what its pixels do, so it varies as their number, and its penalty
    as one over it.

    Parameters
    ----------
    rows : uint8 (P, K)
        Zeros and ones.
    weights : float64 (P,)
        Of the rows, taken as precisions up to a factor.
    target : float64 (P,)
        What is fitted.
    pixels : int64 (K,)
        In each superpixel.

    Returns
    -------
    float64 (K,)
        Their level is one of 101 steps from 1e-4 to 1e6 times the mean weighted variance of a column, so that the last
        bits of a linear algebra library do not reach the coefficients. The largest for a constant target.

    References
    ----------
    MacKay, "Bayesian interpolation" (Neural Computation 4, 1992), with the noise's variance at its own likeliest.
    """
    shares = np.maximum(pixels, 1) / np.maximum(pixels, 1).mean()
    root = np.sqrt(weights)[:, None]
    x = root * (rows - np.average(rows, axis=0, weights=weights)) * np.sqrt(shares)
    y = root[:, 0] * (target - np.average(target, weights=weights))
    gram = x.T @ x
    roots, axes = np.linalg.eigh(gram)
    roots = np.maximum(roots, 0)
    steps = np.logspace(-4, 6, 101) * np.trace(gram) / len(gram)
    level = steps[-1]
    if y.any():
        along = (axes.T @ (x.T @ y)) ** 2
        left = y @ y - (along / (roots + steps[:, None])).sum(axis=1)
        surprise = (len(y) - 1) * np.log(left) + np.log1p(roots / steps[:, None]).sum(axis=1)
        level = steps[np.argmin(surprise)]
    penalties: Float64Array = level / shares
    return penalties
