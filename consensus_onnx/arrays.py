"""Array aliases and the one shape check of the public edge.

Shape letters, fixed everywhere: M members, I images, B batch, C channels, H, W, K superpixels, P perturbations,
S noise samples, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

AnyArray: TypeAlias = npt.NDArray[Any]
Float64Array: TypeAlias = npt.NDArray[np.float64]
Float32Array: TypeAlias = npt.NDArray[np.float32]
Int64Array: TypeAlias = npt.NDArray[np.int64]
Int32Array: TypeAlias = npt.NDArray[np.int32]
UInt8Array: TypeAlias = npt.NDArray[np.uint8]
UInt64Array: TypeAlias = npt.NDArray[np.uint64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]


def require(
    name: str, array: AnyArray, *, shape: Sequence[str | int], dtype: npt.DTypeLike | None = None
) -> dict[str, int]:
    """Check an array's rank, fixed sizes and dtype, and return what its letters stand for.

    Parameters
    ----------
    name : str
        What to call the array in the message.
    array : ndarray
        The array to check.
    shape : sequence of str or int
        One entry per axis: an exact size, or a letter; a letter that repeats must have one size.
    dtype : dtype, optional
        The exact dtype; None accepts any.

    Returns
    -------
    dict of str to int
        The size each letter stands for.

    Raises
    ------
    ValueError
        If rank, size or dtype differ, with the expected and the given form.

    Examples
    --------
    >>> require("masks", np.zeros((4, 7), np.uint8), shape=("P", "K"), dtype=np.uint8)
    {'P': 4, 'K': 7}
    >>> require("canvas", np.zeros((4, 7), np.uint8), shape=("H", "W", 3))
    Traceback (most recent call last):
        ...
    ValueError: canvas: expected shape (H, W, 3), got (4, 7)
    """
    wanted = "(" + ", ".join(str(axis) for axis in shape) + ("," if len(shape) == 1 else "") + ")"
    sizes: dict[str, int] = {}
    fits = array.ndim == len(shape) and all(
        size == (axis if isinstance(axis, int) else sizes.setdefault(axis, size))
        for axis, size in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name}: expected shape {wanted}, got {array.shape}")
    if dtype is not None and array.dtype != np.dtype(dtype):
        raise ValueError(f"{name}: expected dtype {np.dtype(dtype)}, got {array.dtype}")
    return sizes
