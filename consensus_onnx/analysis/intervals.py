"""How far the mean over images would move with other images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from consensus_onnx.arrays import BoolArray, Float64Array, Int64Array, require


class MeanInterval(NamedTuple):
    """Means and their bootstrap intervals, one per member.

    Parameters
    ----------
    mean, low, high : ndarray of shape (M,), float64
        The mean over images, and the ends of its interval. The mean is nan for a member without any score, the ends
        for one with scores of a single image (or group): nothing can be told of other images from one.
    """

    mean: Float64Array
    low: Float64Array
    high: Float64Array


def mean_interval(
    scores: Float64Array,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> MeanInterval:
    """Average each member's scores over images, with percentile bootstrap intervals.

    All members are averaged over the same resampled images, so that what an image does to all of them does not count
    as a difference between them.

    Parameters
    ----------
    scores : ndarray of shape (M, I), float64
        Scores, nan where a member has none; a mean is over what there is.
    level : float
        Coverage of the interval, between 0 and 1.
    resamples : int
        Number of bootstrap samples, at least 1.
    seed : int
        Seed of the bootstrap; equal input and seed give equal intervals.
    groups : sequence of str, optional
        Group of each image, I of them. Groups are drawn whole: images that depend on each other, such as the frames of
        one film, would otherwise make the interval too narrow. None draws single images.

    Returns
    -------
    MeanInterval
        Mean, low and high, each (M,).

    Raises
    ------
    ValueError
        If an argument cannot be used.
    """
    images = require("scores", scores, shape=("M", "I"), dtype=np.float64)["I"]
    if not 0 < level < 1:
        raise ValueError(f"level: must be > 0 and < 1, got {level}")
    if resamples < 1:
        raise ValueError(f"resamples: must be >= 1, got {resamples}")
    if groups is not None and len(groups) != images:
        raise ValueError(f"groups: expected one per image, {images} of them, got {len(groups)}")
    if not images:
        return MeanInterval(*np.full((3, len(scores)), np.nan))
    number_of = np.arange(images) if groups is None else np.unique(groups, return_inverse=True)[1]
    group_count = int(number_of.max()) + 1
    known = ~np.isnan(scores)
    filled = np.where(known, scores, 0.0)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, len(scores)))
    for sample in range(resamples):
        drawn = np.bincount(rng.integers(group_count, size=group_count), minlength=group_count)
        means[sample] = _means(filled, known, drawn[number_of].astype(np.float64))
    tail = (1 - level) / 2
    means[:, _groups_known(known, number_of, group_count) < 2] = np.nan
    low, high = (_quantile(means, share) for share in (tail, 1 - tail))
    return MeanInterval(_means(filled, known, np.ones(images)), low, high)


def _means(filled: Float64Array, known: BoolArray, times: Float64Array) -> Float64Array:
    """Mean of each row in which image i counts `times[i]` times; nan for a row without numbers."""
    # Not `@`: BLAS does not promise the same last bits for another number of threads.
    sums, counts = np.einsum("mi,i->m", filled, times), np.einsum("mi,i->m", known, times)
    means = np.full(len(filled), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def _groups_known(known: BoolArray, number_of: Int64Array, group_count: int) -> Int64Array:
    """Count, for each row, the groups in which it has a number."""
    membership = np.zeros((len(number_of), group_count), dtype=bool)
    membership[np.arange(len(number_of)), number_of] = True
    return np.array([membership[row].any(axis=0).sum() for row in known], dtype=np.int64)


def _quantile(means: Float64Array, share: float) -> Float64Array:
    """Quantile of each column over its numbers; nan for a column without any."""
    columns = [column[~np.isnan(column)] for column in means.T]
    return np.array([np.quantile(column, share) if column.size else np.nan for column in columns])
