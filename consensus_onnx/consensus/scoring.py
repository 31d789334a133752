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
    for m in members:
        explanation_values(values[m], f"values[{m}]")
    chosen = values.reshape(count, -1)
    chosen = chosen if votes.all() else chosen[members]
    method = vote_method(settings.vote)
    reach = _reach_mean if method.is_mean else _reach
    consensus, raw_leave_one_out[members] = reach(method, chosen, chosen_weights, settings)
    raw[members] = [_raw(row, consensus, settings) for row in chosen]
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


def _raw(row: AnyArray, reference: Float64Array, settings: ConsensusSettings) -> float:
    """Cosine of one explanation (N,) with a vote (N,), or distance to it."""
    values = row[np.newaxis].astype(np.float64)
    if settings.similarity == "cosine":
        return float(cosine(in_form(values, settings.form), reference[np.newaxis])[0])
    return float(distance(to_unit_scale(values), reference[np.newaxis])[0])


def _reach(
    method: VoteMethod, values: AnyArray, weights: Float64Array, settings: ConsensusSettings
) -> tuple[Float64Array, Float64Array]:
    """Vote with all members, and once more without each of them."""
    values = values.astype(np.float64)
    left_out = np.full(len(values), np.nan)
    for m in np.flatnonzero(_weights_of_others(weights) > 0):
        others = method.function(np.delete(values, m, axis=0), np.delete(weights, m))
        left_out[m] = _raw(values[m], others, settings)
    return method.function(values, weights), left_out


def _reach_mean(
    method: VoteMethod, values: AnyArray, weights: Float64Array, settings: ConsensusSettings
) -> tuple[Float64Array, Float64Array]:
    """Do the same for a mean of one share per member, one member at a time.

    The shares before and after a member are added up, not its own taken off the total: the difference would lose the
    small shares of the others beside a large one. The sums after each member are the only array of M x N numbers.
    """

    def share(m: int) -> Float64Array:
        return np.asarray(weights[m] * method.function(values[m : m + 1].astype(np.float64), np.ones(1)))

    after = np.zeros(values.shape)
    for m in range(len(values) - 1, 0, -1):
        np.add(after[m], share(m), out=after[m - 1])
    before = np.zeros(values.shape[1])
    left_out = np.full(len(values), np.nan)
    for m, rest in enumerate(_weights_of_others(weights)):
        if rest > 0:
            left_out[m] = _raw(values[m], (before + after[m]) / rest, settings)
        before += share(m)
    return before / sum(weights.tolist()), left_out  # added in turn, as the vote of all adds


def _weights_of_others(weights: Float64Array) -> Float64Array:
    """Return what all members but one weigh together; taken off the total, it would lose small ones beside a large."""
    return np.array([np.delete(weights, m).sum() for m in range(len(weights))])
