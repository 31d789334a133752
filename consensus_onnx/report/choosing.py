"""Which images the report shows: spread evenly from the one most agreed on to the least."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from consensus_onnx.arrays import AnyArray, Float64Array
from consensus_onnx.engine.run import Run


def agreement_order(run: Run) -> list[int]:
    """Return the indices of all images, those with most agreement first.

    Explainers' scores have different scales, so images are ranked for each explainer by the members' mean score and
    the ranks are averaged. Images without any score come last.
    """
    ranks = [rankdata(_pushed_down(mean_over_members(run.scores(explainer)))) for explainer in run.explainers]
    total = np.sum(ranks, axis=0)
    return [int(index) for index in np.argsort(-total, kind="stable")]


def choose_images(run: Run, wanted: int) -> list[int]:
    """Return at most `wanted` images, evenly spread over the order of agreement, both ends included."""
    order = agreement_order(run)
    if wanted >= len(order):
        return order
    if wanted == 1:
        return [order[len(order) // 2]]
    return [order[place] for place in np.linspace(0, len(order) - 1, max(wanted, 0)).round().astype(int)]


def mean_over_members(scores: AnyArray) -> Float64Array:
    """Return the mean of every column (I,) over its finite entries, NaN where there is none."""
    finite = np.isfinite(scores)
    sums = np.where(finite, scores, 0.0).sum(axis=0)
    counts = finite.sum(axis=0)
    means = np.full(scores.shape[1], np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def _pushed_down(values: Float64Array) -> Float64Array:
    return np.where(np.isfinite(values), values, -np.inf)
