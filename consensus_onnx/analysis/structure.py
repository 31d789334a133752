"""Who agrees with whom: similarity of members, clusters, outliers, and images by disagreement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from consensus_onnx.analysis.correlation import generator
from consensus_onnx.analysis.evidence import ImageEvidence
from consensus_onnx.arrays import AnyArray, Float64Array, require

_PAIRS_AT_ONCE = 1 << 20  # of permutations; 8 MB a table
_OUTLIER = 3.5  # Iglewicz and Hoaglin's limit for a modified z-score
_MAD_TO_SIGMA = 0.6745


@dataclass(frozen=True)
class AgreementStructure:
    """How alike the members' explanations are.

    Parameters
    ----------
    similarity : ndarray of shape (M, M), float64
        Mean over images of the similarity of two members' explanations, -1..1; nan where they share no image.
    image_agreement : ndarray of shape (I,), float64
        Mean similarity of all pairs of members on an image; the lowest is the image they disagree on most.
    """

    similarity: Float64Array
    image_agreement: Float64Array


@dataclass(frozen=True)
class Clusters:
    """Members in a tree.

    Parameters
    ----------
    members : tuple of int
        Members of the tree in the order of its leaves, alike ones side by side.
    linkage : ndarray of shape (N - 1, 4), float64
        SciPy's linkage of these members in their original order, average distances 1 - similarity.
    """

    members: tuple[int, ...]
    linkage: Float64Array


@dataclass(frozen=True)
class FamilyLikeness:
    """Whether relatives look at the same things.

    Parameters
    ----------
    within, between : float
        Mean similarity of pairs of one family, and of pairs of two.
    p : float
        Share of 9,999 random assignments of families to members in which within - between is at least as large, this
        one counted with them; nan where a kind of pair is missing.
    """

    within: float
    between: float
    p: float


def agreement_structure(images: Iterable[ImageEvidence], members: int) -> AgreementStructure:
    """Compare every member's explanations with every other's.

    Superpixel weights are compared by the cosine of their magnitudes, maps by their correlation over pixels, which
    does not see how bright a map is.

    Parameters
    ----------
    images : iterable of ImageEvidence
        Read once, one at a time.
    members : int
        M.

    Returns
    -------
    AgreementStructure
        The matrix, and the images.
    """
    sums, counts = np.zeros((members, members)), np.zeros((members, members))
    agreement = []
    for image in images:
        found = pairwise(image)
        known = np.isfinite(found)
        sums += np.where(known, found, 0.0)
        counts += known
        pairs = found[np.triu_indices(members, 1)]
        pairs = pairs[np.isfinite(pairs)]
        agreement.append(float(pairs.mean()) if pairs.size else float("nan"))
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return AgreementStructure(means, np.array(agreement))


def pairwise(image: ImageEvidence) -> Float64Array:
    """Return the similarities (M, M) of members on one image; nan for absent ones and for constant explanations."""
    rows = np.where(image.present[:, np.newaxis], image.flat, 0.0).astype(np.float64)
    rows = np.abs(rows) if image.segments is not None else rows - rows.mean(axis=1, keepdims=True)
    scale = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(scale > 0, scale, 1.0)
    norms = np.sqrt((rows**2).sum(axis=1))
    usable = image.present & (norms > 1e-9)
    rows = rows / np.where(norms > 0, norms, 1.0)[:, np.newaxis]
    found = np.asarray(np.clip(np.einsum("mi,ni->mn", rows, rows), -1.0, 1.0))
    found[~usable] = np.nan
    found[:, ~usable] = np.nan
    return found


def cluster(similarity: Float64Array) -> Clusters:
    """Order members so that alike ones stand together.

    Parameters
    ----------
    similarity : ndarray of shape (M, M), float64
        Symmetric; members without any number are left out, single missing pairs count as the mean.

    Returns
    -------
    Clusters
        Average linkage of 1 - similarity, leaves in SciPy's optimal order.
    """
    require("similarity", similarity, shape=("M", "M"), dtype=np.float64)
    off = similarity.copy()
    np.fill_diagonal(off, np.nan)
    chosen = np.flatnonzero(np.isfinite(off).any(axis=1))
    if chosen.size < 2:
        return Clusters(tuple(chosen.tolist()), np.empty((0, 4)))
    part = off[np.ix_(chosen, chosen)]
    part = np.where(np.isfinite(part), part, np.nanmean(part))
    distances = np.clip(1 - (part + part.T) / 2, 0.0, None)
    np.fill_diagonal(distances, 0.0)
    linkage = hierarchy.linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    order = chosen[hierarchy.leaves_list(linkage)]
    return Clusters(tuple(order.tolist()), np.asarray(linkage, np.float64))


def family_likeness(
    similarity: Float64Array, families: Sequence[str], *, seed: int = 0, draws: int = 9999
) -> FamilyLikeness:
    """Compare pairs of relatives with other pairs.

    Parameters
    ----------
    similarity : ndarray of shape (M, M), float64
        From `agreement_structure`.
    families : sequence of str
        Family of each member; an empty one is nobody's relative.
    seed : int
        Of the permutations.
    draws : int
        Permutations.

    Returns
    -------
    FamilyLikeness
        The means and the p-value of the permutation test.
    """
    names = [family or f"\0{index}" for index, family in enumerate(families)]
    numbers = np.unique(names, return_inverse=True)[1]
    rows, columns = np.triu_indices(len(numbers), 1)
    values = similarity[rows, columns]
    known = np.isfinite(values)
    rows, columns, values = rows[known], columns[known], values[known]
    kin = numbers[rows] == numbers[columns]
    nan = float("nan")
    within = float(values[kin].mean()) if kin.any() else nan
    between = float(values[~kin].mean()) if (~kin).any() else nan
    if not (kin.any() and (~kin).any()):
        return FamilyLikeness(within, between, nan)
    # Only members that are compared at all change places; kin pairs then vary in number where some are missing.
    taking_part = np.unique([rows, columns])
    rng = generator(seed, 3)
    at_least, block = 1, max(1, _PAIRS_AT_ONCE // values.size)
    for start in range(0, draws, block):
        drawn = np.tile(numbers, (min(block, draws - start), 1))
        drawn[:, taking_part] = rng.permuted(drawn[:, taking_part], axis=1)
        same = drawn[:, rows] == drawn[:, columns]
        counts = same.sum(axis=1)
        sums = np.where(same, values, 0.0).sum(axis=1)
        defined = (counts > 0) & (counts < values.size)
        inside = sums[defined] / counts[defined]
        outside = (values.sum() - sums[defined]) / (values.size - counts[defined])
        at_least += int(np.count_nonzero(inside - outside >= within - between - 1e-9))
    return FamilyLikeness(within, between, at_least / (draws + 1))


def outliers(values: AnyArray) -> tuple[int, ...]:
    """Return the members that lie far below the others.

    Parameters
    ----------
    values : ndarray of shape (M,), float64
        Such as each member's mean similarity to the others; nan takes no part.

    Returns
    -------
    tuple of int
        Those whose modified z-score, 0.6745 (x - median) / MAD, is below -3.5; the farthest first. Empty for fewer
        than five numbers, of which nothing stands out, or where half of them are the same.
    """
    numbers = np.asarray(values, np.float64)
    known = numbers[np.isfinite(numbers)]
    if known.size < 5:
        return ()
    middle = float(np.median(known))
    spread = float(np.median(np.abs(known - middle)))
    if not spread > 0:
        return ()
    scores = np.where(np.isfinite(numbers), _MAD_TO_SIGMA * (numbers - middle) / spread, 0.0)
    low = np.flatnonzero(scores < -_OUTLIER)
    return tuple(low[np.argsort(scores[low], kind="stable")].tolist())


def mean_similarity(similarity: Float64Array) -> Float64Array:
    """Return each member's mean similarity (M,) to the others; nan where it has none."""
    off = similarity.copy()
    np.fill_diagonal(off, np.nan)
    known = np.isfinite(off)
    means = np.full(len(off), np.nan)
    np.divide(np.where(known, off, 0.0).sum(axis=1), known.sum(axis=1), out=means, where=known.any(axis=1))
    return means
