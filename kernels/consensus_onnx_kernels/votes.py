"""Votes of M members over N superpixels or pixels, and the scaling that one of them needs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from consensus_onnx_kernels.compilation import serial


@serial
def vote_squared_norm(values: npt.NDArray[Any], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the weighted mean of L^2 / ||L||, the paper's vote over superpixels.

    Parameters
    ----------
    values : ndarray of shape (M, N), float64 or float32
        One explanation per member; a member that is zero everywhere adds nothing but still counts as a member.
    weights : ndarray of shape (M,), float64
        Weight of each member, not negative, not all zero; equal weights give the paper's mean.

    Returns
    -------
    ndarray of shape (N,), float64
        The vote, not negative, in the units of the explanations.
    """
    vote = np.zeros(values.shape[1])
    total = 0.0
    for m in range(values.shape[0]):
        total += weights[m]
        norm = _norm(values[m])
        if norm > 0.0:
            for n in range(values.shape[1]):
                value = np.float64(values[m, n])
                vote[n] += weights[m] * (value * (value / norm))
    for n in range(values.shape[1]):
        vote[n] /= total
    return vote


@serial
def vote_minmax_mean(values: npt.NDArray[Any], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the weighted mean of the explanations scaled to 0..1, the paper's vote over pixels.

    Parameters
    ----------
    values : ndarray of shape (M, N), float64 or float32
        One explanation per member.
    weights : ndarray of shape (M,), float64
        Weight of each member, not negative, not all zero.

    Returns
    -------
    ndarray of shape (N,), float64
        The vote, in 0..1.
    """
    vote = np.zeros(values.shape[1])
    total = 0.0
    for m in range(values.shape[0]):
        total += weights[m]
        low, span = _range(values[m])
        for n in range(values.shape[1]):
            vote[n] += weights[m] * ((values[m, n] - low) / span)
    for n in range(values.shape[1]):
        vote[n] /= total
    return vote


@serial
def minmax(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Scale an explanation to 0..1.

    Parameters
    ----------
    values : ndarray of shape (N,), float64 or float32
        The explanation.

    Returns
    -------
    ndarray of shape (N,), float64
        (L - min L) / (max L - min L); zeros where every value is the same.
    """
    scaled = np.empty(values.size)
    low, span = _range(values)
    for n in range(values.size):
        scaled[n] = (values[n] - low) / span
    return scaled


@serial
def _range(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Minimum and width of the range as float64; a constant gets width 1, so that scaling it gives zeros."""
    low = np.float64(values[0])
    high = low
    for n in range(1, values.size):
        value = np.float64(values[n])
        low = min(low, value)
        high = max(high, value)
    return low, (high - low if high > low else 1.0)


@serial
def _norm(values: npt.NDArray[Any]) -> float:
    """Euclidean norm, scaled by the largest magnitude so that squares neither vanish nor overflow."""
    largest = 0.0
    for n in range(values.size):
        largest = max(largest, abs(np.float64(values[n])))
    if largest == 0.0:
        return 0.0
    squares = 0.0
    for n in range(values.size):
        share = np.float64(values[n]) / largest
        squares += share * share
    return largest * math.sqrt(squares)
