"""The place of one model among the members of a committee."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array, require

_RESAMPLES = 2000


@dataclass(frozen=True)
class Place:
    """A percentile, with what other images of the kind would allow.

    Attributes
    ----------
    percentile : float
        Members below, in per cent of those with a score; ties count half. nan where nothing can be compared.
    low, high : float
        Ends of the two-sided interval.
    at_most : float
        One-sided upper bound.
    members : int
        It was compared with.
    """

    percentile: float
    low: float
    high: float
    at_most: float
    members: int


def committee_place(scores: Float64Array, committee: Float64Array, *, level: float = 0.95, seed: int = 0) -> Place:
    """Place a model among a committee by its mean score, on the images it has scores for.

    Parameters
    ----------
    scores : ndarray of shape (I,), float64
        The model's score on each image; nan where it has none.
    committee : ndarray of shape (M, I), float64
        The members' scores on the same images.
    level : float
        Confidence of the interval and of the bound.
    seed : int
        Of the bootstrap: images are drawn with replacement, the same for the model and all members.

    Returns
    -------
    Place
        Percentile 0..100 and its bounds.
    """
    images = require("scores", scores, shape=("I",), dtype=np.float64)["I"]
    require("committee", committee, shape=("M", images), dtype=np.float64)
    kept = np.isfinite(scores)
    others = committee[:, kept]
    others = others[np.isfinite(others).any(axis=1)]
    if not others.size:
        return Place(*(4 * (math.nan,)), len(others))
    count = int(kept.sum())
    rng = np.random.default_rng(seed)
    drawn = np.apply_along_axis(np.bincount, 1, rng.integers(count, size=(_RESAMPLES, count)), minlength=count)
    drawn = np.vstack([np.ones(count), drawn])  # the first is the images themselves
    places = _percentiles(drawn @ scores[kept] / count, _means(drawn, others))
    tail = 1 - level
    low, high, at_most = np.nanquantile(places[1:], [tail / 2, 1 - tail / 2, 1 - tail]).tolist()
    return Place(float(places[0]), low, high, at_most, len(others))


def _means(drawn: AnyArray, others: Float64Array) -> Float64Array:
    """Mean of every member (R, M) over what it has of each draw; nan where it has nothing."""
    known = np.isfinite(others)
    sums, counts = drawn @ np.where(known, others, 0.0).T, drawn @ known.T
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def _percentiles(own: Float64Array, others: Float64Array) -> Float64Array:
    own = own[:, np.newaxis]
    known = np.isfinite(others).sum(axis=1)
    # Means of equal scores may differ in their last bits.
    ties = np.isclose(others, own, rtol=0.0, atol=1e-12)
    below = ((others < own) & ~ties).sum(axis=1) + 0.5 * ties.sum(axis=1)
    found = np.full(len(own), np.nan)
    np.divide(100.0 * below, known, out=found, where=known > 0)
    return found
