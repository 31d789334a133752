"""Ways to make LIME's weights of on/off rows and answers that were tried against weighted least squares.

All estimate the weights of a weighted least-squares fit to endless rows. Those that the package does not have were
written for the comparison in lime_rows.py alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from consensus_onnx.arrays import Float64Array, Int64Array, UInt8Array
from consensus_onnx.explainers.surrogate import likeliest_penalties, make_design
from consensus_onnx_kernels.ridge import lime_weights

WIDTH = 0.25  # of LIME's kernel
Estimator: TypeAlias = Callable[[UInt8Array, Float64Array, Int64Array], Float64Array]  # rows, answers, pixels

_FREE_ROWS = 12_000  # rows that cost no pass, over which a fitted model is averaged
_LOGISTIC_RIDGE = 0.5


def least_squares(rows: UInt8Array, answers: Float64Array, pixels: Int64Array) -> Float64Array:
    """Fit the paper's surrogate."""
    return make_design(rows, WIDTH, 0.0).fit(answers[:, None]).coefficients[0]


def evidence(rows: UInt8Array, answers: Float64Array, pixels: Int64Array) -> Float64Array:
    """Fit a ridge whose penalties are the likeliest that fall with the pixels of a superpixel."""
    penalties = likeliest_penalties(rows, lime_weights(rows, WIDTH), answers, pixels)
    return make_design(rows, WIDTH, penalties).fit(answers[:, None]).coefficients[0]


def one_penalty(rows: UInt8Array, answers: Float64Array, pixels: Int64Array) -> Float64Array:
    """Fit a ridge whose penalty is the likeliest that is the same for all superpixels."""
    return evidence(rows, answers, np.ones_like(pixels))


def adaptive_shrinkage(rows: UInt8Array, answers: Float64Array, pixels: Int64Array) -> Float64Array:
    """Shrink weights by their standard errors under a mixture of normals fitted to all (Stephens 2017)."""
    fit = make_design(rows, WIDTH, 0.0).fit(answers[:, None])
    weights, errors = fit.coefficients[0], fit.standard_errors[0]
    scales = np.r_[0.0, np.abs(weights).max() * 2.0 ** np.linspace(-8, 1, 19)]
    variances = scales**2 + errors[:, None] ** 2
    likelihood = norm.pdf(weights[:, None], 0, np.sqrt(variances))
    shares = np.full(len(scales), 1 / len(scales))
    for _ in range(300):
        posterior = likelihood * shares
        posterior /= posterior.sum(axis=1, keepdims=True)
        shares = posterior.mean(axis=0)
    shrunk: Float64Array = (posterior * (scales**2 / variances)).sum(axis=1) * weights
    return shrunk


def logistic(rows: UInt8Array, answers: Float64Array, pixels: Int64Array) -> Float64Array:
    """Fit the probability by a logistic ridge and take least squares of what that says of rows nobody was asked."""
    weights = lime_weights(rows, WIDTH)
    x = np.c_[np.ones(len(rows)), rows - 0.5]
    penalty = np.r_[0.0, np.full(rows.shape[1], _LOGISTIC_RIDGE)]
    mean = np.clip(np.average(answers, weights=weights), 1e-6, 1 - 1e-6)
    beta = np.r_[np.log(mean / (1 - mean)), np.zeros(rows.shape[1])]
    for _ in range(40):  # Newton, no step larger than 3 in any row's logit
        fitted = expit(np.clip(x @ beta, -30, 30))
        curvature = np.maximum(fitted * (1 - fitted), 1e-9) * weights
        hessian = (x * curvature[:, None]).T @ x + np.diag(penalty + 1e-9)
        step = np.linalg.solve(hessian, x.T @ (weights * (answers - fitted)) - penalty * beta)
        step *= min(1.0, 3 / np.abs(x @ step).max())
        beta += step
        if np.abs(step).max() < 1e-6:
            break
    free = np.random.default_rng(99).integers(0, 2, (_FREE_ROWS, rows.shape[1]), dtype=np.uint8)
    return least_squares(free, expit(np.clip(beta[0] + (free - 0.5) @ beta[1:], -30, 30)), pixels)


def towards(other: Float64Array) -> Estimator:
    """Return a ridge towards a multiple of another member's weights of the same rows, both likeliest."""

    def fit(rows: UInt8Array, answers: Float64Array, pixels: Int64Array) -> Float64Array:
        x, y = _centred(rows, answers)
        roots, axes = np.linalg.eigh(x.T @ x)
        steps = np.logspace(-2, 4, 31)
        best: tuple[float, Float64Array] = (np.inf, other)
        for share in np.linspace(0, 2, 11):
            rest = y - share * (x @ other)
            along = axes.T @ (x.T @ rest)
            left = rest @ rest - (along**2 / (roots + steps[:, None])).sum(axis=1)
            surprise = (len(y) - 1) * np.log(left) + np.log1p(roots / steps[:, None]).sum(axis=1)
            index = int(np.argmin(surprise))
            if surprise[index] < best[0]:
                best = float(surprise[index]), share * other + axes @ (along / (roots + steps[index]))
        return best[1]

    return fit


def _centred(rows: UInt8Array, answers: Float64Array) -> tuple[Float64Array, Float64Array]:
    weights = lime_weights(rows, WIDTH)
    root = np.sqrt(weights / weights.mean())[:, None]
    x = root * (rows - np.average(rows, axis=0, weights=weights))
    return x, root[:, 0] * (answers - np.average(answers, weights=weights))
