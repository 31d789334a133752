"""LIME's linear surrogate: rows of on/off superpixels, their weights, and the ridge that is fitted to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consensus_onnx.arrays import Float64Array, UInt8Array, UInt64Array, require
from consensus_onnx_kernels.noise import random_bits
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
        Lower Cholesky factor of the centred, weighted Gram matrix plus alpha.
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


def make_design(rows: UInt8Array, kernel_width: float, alpha: float) -> Design:
    """Weigh and factor rows.

    Parameters
    ----------
    rows : uint8 (P, K)
        Zeros and ones.
    kernel_width : float
        Of LIME's exponential kernel, > 0.
    alpha : float
        Ridge penalty, >= 0; 0 is weighted least squares.

    Raises
    ------
    ValueError
        If the rows do not determine K weights (with alpha 0: fewer usable rows than superpixels).
    """
    sizes = require("rows", rows, shape=("P", "K"), dtype=np.uint8)
    weights = lime_weights(rows, kernel_width)
    means, factor, pivot = weighted_design(rows, weights, alpha)
    if pivot >= 0:
        raise ValueError(
            f"{sizes['P']} perturbations cannot determine the weights of {sizes['K']} superpixels (stuck at "
            f"superpixel {pivot}); raise samples above {sizes['K']}, set alpha above 0, or use fewer superpixels"
        )
    return Design(rows, weights, means, factor)
