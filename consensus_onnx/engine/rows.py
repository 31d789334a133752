"""Rows of a growing array on disk: one image a row, one row a unit of work."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from consensus_onnx.arrays import AnyArray

# What reading raises where bytes are damaged: a flipped one in a description gives zarr a key it does not know.
UNREADABLE = (LookupError, ValueError, OSError, RuntimeError, TypeError, AttributeError, AssertionError)
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
        chunk_key_encoding={"name": "default", "separator": "."},  # c.7.0.0: a folder for each row would cost 8 kB
        compressors=(ZstdCodec(level=0), Crc32cCodec()),  # zstd alone decodes some flipped bytes without complaint
        config={"write_empty_chunks": True},
    )


def chunk_names(array: Any, row: int, size: int | None = None) -> list[str]:
    """Return the files, relative to an open array, that hold a row: one, or of a ragged array what its size needs."""
    pieces = [(0,) * (array.ndim - 1)] if size is None else [(n,) for n in range(-(-size // RAGGED_CHUNK))]
    return [array.metadata.encode_chunk_key((row, *piece)) for piece in pieces]


def is_chunk(name: str) -> bool:
    """Whether a file's name is one that a row of an array could have."""
    return re.fullmatch(r"c(\.\d+)+", name) is not None


def _grow(array: Any, needed: tuple[int, ...]) -> None:
    """Let the array hold as much as is needed, and never less than it does."""
    grown = tuple(max(have, want) for have, want in zip(array.shape, needed, strict=True))
    if grown != array.shape:
        array.resize(grown)
