"""Rows of a growing array on disk: one image a row, one row a unit of work."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from consensus_onnx.arrays import AnyArray

RAGGED_CHUNK = 256  # superpixels per chunk: most pictures need one, none has a limit


def write_row(group: zarr.Group, name: str, index: int, row: AnyArray) -> None:
    """Write a row of fixed shape; the array is made by the first and grows as needed."""
    array = _array(group, name, row.dtype, (index + 1, *row.shape), (1, *row.shape))
    array[index] = row


def write_ragged_row(group: zarr.Group, name: str, index: int, row: AnyArray) -> None:
    """Write a row (K,) of its own length; the rest of its line stays NaN."""
    chunks = -(-row.size // RAGGED_CHUNK)
    array = _array(group, name, row.dtype, (index + 1, chunks * RAGGED_CHUNK), (1, RAGGED_CHUNK))
    padded = np.full(chunks * RAGGED_CHUNK, np.nan, row.dtype)
    padded[: row.size] = row
    array[index, : padded.size] = padded


def read_row(group: zarr.Group, name: str, index: int, size: int | None = None) -> AnyArray:
    """Return a row, of a ragged array the first `size` values."""
    array: Any = group[name]
    row = np.asarray(array[index])
    return row if size is None else np.ascontiguousarray(row[:size])


def _array(group: zarr.Group, name: str, dtype: npt.DTypeLike, needed: tuple[int, ...], chunks: tuple[int, ...]) -> Any:
    if name not in group:
        kind = np.dtype(dtype)
        return group.create_array(
            name,
            shape=needed,
            chunks=chunks,
            dtype=kind,
            fill_value=float("nan") if kind.kind == "f" else 0,
            config={"write_empty_chunks": True},
        )
    array: Any = group[name]
    grown = tuple(max(have, want) for have, want in zip(array.shape, needed, strict=True))
    if grown != array.shape:
        array.resize(grown)
    return array
