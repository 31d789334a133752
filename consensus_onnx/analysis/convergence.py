"""How many members a consensus needs: random committees of growing size (the paper's Fig. 6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis.committees import committee_votes, random_committees
from consensus_onnx.analysis.correlation import generator, pearson_rows
from consensus_onnx.analysis.evidence import ImageEvidence
from consensus_onnx.arrays import BoolArray, Float64Array

_STEPS = (1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 40, 50, 60, 80)


@dataclass(frozen=True)
class Spread:
    """What trials of each size come to, one entry per size; nan where nothing is known.

    Parameters
    ----------
    mean, median, low, high : ndarray of shape (S,), float64
        Over trials; low and high hold the middle 95 %.
    """

    mean: Float64Array
    median: Float64Array
    low: Float64Array
    high: Float64Array


@dataclass(frozen=True)
class Convergence:
    """The consensus of random committees, by their size.

    Parameters
    ----------
    sizes : tuple of int
        S sizes; the last is the full committee.
    trials : int
        Committees of each size.
    to_full : Spread
        Correlation of a committee's consensus with the full committee's. Their members overlap: 1 at full size.
    to_another : Spread
        Correlation of the consensus of two committees without a common member; nan above half the members. This is
        how far a consensus of that size repeats with other members.
    mask_ap : Spread
        Mean average precision of a committee's consensus; nan without masks.
    full_ap : float
        That of the full committee; nan without masks.
    images, masked : int
        Images that were looked at, and those of them with an object mask.
    """

    sizes: tuple[int, ...]
    trials: int
    to_full: Spread
    to_another: Spread
    mask_ap: Spread
    full_ap: float
    images: int
    masked: int


def converge(
    images: Iterable[ImageEvidence],
    members: BoolArray,
    vote: str,
    *,
    sizes: Sequence[int] | None = None,
    trials: int = 20,
    seed: int = 0,
) -> Convergence:
    """Vote with random committees of each size on all images.

    Parameters
    ----------
    images : iterable of ImageEvidence
        Read once, one at a time.
    members : ndarray of shape (M,), bool
        Who takes part.
    vote : str
        Name of the vote.
    sizes : sequence of int, optional
        Rising sizes; the full committee is always added. None takes 1, 2, 3, 5, 8, 12, 16, 20, 25, 30, ...
    trials : int
        Committees of each size; the same ones for every image.
    seed : int
        Of the draw.

    Returns
    -------
    Convergence
        By size.

    Raises
    ------
    ValueError
        If there is no member, a size does not fit, or trials is below 1.
    """
    pool = np.flatnonzero(members).tolist()
    full = len(pool)
    if not full or trials < 1:
        raise ValueError(f"converge: expected members and trials >= 1, got {full} and {trials}")
    steps = [size for size in _STEPS if size < full] if sizes is None else [size for size in sizes if size != full]
    chosen = (*steps, full)
    seats = []
    for size in chosen:
        drawn = random_committees(pool, min(2 * size, full), trials, len(members), seed=seed)
        seats.append((drawn, _halves(drawn, size, seed) if size < full else drawn))
    sums = np.zeros((3, len(chosen), trials))
    counts = np.zeros((3, len(chosen), trials))
    full_sum, seen, masked = 0.0, 0, 0
    for image in images:
        seen += 1
        whole = committee_votes(image, members[np.newaxis], vote)
        if not np.isfinite(whole).all():
            continue
        has_object = image.has_object
        if has_object:
            masked += 1
            full_sum += image.average_precision(whole[0])
        for row, size in enumerate(chosen):
            drawn, first = seats[row]
            votes = committee_votes(image, first, vote)
            found = np.full((3, trials), np.nan)
            found[0] = _agreement(votes, np.broadcast_to(whole, votes.shape))
            if 2 * size <= full:
                found[1] = _agreement(votes, committee_votes(image, drawn & ~first, vote))
            if has_object:
                found[2] = [image.average_precision(one) if np.isfinite(one).all() else np.nan for one in votes]
            known = np.isfinite(found)
            sums[:, row] += np.where(known, found, 0.0)
            counts[:, row] += known
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    to_full, to_another, mask_ap = (_spread(part) for part in means)
    full_ap = full_sum / masked if masked else float("nan")
    return Convergence(chosen, trials, to_full, to_another, mask_ap, full_ap, seen, masked)


def converged_at(found: Convergence, tolerance: float = 0.01) -> int | None:
    """Return the least size from which on the mean AP stays within a tolerance of the full committee's.

    Parameters
    ----------
    found : Convergence
        By size.
    tolerance : float
        In units of average precision.

    Returns
    -------
    int or None
        None without masks.
    """
    near = np.abs(found.mask_ap.mean - found.full_ap) <= tolerance
    if not np.isfinite(found.full_ap) or not near[-1]:
        return None
    far = np.flatnonzero(~near)
    return found.sizes[int(far[-1]) + 1 if far.size else 0]


def _halves(drawn: BoolArray, size: int, seed: int) -> BoolArray:
    """Return `size` random members of each committee; the rest are another committee."""
    halves = np.zeros_like(drawn)
    rng = generator(seed, 1000 + size)
    for trial, row in enumerate(drawn):
        seated = np.flatnonzero(row)
        halves[trial, rng.permutation(seated)[:size]] = True
    return halves


def _agreement(votes: Float64Array, others: Float64Array) -> Float64Array:
    """Correlation of votes over superpixels or pixels; nan where a vote is constant or missing."""
    known = np.isfinite(votes).all(axis=1) & np.isfinite(others).all(axis=1)
    agreement = np.full(len(votes), np.nan)
    agreement[known] = pearson_rows(votes[known], others[known])
    return agreement


def _spread(values: Float64Array) -> Spread:
    """Sum up trials (S, T)."""
    known = np.isfinite(values).all(axis=1)
    parts = np.full((4, len(values)), np.nan)
    if known.any():
        parts[0, known] = values[known].mean(axis=1)
        parts[1:, known] = np.quantile(values[known], (0.5, 0.025, 0.975), axis=1)
    return Spread(*parts)
