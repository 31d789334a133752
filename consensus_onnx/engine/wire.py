"""Messages between the supervisor and its workers: a JSON header and raw arrays, never pickle.

A worker runs native code on files from strangers; nothing it sends may execute in the supervisor.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NoReturn

import numpy as np

from consensus_onnx.arrays import AnyArray

_DTYPES = ("uint8", "bool", "int32", "uint16", "float32", "float64")
_LENGTH = struct.Struct("<Q")
_LARGEST = 2**40  # values of an array; far above any explanation, far below what overflows an index
_MOST_AXES = 4
LARGEST_MESSAGE = 2**30  # bytes; a canvas of 4096 x 4096 with two sets of superpixels has 120 MB


@dataclass(frozen=True)
class Message:
    """A header of plain values and named arrays."""

    header: Mapping[str, Any]
    arrays: Mapping[str, AnyArray] = field(default_factory=dict)


def encode(message: Message) -> bytes:
    """Return the bytes of a message.

    Raises
    ------
    TypeError, ValueError
        If the header holds anything but plain values (NaN and infinity are none), or an array is of another dtype
        than the wire knows.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in message.arrays.items()}
    for name, array in arrays.items():
        _check_kind(name, str(array.dtype), array.shape)
    described = [[name, str(array.dtype), list(array.shape)] for name, array in arrays.items()]
    head = json.dumps({"header": dict(message.header), "arrays": described}, allow_nan=False).encode()
    return b"".join([_LENGTH.pack(len(head)), head, *(array.tobytes() for array in arrays.values())])


def decode(data: bytes) -> Message:
    """Return the message in some bytes.

    Raises
    ------
    ValueError
        If they are not what `encode` writes: unknown dtype, sizes that do not add up, broken JSON.
    """
    if len(data) < _LENGTH.size:
        raise ValueError(f"message: expected at least {_LENGTH.size} bytes, got {len(data)}")
    (length,) = _LENGTH.unpack_from(data)
    start = _LENGTH.size + length
    header, described = _head(data[_LENGTH.size : start])
    arrays: dict[str, AnyArray] = {}
    for name, dtype, shape in described:
        _check_kind(name, dtype, shape)
        stop = start + prod(shape) * np.dtype(dtype).itemsize
        if stop > len(data):
            raise ValueError(f"message: array {name!r} needs {stop} bytes, got {len(data)}")
        arrays[name] = np.frombuffer(data[start:stop], dtype).reshape(shape)
        start = stop
    if start != len(data):
        raise ValueError(f"message: expected {start} bytes, got {len(data)}")
    return Message(header, arrays)


def _head(text: bytes) -> tuple[dict[str, Any], list[tuple[str, str, list[int]]]]:
    """Return the header and the description of the arrays."""
    try:
        head = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("message: its header is nested too deeply") from None
    match head:
        case {"header": dict(header), "arrays": list(described)}:
            pass
        case _:
            raise ValueError("message: its header is not what `encode` writes")
    for entry in described:
        match entry:
            case [str(), str(), list()]:
                continue
        raise ValueError("message: an array is not described by name, dtype and shape")
    if len({name for name, _, _ in described}) != len(described):
        raise ValueError("message: two arrays have one name")
    return header, described


def _check_kind(name: str, dtype: str, shape: Sequence[int]) -> None:
    # NumPy refuses more axes, and sizes whose product no index can hold, even where one of them is 0.
    plain = all(type(size) is int and 0 <= size < _LARGEST for size in shape) and len(shape) <= _MOST_AXES
    if dtype not in _DTYPES or not plain or prod(size or 1 for size in shape) >= _LARGEST:
        raise ValueError(f"message: array {name!r} has dtype {dtype!r} and shape {list(shape)!r}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"message: {name} is no plain value")
