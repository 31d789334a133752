"""How well explanations find the objects that masks show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.arrays import AnyArray, BoolArray, Float64Array, Int32Array, Int64Array, require
from consensus_onnx.consensus.stacking import explanation_values
from consensus_onnx_kernels import ranking


def average_precision(mask: BoolArray, explanation: AnyArray) -> float:
    """Return how well a map ranks the pixels of an object above the rest.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        The object.
    explanation : ndarray of shape (H, W), float32 or float64
        The map; higher means more relevant. It is used as it is: take magnitudes, or not, before.

    Returns
    -------
    float
        Area under the steps of the precision-recall curve in 0..1, ties sharing a threshold, equal to scikit-learn's
        `average_precision_score`; nan for an empty mask, where nothing can be found. A map that knows nothing comes
        out at `chance_precision`, not at one half.

    Raises
    ------
    ValueError
        If the shapes differ, the mask is not bool, or the map is not finite.

    Examples
    --------
    >>> average_precision(np.array([[True, False], [True, False]]), np.array([[0.9, 0.8], [0.7, 0.6]]))
    0.8333333333333333
    """
    require("mask", mask, shape=("H", "W"), dtype=np.bool_)
    require("explanation", explanation, shape=mask.shape)
    scores = explanation_values(explanation, "explanation")
    return float(ranking.average_precision(np.ascontiguousarray(scores).ravel(), np.ascontiguousarray(mask).ravel()))


def segments_average_precision(values: AnyArray, sizes: Int64Array, inside: Int64Array) -> float:
    """Return the average precision of superpixel weights without painting them.

    Parameters
    ----------
    values : ndarray of shape (K,), float
        Weights; superpixels of equal weight share a threshold.
    sizes, inside : ndarray of shape (K,), int64
        Pixels of each superpixel, and how many of them lie on the object.

    Returns
    -------
    float
        What `average_precision` gives for the painted map; nan for an empty mask.
    """
    total = int(inside.sum())
    if not total:
        return float("nan")
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    found, above = np.cumsum(inside[order])[last], np.cumsum(sizes[order])[last]
    return float((np.diff(found, prepend=0) * (found / np.maximum(above, 1))).sum() / total)


def chance_precision(mask: BoolArray) -> float:
    """Return the average precision of a map that knows nothing: the share of the picture the object takes.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        The object.

    Returns
    -------
    float
        The share, in 0..1; nan for an empty mask, as in `average_precision`.
    """
    require("mask", mask, shape=("H", "W"), dtype=np.bool_)
    return float(mask.mean()) if mask.any() else float("nan")


def mean_average_precision(masks: Sequence[BoolArray], explanations: Sequence[AnyArray]) -> float:
    """Return the mean average precision of one member's maps (or the consensus maps) over images.

    Parameters
    ----------
    masks : sequence of ndarray of shape (H, W), bool
        The object on each image; images with an empty mask do not count.
    explanations : sequence of ndarray of shape (H, W), float32 or float64
        The map of each image.

    Returns
    -------
    float
        The mean, in 0..1; nan where no image has an object.
    """
    values = [average_precision(mask, one) for mask, one in zip(masks, explanations, strict=True)]
    known = [value for value in values if not np.isnan(value)]
    return sum(known) / len(known) if known else float("nan")


def paint(values: Float64Array, segments: Int32Array) -> Float64Array:
    """Give every pixel the weight of its superpixel.

    Parameters
    ----------
    values : ndarray of shape (K,), float64
        Superpixel weights, of one member or of the consensus.
    segments : ndarray of shape (H, W), int32
        Superpixel of each pixel, in 0..K-1.

    Returns
    -------
    ndarray of shape (H, W), float64
        The map.

    Raises
    ------
    ValueError
        If shapes do not fit or a label has no weight.
    """
    count = require("values", values, shape=("K",))["K"]
    require("segments", segments, shape=("H", "W"))
    if segments.size and not 0 <= segments.min() <= segments.max() < count:
        raise ValueError(
            f"segments: expected labels in 0..{count - 1}, one weight each, got {segments.min()}..{segments.max()}"
        )
    return values[segments]
