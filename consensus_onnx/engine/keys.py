"""Digests that decide what stored work can be used again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from consensus_onnx.arrays import AnyArray

ALGORITHM = 5  # raise it when a change of the code changes what explainers compute


def unit_key(parts: Mapping[str, Any]) -> str:
    """Return the digest of everything that can change a unit's bytes.

    Batch size, threads, workers, order and paths must not be among `parts`: they change nothing (tested).
    """
    canonical = json.dumps({"algorithm": ALGORITHM, **parts}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def array_digest(array: AnyArray) -> str:
    """Return the sha256 (hex) over dtype, shape and bytes."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
