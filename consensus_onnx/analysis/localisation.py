"""How explanations and masks overlap, apart from average precision: pointing, best overlap, energy inside."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis.alignment import average_precision
from consensus_onnx.arrays import AnyArray, BoolArray, Float64Array, require
from consensus_onnx.consensus.stacking import explanation_values


@dataclass(frozen=True)
class Localisation:
    """How one map finds one object, each 0..1 and higher is better; all nan for an empty mask.

    Parameters
    ----------
    average_precision : float
        Area under the precision-recall steps.
    pointing : float
        Whether the brightest pixel lies on the object; where several are the brightest, the share that do.
    best_iou : float
        Largest intersection over union of the mask with what is at or above any threshold: an upper bound, since the
        threshold knows the mask.
    energy : float
        Share of the positive relevance that lies on the object; nan for a map without any.
    chance : float
        The mask's share of the picture: what average precision and energy come to for a map that knows nothing.
    """

    average_precision: float
    pointing: float
    best_iou: float
    energy: float
    chance: float


def localise(mask: BoolArray, explanation: AnyArray) -> Localisation:
    """Compare a map with an object's mask.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        The object. One that fills the picture gives 1 everywhere.
    explanation : ndarray of shape (H, W), float32 or float64
        The map; higher means more relevant.

    Returns
    -------
    Localisation
        The measures.

    Raises
    ------
    ValueError
        If the shapes differ, the mask is not bool, or the map is not finite.

    Examples
    --------
    >>> found = localise(np.array([[True, True], [False, False]]), np.array([[4.0, 1.0], [2.0, 1.0]]))
    >>> found.pointing, found.best_iou, found.energy
    (1.0, 0.5, 0.625)
    """
    require("mask", mask, shape=("H", "W"), dtype=np.bool_)
    require("explanation", explanation, shape=mask.shape)
    values = explanation_values(explanation, "explanation").astype(np.float64)
    if not mask.any():
        return Localisation(math.nan, math.nan, math.nan, math.nan, math.nan)
    brightest = values == values.max()
    positive = np.maximum(values, 0.0)
    scale = positive.max()
    energy = math.nan
    if scale > 0:
        positive = positive / scale  # sums of tiny numbers would vanish
        energy = float(positive[mask].sum() / positive.sum())
    return Localisation(
        average_precision(mask, explanation),
        float(mask[brightest].mean()),
        _best_iou(values.ravel(), mask.ravel()),
        energy,
        float(mask.mean()),
    )


def _best_iou(values: Float64Array, mask: BoolArray) -> float:
    """Try every threshold; pixels of one value are above it together."""
    order = np.argsort(values)[::-1]
    inside = np.cumsum(mask[order])
    above = np.arange(1, values.size + 1)
    ordered = values[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    return float((inside / (above + inside[-1] - inside))[last].max())
