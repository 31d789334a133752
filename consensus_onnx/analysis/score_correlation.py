"""How scores go with another property of members, with what other images and other members would have given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis.correlation import (
    Correlation,
    correlate,
    generator,
    pearson_rows,
    percentile_interval,
)
from consensus_onnx.arrays import Float64Array, require


@dataclass(frozen=True)
class ScoreCorrelation:
    """A correlation over members of means over images.

    Parameters
    ----------
    over_members : Correlation
        The coefficients; its interval is a bootstrap over members, the images held.
    images_low, images_high : float
        95 % percentile interval of Pearson's coefficient over images, the members held; nan below two images.
    both_low, both_high : float
        The same over images and members, each drawn on their own: the widest, and the one to quote for models and
        pictures of this kind at large.
    """

    over_members: Correlation
    images_low: float
    images_high: float
    both_low: float
    both_high: float


def correlate_scores(
    scores: Float64Array,
    other: Float64Array,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = 2000,
) -> ScoreCorrelation:
    """Correlate the members' mean scores with another property of theirs.

    Parameters
    ----------
    scores : ndarray of shape (M, I), float64
        Scores, nan where a member has none; a mean is over what there is.
    other : ndarray of shape (M,) or (M, I), float64
        The other property: one number a member (declared accuracy), or one per image (average precision, right or
        wrong), which is then averaged over the same resampled images as the scores. nan where unknown.
    groups : sequence of str, optional
        Group of each image; groups are drawn whole, as in `mean_interval`.
    seed : int
        Seed of the bootstrap.
    resamples : int
        Bootstrap samples for each interval, at least 1.

    Returns
    -------
    ScoreCorrelation
        nan where there are fewer than three members with both, or nothing varies.

    Raises
    ------
    ValueError
        If shapes do not fit, or resamples is below 1.
    """
    sizes = require("scores", scores, shape=("M", "I"), dtype=np.float64)
    images = sizes["I"]
    if other.shape not in ((sizes["M"],), scores.shape):
        raise ValueError(f"other: expected shape ({sizes['M']},) or {scores.shape} as scores has, got {other.shape}")
    if groups is not None and len(groups) != images:
        raise ValueError(f"groups: expected one per image, {images} of them, got {len(groups)}")
    once = np.ones((1, images))
    point = correlate(_means(scores, once)[0], _means(other, once)[0], seed=seed, resamples=resamples)
    nan = float("nan")
    if images < 2 or np.isnan(point.pearson):
        return ScoreCorrelation(point, nan, nan, nan, nan)
    numbers = np.arange(images) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    rng = generator(seed, 1)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)[:, numbers]
    left, right = _means(scores, drawn), _means(other, drawn)
    known = (np.isfinite(left) & np.isfinite(right)).astype(np.float64)
    left, right = np.where(known > 0, left, 0.0), np.where(known > 0, right, 0.0)
    # Members that have both at all are drawn; which of them have both in a sample of images differs little.
    pool = np.flatnonzero(known.any(axis=0))
    times = np.zeros(left.shape)
    times[:, pool] = rng.multinomial(pool.size, np.full(pool.size, 1 / pool.size), size=resamples)
    over_images = percentile_interval(pearson_rows(left, right, known))
    over_both = percentile_interval(pearson_rows(left, right, known * times))
    return ScoreCorrelation(point, *over_images, *over_both)


def _means(values: Float64Array, times: Float64Array) -> Float64Array:
    """Return each member's mean (R, M) when image i counts times[r, i] times; nan where nothing counts."""
    if values.ndim == 1:
        return np.broadcast_to(values, (len(times), values.size))
    known = np.isfinite(values)
    # einsum, not a product of matrices: BLAS does not promise the same last bits for another number of threads.
    sums = np.einsum("ri,mi->rm", times, np.where(known, values, 0.0))
    counts = np.einsum("ri,mi->rm", times, known.astype(np.float64))
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means
