"""Whether scores depend on who else sits in the committee: other committees (4.5) and single families (Fig. 9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis.committees import committee_scores
from consensus_onnx.analysis.correlation import Correlation, correlate, generator, pearson_rows
from consensus_onnx.analysis.evidence import ImageEvidence
from consensus_onnx.arrays import BoolArray, Float64Array
from consensus_onnx.consensus import ConsensusSettings

SMALLEST_FAMILY = 4  # a correlation over three members says nothing


@dataclass(frozen=True)
class CrossCommittee:
    """Scores of the same target members in committees with different others.

    Parameters
    ----------
    targets : tuple of int
        The members that sit in every committee.
    others : tuple of int
        Least and largest number of others in a committee.
    pearson : ndarray of shape (C,), float64
        Of the targets' scores in each committee with those in the full one; nan where they do not vary.
    mean, deviation : float
        Of these; the paper reports 0.96 and 0.04.
    """

    targets: tuple[int, ...]
    others: tuple[int, int]
    pearson: Float64Array
    mean: float
    deviation: float


@dataclass(frozen=True)
class FamilyConsistency:
    """One family, scored by the full committee and by itself alone.

    Parameters
    ----------
    family : str
        Its name.
    members : tuple of int
        Its F members.
    by_all, by_family : ndarray of shape (F,), float64
        Their scores against either consensus.
    found : Correlation
        Of the two.
    """

    family: str
    members: tuple[int, ...]
    by_all: Float64Array
    by_family: Float64Array
    found: Correlation


def cross_committee(
    images: Iterable[ImageEvidence],
    members: BoolArray,
    targets: Sequence[int],
    settings: ConsensusSettings,
    sigma: float | None,
    *,
    others: tuple[int, int] = (10, 20),
    committees: int = 20,
    seed: int = 0,
) -> CrossCommittee:
    """Score target members in random committees and compare with the full one.

    Parameters
    ----------
    images : iterable of ImageEvidence
        Read once, one at a time.
    members : ndarray of shape (M,), bool
        Who sits in the full committee.
    targets : sequence of int
        Members of it that sit in every committee; three at least.
    settings, sigma
        As in `committee_scores`.
    others : (int, int)
        Least and largest number of other members drawn, both at most the others there are.
    committees : int
        How many.
    seed : int
        Of the draw.

    Returns
    -------
    CrossCommittee
        The correlations.

    Raises
    ------
    ValueError
        If there are fewer than three targets or no others, or a target is no member.
    """
    seated = set(np.flatnonzero(members).tolist())
    rest = sorted(seated - set(targets))
    if len(targets) < 3 or not rest or not set(targets) <= seated:
        raise ValueError(
            f"targets: expected three or more of the {len(seated)} members, and others beside them; "
            f"got {len(targets)} targets and {len(rest)} others"
        )
    least, most = min(others[0], len(rest)), min(others[1], len(rest))
    rng = generator(seed, 2)
    seats = np.zeros((committees + 1, len(members)), np.bool_)
    seats[0] = members
    for row in seats[1:]:
        row[list(targets)] = True
        row[rng.permutation(np.asarray(rest))[: int(rng.integers(least, most + 1))]] = True
    scores = committee_scores(images, seats, settings, sigma)[:, list(targets)]
    known = np.isfinite(scores).all(axis=0)
    pearson = np.full(committees, np.nan)
    if known.sum() >= 3:
        pearson = pearson_rows(scores[1:, known], np.broadcast_to(scores[:1, known], scores[1:, known].shape))
    defined = pearson[np.isfinite(pearson)]
    mean, deviation = (float(defined.mean()), float(defined.std())) if defined.size else (float("nan"),) * 2
    return CrossCommittee(tuple(targets), (least, most), pearson, mean, deviation)


def family_consistency(
    images: Iterable[ImageEvidence],
    families: Sequence[str],
    members: BoolArray,
    settings: ConsensusSettings,
    sigma: float | None,
) -> tuple[FamilyConsistency, ...]:
    """Score each family of four or more by the full committee and by the family alone.

    Parameters
    ----------
    images : iterable of ImageEvidence
        Read once, one at a time.
    families : sequence of str
        Family of each of the M members.
    members : ndarray of shape (M,), bool
        Who sits in the full committee.
    settings, sigma
        As in `committee_scores`.

    Returns
    -------
    tuple of FamilyConsistency
        The largest family first; empty if there is none.
    """
    groups: dict[str, list[int]] = {}
    for member in np.flatnonzero(members).tolist():
        if families[member]:
            groups.setdefault(families[member], []).append(member)
    several = [name for name in groups if len(groups[name]) >= SMALLEST_FAMILY]
    several.sort(key=lambda name: (-len(groups[name]), name))
    if not several:
        return ()
    seats = np.zeros((len(several) + 1, len(families)), np.bool_)
    seats[0] = members
    for row, name in zip(seats[1:], several, strict=True):
        row[groups[name]] = True
    scores = committee_scores(images, seats, settings, sigma)
    return tuple(
        FamilyConsistency(
            name,
            tuple(groups[name]),
            scores[0, groups[name]],
            own[groups[name]],
            correlate(scores[0, groups[name]], own[groups[name]]),
        )
        for name, own in zip(several, scores[1:], strict=True)
    )
