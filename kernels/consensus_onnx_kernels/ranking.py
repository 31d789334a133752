"""Average precision: how well an explanation ranks the pixels of an object above the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consensus_onnx_kernels.compilation import serial


@serial
def average_precision(scores: npt.NDArray[Any], positive: npt.NDArray[np.bool_]) -> float:
    """Return the area under the steps of the precision-recall curve.

    Parameters
    ----------
    scores : ndarray of shape (N,), float64 or float32
        One score per pixel, higher meaning rather part of the object; nan is not allowed.
    positive : ndarray of shape (N,), bool
        The object.

    Returns
    -------
    float
        Sum over thresholds of (recall gained) x precision, in 0..1; pixels of one score share one threshold, as in
        scikit-learn. nan for an empty object (scikit-learn: 0 and a warning), 1 for one that fills the picture.
    """
    total = 0
    for n in range(positive.size):
        total += positive[n]
    if total == 0:
        return np.nan
    order = np.argsort(-scores)
    precision_sum = 0.0
    found = 0
    gained = 0
    for rank in range(order.size):
        gained += positive[order[rank]]
        if rank + 1 == order.size or scores[order[rank + 1]] != scores[order[rank]]:
            found += gained
            precision_sum += gained * (found / (rank + 1))
            gained = 0
    return precision_sum / total
