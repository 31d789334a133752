"""Properties of an explanation that have nothing to do with where it points, but can move its score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis.evidence import ImageEvidence
from consensus_onnx.arrays import AnyArray, Float64Array
from consensus_onnx_kernels.votes import minmax


@dataclass(frozen=True)
class MapProperties:
    """Means over images, one per member; nan for a member without explanations.

    Parameters
    ----------
    brightness : ndarray of shape (M,), float64
        Mean of the explanation scaled to 0..1.
    sparsity : ndarray of shape (M,), float64
        Gini index of the magnitudes: 0 where all are alike, towards 1 where few hold everything.
    smoothness : ndarray of shape (M,), float64
        Correlation of neighbouring pixels; nan for superpixels.
    negative : ndarray of shape (M,), float64
        Share of the magnitudes that belongs to negative values; 0 for maps.
    magnitude : ndarray of shape (M,), float64
        Euclidean norm. The paper's vote on superpixels gives a member weight in proportion to it.
    """

    brightness: Float64Array
    sparsity: Float64Array
    smoothness: Float64Array
    negative: Float64Array
    magnitude: Float64Array


def map_properties(images: Iterable[ImageEvidence], members: int) -> MapProperties:
    """Measure every member's explanations.

    Parameters
    ----------
    images : iterable of ImageEvidence
        Read once, one at a time.
    members : int
        M.

    Returns
    -------
    MapProperties
        Means over the images a member has an explanation of.
    """
    sums = np.zeros((5, members))
    counts = np.zeros((5, members))
    for image in images:
        for member in np.flatnonzero(image.present).tolist():
            values = image.values[member]
            flat = np.ascontiguousarray(values.ravel())
            found = np.array(
                [
                    float(minmax(flat).mean()),
                    gini(flat),
                    smoothness(values) if values.ndim == 2 else np.nan,
                    _negative(flat),
                    float(np.linalg.norm(flat.astype(np.float64))),
                ]
            )
            known = np.isfinite(found)
            sums[:, member] += np.where(known, found, 0.0)
            counts[:, member] += known
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return MapProperties(*means)


def gini(values: AnyArray) -> float:
    """Return the Gini index of the magnitudes of an explanation.

    Parameters
    ----------
    values : ndarray of shape (N,), float
        The explanation.

    Returns
    -------
    float
        0 where all magnitudes are equal, 1 - 1/N where one holds everything; nan for an explanation of zeros.

    Examples
    --------
    >>> gini(np.array([1.0, -1.0])), gini(np.array([0.0, 0.0, 0.0, 2.0]))
    (0.0, 0.75)
    """
    ordered = np.sort(np.abs(values.astype(np.float64)))
    total = ordered.sum()
    if not total > 0:
        return float("nan")
    ranks = np.arange(1, ordered.size + 1)
    return float(max(0.0, 2 * (ranks * (ordered / total)).sum() / ordered.size - (ordered.size + 1) / ordered.size))


def smoothness(pixel_map: AnyArray) -> float:
    """Return how alike neighbouring pixels are.

    Parameters
    ----------
    pixel_map : ndarray of shape (h, w), float
        The map.

    Returns
    -------
    float
        Mean product of the deviations of horizontal and vertical neighbours over the variance (Moran's I): near 0
        for noise, towards 1 for a smooth map; nan for a constant one.
    """
    deviation = pixel_map.astype(np.float64) - pixel_map.mean(dtype=np.float64)
    variance = float((deviation**2).mean())
    if not variance > 1e-24 * float(np.abs(pixel_map).max(initial=0.0)) ** 2:
        return float("nan")
    products = [deviation[1:] * deviation[:-1], deviation[:, 1:] * deviation[:, :-1]]
    pairs = sum(part.size for part in products)
    return float(sum(part.sum() for part in products) / pairs / variance) if pairs else float("nan")


def _negative(flat: AnyArray) -> float:
    total = float(np.abs(flat).sum(dtype=np.float64))
    return float(-np.minimum(flat, 0).sum(dtype=np.float64)) / total if total > 0 else float("nan")
