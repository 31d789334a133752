"""Explanations that know nothing of any model: what a score must beat before it means something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from consensus_onnx.analysis.committees import committee_votes
from consensus_onnx.analysis.correlation import generator
from consensus_onnx.analysis.evidence import ImageEvidence
from consensus_onnx.arrays import AnyArray, BoolArray, Float64Array, UInt8Array, require
from consensus_onnx.consensus import ConsensusSettings, to_scores
from consensus_onnx.consensus.similarities import in_form, to_unit_scale
from consensus_onnx_kernels.similarity import cosine, distance

BASELINES = ("random", "centre", "edges")
_CENTRE_WIDTH = 0.25  # of the side: standard deviation of the centre prior


@dataclass(frozen=True)
class BaselineScores:
    """Scores and precisions of what knows nothing, beside those of the members.

    Parameters
    ----------
    scores : dict of str to float
        By baseline (random map, centre prior, edges of the picture): mean similarity to the consensus, in which it
        has no vote.
    mask_ap : dict of str to float
        Mean average precision; nan without masks.
    shuffled : ndarray of shape (M,), float64
        Each member's own explanations with their superpixels or pixels shuffled: the score that is left when only the
        distribution of values remains, not the place. nan for a member without any.
    """

    scores: dict[str, float]
    mask_ap: dict[str, float]
    shuffled: Float64Array


def centre_prior(height: int, width: int) -> Float64Array:
    """Return a Gaussian in the middle of the picture, float64 (H, W) in 0..1."""
    y = (np.arange(height) + 0.5) / height - 0.5
    x = (np.arange(width) + 0.5) / width - 0.5
    distances = np.add.outer(y**2, x**2)
    prior: Float64Array = np.exp(-0.5 * distances / _CENTRE_WIDTH**2)
    return prior


def edge_map(canvas: UInt8Array) -> Float64Array:
    """Return the strength of edges in a picture, which needs no model.

    Parameters
    ----------
    canvas : ndarray of shape (H, W, 3), uint8
        The picture.

    Returns
    -------
    ndarray of shape (H, W), float64
        Length of the Sobel gradient of the mean of the channels, not negative.
    """
    require("canvas", canvas, shape=("H", "W", 3), dtype=np.uint8)
    grey = canvas.mean(axis=2) / 255
    strength: Float64Array = np.hypot(ndimage.sobel(grey, axis=0), ndimage.sobel(grey, axis=1))
    return strength


def baseline_scores(
    images: Iterable[ImageEvidence],
    members: BoolArray,
    settings: ConsensusSettings,
    sigma: float | None,
    *,
    seed: int = 0,
) -> BaselineScores:
    """Compare what knows nothing with the consensus of the members.

    Parameters
    ----------
    images : iterable of ImageEvidence
        Read once, one at a time.
    members : ndarray of shape (M,), bool
        Who votes.
    settings : ConsensusSettings
        Vote and similarity, as the members are scored.
    sigma : float or None
        Width of the RBF, that of the run; None for the cosine.
    seed : int
        Of random maps and of shuffling.

    Returns
    -------
    BaselineScores
        Means over images.
    """
    count = len(members)
    found: list[Float64Array] = []
    precisions: list[list[float]] = []
    for number, image in enumerate(images):
        vote = committee_votes(image, members[np.newaxis], settings.vote)
        if not np.isfinite(vote).all():
            continue
        rng = generator(seed, number)
        blind = _blind(image, rng)
        seated = np.flatnonzero(image.present & members)
        shuffled = rng.permuted(image.flat[seated], axis=1)
        row = np.full(len(BASELINES) + count, np.nan)
        row[: len(BASELINES)] = _raw(blind, vote, settings)
        row[len(BASELINES) + seated] = _raw(shuffled, vote, settings)
        found.append(row)
        if image.has_object:
            precisions.append([image.average_precision(one) for one in blind])
    if not found:
        nothing = dict.fromkeys(BASELINES, float("nan"))
        return BaselineScores(nothing, dict(nothing), np.full(count, np.nan))
    scores = to_scores(np.array(found), settings, sigma)
    known = np.isfinite(scores)
    means = np.full(scores.shape[1], np.nan)
    np.divide(np.where(known, scores, 0.0).sum(axis=0), known.sum(axis=0), out=means, where=known.any(axis=0))
    ap = np.mean(precisions, axis=0) if precisions else np.full(len(BASELINES), np.nan)
    return BaselineScores(
        dict(zip(BASELINES, means.tolist(), strict=False)),
        dict(zip(BASELINES, ap.tolist(), strict=True)),
        means[len(BASELINES) :],
    )


def _blind(image: ImageEvidence, rng: np.random.Generator) -> Float64Array:
    """Return the baselines (3, N) in the form of the image's explanations."""
    height, width = image.canvas.shape[:2]
    size = image.flat.shape[1]
    return np.stack(
        [
            rng.standard_normal(size) if image.segments is not None else rng.exponential(size=size),
            np.asarray(image.pooled(centre_prior(height, width)), np.float64),
            np.asarray(image.pooled(edge_map(image.canvas)), np.float64),
        ]
    )


def _raw(values: AnyArray, vote: Float64Array, settings: ConsensusSettings) -> Float64Array:
    values = np.ascontiguousarray(values)
    if settings.similarity == "cosine":
        return cosine(in_form(values, settings.form), vote)
    return distance(to_unit_scale(values), vote)
