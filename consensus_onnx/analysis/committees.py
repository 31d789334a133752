"""Committees that could have been: drawn from the members of a run, voted and scored on its stored explanations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from consensus_onnx.analysis.correlation import generator
from consensus_onnx.analysis.evidence import ImageEvidence
from consensus_onnx.arrays import AnyArray, BoolArray, Float64Array
from consensus_onnx.consensus import ConsensusSettings, to_scores
from consensus_onnx.consensus.similarities import in_form, to_unit_scale
from consensus_onnx.consensus.voting import vote_method
from consensus_onnx_kernels.similarity import cosine, distance


def random_committees(pool: Sequence[int], size: int, trials: int, members: int, *, seed: int = 0) -> BoolArray:
    """Draw committees of one size, each without repeating a member.

    Parameters
    ----------
    pool : sequence of int
        Indices of the members to draw from.
    size, trials : int
        Members in each, and how many committees.
    members : int
        M, the members there are.
    seed : int
        Of the draw; sizes and trials do not depend on each other.

    Returns
    -------
    ndarray of shape (T, M), bool
        Who sits in each.

    Raises
    ------
    ValueError
        If the size is not in 1..len(pool).
    """
    if not 1 <= size <= len(pool):
        raise ValueError(f"size: expected 1..{len(pool)}, the members to draw from, got {size}")
    chosen = np.zeros((trials, members), np.bool_)
    rng = generator(seed, size)
    for row in chosen:
        row[rng.permutation(np.asarray(pool))[:size]] = True
    return chosen


def committee_votes(image: ImageEvidence, weights: AnyArray, vote: str) -> Float64Array:
    """Let several committees vote on one image.

    Parameters
    ----------
    image : ImageEvidence
        The members' explanations.
    weights : ndarray of shape (C, M), bool or float64
        Weight of each member in each committee, not negative.
    vote : str
        Name of the vote.

    Returns
    -------
    ndarray of shape (C, N), float64
        One consensus each; nan where no member with weight is present.
    """
    members = np.flatnonzero(image.present)
    counted = np.asarray(weights, np.float64)[:, members]
    totals = counted.sum(axis=1)
    voted = np.flatnonzero(totals > 0)
    method = vote_method(vote)
    values = np.ascontiguousarray(image.flat[members])
    votes = np.full((len(counted), image.flat.shape[1]), np.nan)
    if not method.is_mean:
        for row in voted:
            seated = counted[row] > 0
            votes[row] = method.function(np.ascontiguousarray(values[seated]), counted[row, seated])
    elif voted.size:
        shares = np.stack([method.function(values[m : m + 1], np.ones(1)) for m in range(len(members))])
        # einsum, not a product of matrices: BLAS does not promise the same last bits for another number of threads.
        votes[voted] = np.einsum("cm,mn->cn", counted[voted] / totals[voted, np.newaxis], shares)
    return votes


def similarities(image: ImageEvidence, references: Float64Array, settings: ConsensusSettings) -> Float64Array:
    """Compare every member with several references on one image.

    Parameters
    ----------
    image : ImageEvidence
        The members' explanations.
    references : ndarray of shape (C, N), float64
        Such as the votes of committees; rows of nan are left out.
    settings : ConsensusSettings
        Which similarity.

    Returns
    -------
    ndarray of shape (C, M), float64
        Cosines, or distances for the RBF, as `consensus.compare` calls them raw; nan for absent members.
    """
    members = np.flatnonzero(image.present)
    raw = np.full((len(references), len(image.present)), np.nan)
    if not members.size:
        return raw
    values = np.ascontiguousarray(image.flat[members])
    by_cosine = settings.similarity == "cosine"
    values = in_form(values, settings.form) if by_cosine else to_unit_scale(values)
    for row, reference in enumerate(references):
        if np.isfinite(reference).all():
            compared = cosine if by_cosine else distance
            raw[row, members] = compared(values, np.ascontiguousarray(reference[np.newaxis]))
    return raw


def committee_scores(
    images: Iterable[ImageEvidence], weights: AnyArray, settings: ConsensusSettings, sigma: float | None
) -> Float64Array:
    """Score every member against the votes of several committees, over all images.

    Parameters
    ----------
    images : iterable of ImageEvidence
        Read once, one at a time.
    weights : ndarray of shape (C, M), bool or float64
        The committees. Members outside a committee are scored too.
    settings : ConsensusSettings
        Vote and similarity.
    sigma : float or None
        Width of the RBF, that of the whole run so that scores can be compared; None for the cosine.

    Returns
    -------
    ndarray of shape (C, M), float64
        Means over the images that have a score; nan where there is none.
    """
    sums = np.zeros(np.shape(weights))
    counts = np.zeros(np.shape(weights))
    for image in images:
        raw = similarities(image, committee_votes(image, weights, settings.vote), settings)
        scores = to_scores(raw, settings, sigma)
        known = np.isfinite(scores)
        sums += np.where(known, scores, 0.0)
        counts += known
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means
