"""Cosine and distance of M explanations to as many references, or to one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from consensus_onnx_kernels.compilation import serial


@serial
def cosine(values: npt.NDArray[Any], references: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the cosine of the angle between each explanation and its reference.

    Parameters
    ----------
    values : ndarray of shape (M, N), float64 or float32
        One explanation per member.
    references : ndarray of shape (M, N) or (1, N), float64
        One reference per member, or one for all.

    Returns
    -------
    ndarray of shape (M,), float64
        Cosines in -1..1; nan where either vector is zero, because zero has no direction.
    """
    cosines = np.empty(values.shape[0])
    step = min(references.shape[0] - 1, 1)
    for m in range(values.shape[0]):
        cosines[m] = _cosine(values[m], references[m * step])
    return cosines


@serial
def distance(values: npt.NDArray[Any], references: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the Euclidean distance of each explanation to its reference.

    Parameters
    ----------
    values : ndarray of shape (M, N), float64 or float32
        One explanation per member.
    references : ndarray of shape (M, N) or (1, N), float64
        One reference per member, or one for all.

    Returns
    -------
    ndarray of shape (M,), float64
        Distances, not negative.
    """
    distances = np.empty(values.shape[0])
    step = min(references.shape[0] - 1, 1)
    for m in range(values.shape[0]):
        reference = references[m * step]
        squares = 0.0
        for n in range(values.shape[1]):
            difference = values[m, n] - reference[n]
            squares += difference * difference
        distances[m] = math.sqrt(squares)
    return distances


@serial
def _cosine(values: npt.NDArray[Any], reference: npt.NDArray[np.float64]) -> float:
    """Cosine of two vectors, each divided by its largest magnitude first: it does not depend on their scales."""
    scale_a = 0.0
    scale_b = 0.0
    for n in range(values.size):
        scale_a = max(scale_a, abs(np.float64(values[n])))
        scale_b = max(scale_b, abs(reference[n]))
    if scale_a == 0.0 or scale_b == 0.0:
        return np.nan
    product = 0.0
    squares_a = 0.0
    squares_b = 0.0
    for n in range(values.size):
        a = values[n] / scale_a
        b = reference[n] / scale_b
        product += a * b
        squares_a += a * a
        squares_b += b * b
    return max(-1.0, min(1.0, product / math.sqrt(squares_a * squares_b)))
