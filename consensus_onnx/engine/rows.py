"""Rows of a growing array on disk: one image a row, one row a unit of work."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from consensus_onnx.arrays import AnyArray

RAGGED_CHUNK = 256  # superpixels per chunk: most pictures need one, none has a limit


class RowShapeError(ValueError):
    """A row whose shape or dtype is not that of the rows before it."""


def write_row(group: zarr.Group, name: str, index: int, row: AnyArray) -> None:
    """Write a row of fixed shape; the array is made by the first and grows as needed.

    Raises
    ------
    RowShapeError
        If the rows before have another shape or dtype.
    """
    array = _array(group, name, (index + 1, *row.shape), (1, *row.shape), row)
    if array.shape[1:] != row.shape:
        raise RowShapeError(f"{name}: expected shape {array.shape[1:]} as in the rows before, got {row.shape}")
    _grow(array, (index + 1, *row.shape))
    array[index] = row


def write_ragged_row(group: zarr.Group, name: str, index: int, row: AnyArray) -> None:
    """Write a row (K,) of its own length; the rest of its line stays NaN."""
    width = -(-row.size // RAGGED_CHUNK) * RAGGED_CHUNK
    array = _array(group, name, (index + 1, width), (1, RAGGED_CHUNK), row)
    _grow(array, (index + 1, width))
    padded = np.full(width, np.nan, row.dtype)
    padded[: row.size] = row
    array[index, :width] = padded


def read_row(array: Any, index: int, size: int | None = None) -> AnyArray:
    """Return a row of an open array, of a ragged one the first `size` values."""
    row = np.asarray(array[index])
    return row if size is None else np.ascontiguousarray(row[:size])


def _array(group: zarr.Group, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], row: AnyArray) -> Any:
    """Return the array, made for the dtype of `row` if it is not there."""
    if name in group:
        array: Any = group[name]
        if array.dtype != row.dtype:
            raise RowShapeError(f"{name}: expected {array.dtype} as in the rows before, got {row.dtype}")
        return array
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=row.dtype,
        fill_value=float("nan") if row.dtype.kind == "f" else 0,
        compressors=(ZstdCodec(level=0), Crc32cCodec()),  # zstd alone decodes some flipped bytes without complaint
        config={"write_empty_chunks": True},
    )


def chunk_names(row: int, axes: int, size: int | None = None) -> list[str]:
    """Return the files, relative to its array, that hold a row: one, or of a ragged array what its size needs."""
    if size is None:
        return [f"c/{row}" + "/0" * axes]
    return [f"c/{row}/{piece}" for piece in range(-(-size // RAGGED_CHUNK))]


def _grow(array: Any, needed: tuple[int, ...]) -> None:
    """Let the array hold as much as is needed, and never less than it does."""
    grown = tuple(max(have, want) for have, want in zip(array.shape, needed, strict=True))
    if grown != array.shape:
        array.resize(grown)
