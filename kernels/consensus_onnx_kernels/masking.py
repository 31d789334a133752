"""Pictures with some of their superpixels replaced, written into a buffer that the caller owns."""

from __future__ import annotations

from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from consensus_onnx_kernels.compilation import PARALLEL_FROM, parallel, serial

Values: TypeAlias = npt.NDArray[Any]


def mask_batch(
    rows: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int32],
    picture: Values,
    masked: Values,
    out: Values,
    spread: bool = True,
) -> None:
    """Write one picture per row, some of its superpixels masked.

    Parameters
    ----------
    rows : ndarray of shape (B, K), uint8
        Nonzero keeps the superpixel, zero masks it.
    labels : ndarray of shape (N,), int32
        Superpixel of each place, in 0..K-1 (not checked).
    picture : ndarray of shape (C, N)
        The normalised picture: C planes of N pixels each, or one plane of N numbers where channels come last.
    masked : ndarray of shape (C, N)
        The same with every superpixel masked.
    out : ndarray of shape (B, C, N)
        Receives the pictures. Picture, masked and out share one dtype of 1, 2, 4 or 8 bytes.
    spread : bool
        Whether a large batch may be spread over all threads: not while other threads are masking, too.

    Raises
    ------
    TypeError
        If picture, masked and out differ in dtype.
    """
    if not picture.dtype == masked.dtype == out.dtype:
        raise TypeError(f"picture, masked, out: expected one dtype, got {picture.dtype}, {masked.dtype}, {out.dtype}")
    bits = np.dtype(f"u{out.dtype.itemsize}")  # values are only moved, and bits can be masked
    mask = _mask_parallel if spread and out.size >= PARALLEL_FROM else _mask_serial
    mask(rows, labels, picture.view(bits), masked.view(bits), out.view(bits))


@serial
def segment_means(canvas: npt.NDArray[np.uint8], labels: npt.NDArray[np.int32], k: int) -> npt.NDArray[np.float64]:
    """Return the mean colour of each superpixel.

    Parameters
    ----------
    canvas : ndarray of shape (HW, 3), uint8
        The picture.
    labels : ndarray of shape (HW,), int32
        Superpixel of each pixel, in 0..K-1 (not checked).
    k : int
        Number of superpixels, K.

    Returns
    -------
    ndarray of shape (K, 3), float64
        Means in 0..255, not rounded; zero for a superpixel without pixels.
    """
    sums = np.zeros((k, 3), np.int64)
    counts = np.zeros(k, np.int64)
    for i in range(labels.size):
        label = labels[i]
        counts[label] += 1
        for c in range(3):
            sums[label, c] += canvas[i, c]
    means = np.zeros((k, 3), np.float64)
    for label in range(k):
        for c in range(3):
            means[label, c] = sums[label, c] / max(counts[label], 1)
    return means


@serial
def _mask_serial(
    rows: npt.NDArray[np.uint8], labels: npt.NDArray[np.int32], picture: Values, masked: Values, out: Values
) -> None:
    for b in range(rows.shape[0]):
        _mask_one(rows[b], labels, picture, masked, out[b])


@parallel
def _mask_parallel(
    rows: npt.NDArray[np.uint8], labels: npt.NDArray[np.int32], picture: Values, masked: Values, out: Values
) -> None:
    for b in numba.prange(rows.shape[0]):
        _mask_one(rows[b], labels, picture, masked, out[b])


# Measured on 4 pictures of 3 x 224 x 224 float32, one core: 0.18 ms; choosing by a condition 0.39 ms, also looking up
# each superpixel's colour 0.42 ms, copying run by run of a scan line 0.44 ms. Copying the picture alone takes 0.04 ms.
@serial
def _mask_one(
    row: npt.NDArray[np.uint8], labels: npt.NDArray[np.int32], picture: Values, masked: Values, out: Values
) -> None:
    ones = np.empty(row.size, picture.dtype)  # all bits of a kept superpixel, none of a masked one
    for k in range(row.size):
        ones[k] = -(row[k] != 0)
    keep = np.empty(labels.size, picture.dtype)
    for i in range(labels.size):
        keep[i] = ones[labels[i]]
    for c in range(picture.shape[0]):
        for i in range(labels.size):
            out[c, i] = masked[c, i] ^ ((picture[c, i] ^ masked[c, i]) & keep[i])
