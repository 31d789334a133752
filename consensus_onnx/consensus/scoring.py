"""From the explanations of all members to their consensus scores, image by image, then over the audit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consensus_onnx.arrays import AnyArray, BoolArray, Float64Array, require
from consensus_onnx.consensus.settings import ConsensusSettings
from consensus_onnx.consensus.similarities import in_form, to_unit_scale
from consensus_onnx.consensus.stacking import explanation_values
from consensus_onnx.consensus.voting import VoteMethod, vote_method
from consensus_onnx.consensus.weighting import check_weights
from consensus_onnx_kernels.similarity import cosine, distance


@dataclass(frozen=True)
class ImageAgreement:
    """The consensus on one image, and how each member relates to it.

    Parameters
    ----------
    consensus : ndarray of shape (K,) or (H, W), float64
        The vote of the members present; nan where none of them has weight.
    raw : ndarray of shape (M,), float64
        Cosine with the consensus, or distance to it where the similarity is the RBF, whose width may not be known
        before all images are. nan for an absent member, and where a cosine has a zero vector.
    raw_leave_one_out : ndarray of shape (M,), float64
        The same against the vote of the other members; nan for a member with no other that has weight.
    """

    consensus: Float64Array
    raw: Float64Array
    raw_leave_one_out: Float64Array


def compare(
    values: AnyArray,
    settings: ConsensusSettings,
    weights: npt.ArrayLike | None = None,
    present: BoolArray | None = None,
) -> ImageAgreement:
    """Vote on one image and compare every member with the vote, and with the vote of the others.

    Parameters
    ----------
    values : ndarray of shape (M, K) or (M, H, W)
        One explanation per member.
    settings : ConsensusSettings
        Which vote and which similarity. Its weighting is not read: pass `family_weights` as weights.
    weights : array_like of shape (M,), optional
        Weight of each member; None counts all alike.
    present : ndarray of shape (M,), bool, optional
        Members that have an explanation of this image; the values of others are not looked at. None means all.

    Returns
    -------
    ImageAgreement
        The consensus and the members' raw similarities.

    Raises
    ------
    ValueError
        If shapes do not fit, or a present member's explanation is not finite (its index is named).
    """
    count = len(values)
    votes = np.ones(count, np.bool_) if present is None else np.asarray(present)
    require("present", votes, shape=(count,), dtype=np.bool_)
    members = np.flatnonzero(votes)
    chosen_weights = check_weights(weights, count)[members]
    raw = np.full(count, np.nan)
    raw_leave_one_out = np.full(count, np.nan)
    if not chosen_weights.any():
        return ImageAgreement(np.full(values.shape[1:], np.nan), raw, raw_leave_one_out)
    chosen = np.stack([explanation_values(values[m], f"values[{m}]").ravel() for m in members])
    method = vote_method(settings.vote)
    consensus = method.function(chosen, chosen_weights)
    raw[members] = _raw(chosen, consensus[np.newaxis], settings)
    others, has_others = _votes_of_others(method, chosen, chosen_weights)
    raw_leave_one_out[members[has_others]] = _raw(chosen[has_others], others, settings)
    return ImageAgreement(consensus.reshape(values.shape[1:]), raw, raw_leave_one_out)


def resolve_sigma(raw: Float64Array, settings: ConsensusSettings) -> float | None:
    """Return the width of the RBF for an audit.

    Parameters
    ----------
    raw : ndarray of shape (M, I), float64
        Distances of every member on every image, nan where there is none.
    settings : ConsensusSettings
        Which similarity, and its sigma.

    Returns
    -------
    float or None
        None for the cosine; the number set; or the median of the distances above zero, and 1 where there is none
        (then every distance is zero and every score 1).
    """
    if settings.similarity == "cosine":
        return None
    if settings.sigma != "median":
        return settings.sigma
    positive = raw[raw > 0]
    return float(np.median(positive)) if positive.size else 1.0


def to_scores(raw: Float64Array, settings: ConsensusSettings, sigma: float | None) -> Float64Array:
    """Turn raw similarities into scores.

    Parameters
    ----------
    raw : ndarray of shape (M, I), float64
        Raw similarities of `compare`, nan where there is none.
    settings : ConsensusSettings
        Which similarity.
    sigma : float or None
        Width of the RBF, from `resolve_sigma`.

    Returns
    -------
    ndarray of shape (M, I), float64
        Cosines as they are, or exp(-(d / sigma)^2 / 2); nan stays nan.
    """
    return raw.copy() if settings.similarity == "cosine" else np.exp(log_scores(raw, settings, sigma))


def log_scores(raw: Float64Array, settings: ConsensusSettings, sigma: float | None) -> Float64Array:
    """Return the logarithms of RBF scores, which do not underflow where a distance is many sigmas.

    Parameters
    ----------
    raw, settings, sigma
        As in `to_scores`.

    Returns
    -------
    ndarray of shape (M, I), float64
        -(d / sigma)^2 / 2; nan stays nan.

    Raises
    ------
    ValueError
        If the similarity is the cosine, which may be negative, or sigma is missing.
    """
    if settings.similarity == "cosine":
        raise ValueError("settings: log scores exist for similarity 'rbf' only, got 'cosine'")
    if sigma is None or not sigma > 0:
        raise ValueError(f"sigma: the rbf needs a number > 0 (see resolve_sigma), got {sigma}")
    return np.asarray(-0.5 * np.square(raw / sigma))


def member_scores(scores: Float64Array) -> Float64Array:
    """Return the consensus score of each member: the mean over the images it has a score for.

    Parameters
    ----------
    scores : ndarray of shape (M, I), float64
        Scores, nan where there is none.

    Returns
    -------
    ndarray of shape (M,), float64
        Means; nan for a member without any score.
    """
    known = ~np.isnan(scores)
    counts = known.sum(axis=1)
    sums = np.where(known, scores, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _raw(values: AnyArray, references: Float64Array, settings: ConsensusSettings) -> Float64Array:
    """Cosines with, or distances to, one reference for all or one each."""
    if settings.similarity == "cosine":
        return cosine(in_form(values, settings.form), references)
    return distance(to_unit_scale(values), references)


def _votes_of_others(method: VoteMethod, values: AnyArray, weights: Float64Array) -> tuple[Float64Array, BoolArray]:
    """Vote without each member in turn: rows for those that have others, and which those are.

    For a mean the shares before and after a member are added up, not its own taken off the total: the difference
    would lose the small shares of the others beside a large one.
    """
    count = len(weights)
    rest = np.array([np.delete(weights, m).sum() for m in range(count)])
    has_others = rest > 0
    if not method.is_mean:
        others = [
            method.function(np.delete(values, m, axis=0), np.delete(weights, m)) for m in np.flatnonzero(has_others)
        ]
        return np.array(others).reshape(-1, values.shape[1]), has_others
    shares = np.stack([weights[m] * method.function(values[m : m + 1], np.ones(1)) for m in range(count)])
    totals = np.zeros_like(shares)
    totals[1:] = np.cumsum(shares[:-1], axis=0)
    totals[:-1] += np.cumsum(shares[:0:-1], axis=0)[::-1]
    return totals[has_others] / rest[has_others, np.newaxis], has_others
