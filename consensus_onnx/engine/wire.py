"""Messages between the supervisor and its workers: a JSON header and raw arrays, never pickle.

A worker runs native code on files from strangers; nothing it sends may execute in the supervisor.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from consensus_onnx.arrays import AnyArray

_DTYPES = ("uint8", "bool", "int32", "uint16", "float32", "float64")
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Message:
    """A header of plain values and named arrays."""

    header: Mapping[str, Any]
    arrays: Mapping[str, AnyArray] = field(default_factory=dict)


def encode(message: Message) -> bytes:
    """Return the bytes of a message."""
    arrays = {name: np.ascontiguousarray(array) for name, array in message.arrays.items()}
    described = [[name, str(array.dtype), list(array.shape)] for name, array in arrays.items()]
    head = json.dumps({"header": message.header, "arrays": described}).encode()
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
    head = json.loads(data[_LENGTH.size : start])
    arrays: dict[str, AnyArray] = {}
    for name, dtype, shape in head["arrays"]:
        if dtype not in _DTYPES or any(not isinstance(size, int) or size < 0 for size in shape):
            raise ValueError(f"message: array {name!r} has dtype {dtype!r} and shape {shape!r}")
        stop = start + prod(shape) * np.dtype(dtype).itemsize
        if stop > len(data):
            raise ValueError(f"message: array {name!r} needs {stop} bytes, got {len(data)}")
        arrays[name] = np.frombuffer(data[start:stop], dtype).reshape(shape)
        start = stop
    if start != len(data):
        raise ValueError(f"message: expected {start} bytes, got {len(data)}")
    return Message(head["header"], arrays)
