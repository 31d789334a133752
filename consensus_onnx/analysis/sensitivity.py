"""How the ranking of members changes with choices that need no forward pass: vote, similarity, sigma, grid, weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from consensus_onnx.analysis.committees import committee_votes, similarities
from consensus_onnx.analysis.correlation import Correlation, correlate
from consensus_onnx.analysis.evidence import ImageEvidence
from consensus_onnx.arrays import Float64Array
from consensus_onnx.consensus import (
    ConsensusSettings,
    compare,
    family_weights,
    member_scores,
    resolve_sigma,
    to_grid,
    to_scores,
)
from consensus_onnx.consensus.settings import Form, Vote, Weighting

_FORMS: dict[Form, str] = {
    "absolute": "cosine of |L|",
    "signed": "cosine of L",
    "squared": "cosine of L²",
}


@dataclass(frozen=True)
class Variant:
    """One way to get from explanations to scores.

    Parameters
    ----------
    name : str
        What it changes, in words.
    settings : ConsensusSettings
        Vote, similarity, sigma and weighting.
    leave_one_out : bool
        Whether members are compared with the vote of the others.
    grid : int, optional
        Side of a coarser grid for maps; None leaves them.
    """

    name: str
    settings: ConsensusSettings
    leave_one_out: bool = False
    grid: int | None = None


@dataclass(frozen=True)
class RankChange:
    """A variant's ranking beside the one of the run.

    Parameters
    ----------
    name : str
        The variant.
    agreement : Correlation
        Of the members' scores by the variant with those by the run's own settings.
    accuracy : Correlation
        Of the variant's scores with accuracy.
    first, last : int
        Members with the highest and lowest score; -1 where nobody has one.
    largest_move : int
        Most places any member moves.
    scores : ndarray of shape (M,), float64
        The variant's scores.
    """

    name: str
    agreement: Correlation
    accuracy: Correlation
    first: int
    last: int
    largest_move: int
    scores: Float64Array


def standard_variants(settings: ConsensusSettings, grid: int | None, sigma: float | None) -> tuple[Variant, ...]:
    """Return the run's own settings and one variant for each choice.

    Parameters
    ----------
    settings : ConsensusSettings
        Those of the run.
    grid : int or None
        Side of the grid maps are compared on; None for superpixels.
    sigma : float or None
        Width of the RBF that was used; None for the cosine.

    Returns
    -------
    tuple of Variant
        The first is the run's own.
    """
    base = replace(settings, sigma=sigma) if sigma is not None else settings
    found = [Variant("as audited", base), Variant("leave-one-out", base, leave_one_out=True)]
    other: Weighting = "equal" if base.weighting == "family" else "family"
    found.append(Variant(f"{other} weights", replace(base, weighting=other)))
    forms: list[Form] = [form for form in _FORMS if base.similarity != "cosine" or form != base.form]
    if grid is not None:
        forms = ["absolute"] if base.similarity != "cosine" else []  # maps of gradients have no sign to lose
    found += [Variant(_FORMS[form], replace(base, similarity="cosine", form=form)) for form in forms]
    if base.similarity == "cosine":
        unit = replace(base, vote="minmax_mean", similarity="rbf", sigma="median")
        found.append(Variant("RBF on 0..1, minmax vote", unit))
    if sigma is not None:
        found += [
            Variant(f"sigma {sigma * factor:.3g} ({word})", replace(base, sigma=sigma * factor))
            for factor, word in ((0.5, "half"), (2.0, "twice"))
        ]
    votes: tuple[Vote, ...] = ("minmax_mean", "median")  # the RBF needs a consensus on the scale 0..1
    if base.similarity == "cosine":
        votes = ("lime_paper", "minmax_mean", "mean_absolute", "median", "rank_mean", "m4")
    found += [Variant(f"vote {vote}", replace(base, vote=vote)) for vote in votes if vote != base.vote]
    if grid is not None:
        coarser = [side for side in (112, 56, 28, 14, 7) if side < grid and grid % side == 0]
        # The distance of maps grows with the side of the grid, so sigma is found anew.
        found += [
            Variant(f"grid {side}", replace(base, sigma="median" if sigma is not None else base.sigma), grid=side)
            for side in coarser
        ]
    return tuple(found)


def variant_scores(
    images: Iterable[ImageEvidence], variants: Sequence[Variant], families: Sequence[str]
) -> Float64Array:
    """Score all members by several variants in one pass.

    Parameters
    ----------
    images : iterable of ImageEvidence
        Read once, one at a time.
    variants : sequence of Variant
        V of them.
    families : sequence of str
        Family of each member, for weights.

    Returns
    -------
    ndarray of shape (V, M), float64
        Scores; nan where a member has none.
    """
    raw: list[list[Float64Array]] = [[] for _ in variants]
    for image in images:
        known: dict[tuple[object, ...], Float64Array] = {}
        for found, variant in zip(raw, variants, strict=True):
            settings = variant.settings
            # Sigma changes nothing of what comes before it.
            choice = (settings.vote, settings.similarity, settings.form, settings.weighting)
            key = (*choice, variant.grid, variant.leave_one_out)
            if key not in known:
                known[key] = _raw(image, variant, families)
            found.append(known[key])
    table = np.full((len(variants), len(families)), np.nan)
    for row, found, variant in zip(table, raw, variants, strict=True):
        if found:
            every = np.stack(found, axis=1)
            row[:] = member_scores(to_scores(every, variant.settings, resolve_sigma(every, variant.settings)))
    return table


def rank_changes(
    names: Sequence[str], scores: Float64Array, base: Float64Array, accuracy: Float64Array
) -> tuple[RankChange, ...]:
    """Compare rankings with a base ranking.

    Parameters
    ----------
    names : sequence of str
        V variants.
    scores : ndarray of shape (V, M), float64
        Their scores, nan where unknown.
    base : ndarray of shape (M,), float64
        The scores to compare with.
    accuracy : ndarray of shape (M,), float64
        nan where unknown.

    Returns
    -------
    tuple of RankChange
        One per variant.
    """
    changes = []
    for name, row in zip(names, scores, strict=True):
        both = np.flatnonzero(np.isfinite(row) & np.isfinite(base))
        known = np.flatnonzero(np.isfinite(row))
        moves = np.abs(_ranks(row[both]) - _ranks(base[both]))
        changes.append(
            RankChange(
                name,
                correlate(row, base),
                correlate(row, accuracy),
                int(known[np.argmax(row[known])]) if known.size else -1,
                int(known[np.argmin(row[known])]) if known.size else -1,
                int(moves.max(initial=0)),
                row,
            )
        )
    return tuple(changes)


def _ranks(values: Float64Array) -> Float64Array:
    return np.argsort(np.argsort(-values, kind="stable"), kind="stable").astype(np.float64)


def _raw(image: ImageEvidence, variant: Variant, families: Sequence[str]) -> Float64Array:
    """Return cosines with, or distances to, the variant's consensus (M,)."""
    settings, side = variant.settings, variant.grid
    if side is not None:
        image = replace(image, values=np.stack([to_grid(one, (side, side)) for one in image.values]))
    equal = image.present.astype(np.float64)
    weights = family_weights(families, image.present) if settings.weighting == "family" else equal
    if variant.leave_one_out:
        if not weights.any():
            return np.full(len(families), np.nan)
        return compare(image.values, settings, weights=weights, present=image.present).raw_leave_one_out
    votes = committee_votes(image, weights[np.newaxis], settings.vote)
    return np.asarray(similarities(image, votes, settings)[0])
