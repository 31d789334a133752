"""What a receipt says of one stored row, and reading the row back only if it is that one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consensus_onnx.arrays import AnyArray
from consensus_onnx.engine.keys import array_digest
from consensus_onnx.engine.map_coding import decode_map
from consensus_onnx.engine.rows import read_row


@dataclass(frozen=True)
class Vouched:
    """What a receipt says of one row.

    Attributes
    ----------
    digest : str or None
        Of the row: of its bytes, and where it is coded of what they mean as well, so that neither can change unnoticed.
        None where no receipt speaks of it.
    size : int or None
        Number of values of a row of its own length.
    coding : sequence
        How to decode it; empty where there is nothing to decode.
    """

    digest: str | None
    size: int | None = None
    coding: Sequence[Any] = ()

    @staticmethod
    def of(receipt: Mapping[str, Any], name: str) -> Vouched:
        """Return what an explanation's receipt says of one of its arrays."""
        return Vouched(receipt["arrays"][name], receipt.get("size"), receipt.get("coding", {}).get(name, ()))

    def read(self, array: Any, row: int) -> tuple[AnyArray, bool]:
        """Read a row of an open array, decoded.

        Returns
        -------
        tuple of ndarray and bool
            The row, and whether it is the one that was vouched for.

        Raises
        ------
        ValueError, OSError, RuntimeError, IndexError
            If it cannot be read or decoded.
        """
        stored = read_row(array, row, self.size)
        found = decode_map(stored, self.coding) if self.coding else stored
        return found, row_digest(stored, found, self.coding) == self.digest


def row_digest(stored: AnyArray, meant: AnyArray, coding: Sequence[Any]) -> str:
    """Return the digest (hex) of a row as it is stored and as it is read."""
    if not coding:
        return array_digest(stored)
    return hashlib.sha256((array_digest(stored) + array_digest(meant)).encode()).hexdigest()
