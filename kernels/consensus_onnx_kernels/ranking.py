"""Average precision: how well an explanation ranks the pixels of an object above the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from consensus_onnx_kernels.compilation import serial


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
    # NumPy's sort uses vector instructions: with it 50,000 pixels take 0.8 ms, with Numba's 4.7 ms.
    order = np.argsort(scores)[::-1]
    return _area(scores[order], positive[order])


@serial
def _area(scores: npt.NDArray[Any], positive: npt.NDArray[np.bool_]) -> float:
    """Add up the steps of pixels in descending order of score."""
    area = 0.0
    found = 0
    gained = 0
    for rank in range(scores.size):
        gained += positive[rank]
        if rank + 1 == scores.size or scores[rank + 1] != scores[rank]:
            found += gained
            area += gained * (found / (rank + 1))
            gained = 0
    return area / found if found > 0 else np.nan
