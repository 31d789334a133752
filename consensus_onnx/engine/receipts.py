"""Receipts: an append-only journal per stage and member, the only truth about what is done.

A line is written after everything it vouches for; a line that was torn by a kill or a full disk is cut off before the
next is appended, so an interrupted run that is taken up again leaves the same bytes as an unbroken one. Every line
carries its own checksum: one that was damaged later costs the unit it names, not those after it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRATCH = ".partial"  # suffix of files that are being written, ours and zarr's
_CHECK = 16  # hex digits of sha256 before each line


@dataclass(frozen=True)
class Journal:
    """One file of receipts, each a JSON object with a `unit` that names what it is for; the last one counts."""

    path: Path

    def read(self) -> dict[str, dict[str, Any]]:
        """Return the intact receipts by unit, in the order of their first appearance."""
        if not self.path.exists():
            return {}
        entries = (_parse(line) for line in self.path.read_bytes().split(b"\n")[:-1])
        return {str(entry["unit"]): entry for entry in entries if entry is not None}

    def rows(self) -> RowReceipts:
        """Return the intact receipts of a journal whose units are rows."""
        if not self.path.exists():
            return RowReceipts()
        lines = self.path.read_bytes().split(b"\n")[:-1]
        texts = (line.partition(b" ")[2] for line in lines if _intact(line))
        return RowReceipts({int(json.loads(text)["unit"]): text for text in texts})

    def damaged_lines(self) -> list[int]:
        """Return the numbers, from 1, of the lines whose checksum does not hold; a torn last one is among them."""
        lines = self.path.read_bytes().split(b"\n")
        torn = [len(lines)] if lines[-1] else []
        return [number for number, line in enumerate(lines[:-1], 1) if _parse(line) is None] + torn

    def drop(self, units: Container[str] = ()) -> None:
        """Remove the receipts of some units, and every damaged line, in one step.

        Raises
        ------
        OSError
            If the journal cannot be rewritten; it stays as it was then.
        """
        entries = [_parse(line) for line in self.path.read_bytes().split(b"\n")[:-1]]
        kept = [entry for entry in entries if entry is not None and entry["unit"] not in units]
        scratch = self.path.with_name(self.path.name + SCRATCH)
        scratch.write_bytes(b"".join(_line(entry) for entry in kept))
        scratch.replace(self.path)

    def append(self, unit: str, content: Mapping[str, Any]) -> None:
        """Add a receipt, after cutting off a torn line if there is one.

        Raises
        ------
        OSError
            If the line cannot be written whole; what was there before stays valid.
        """
        line = _line({"unit": unit, **content})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            size = file.tell()
            if size and not _ends_line(self.path):
                os.truncate(self.path, self.path.read_bytes().rfind(b"\n") + 1)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


class RowReceipts(Mapping[int, dict[str, Any]]):
    """Receipts by row, kept as text: read into objects, those of 85 members and 5,794 images would take 1.5 GB."""

    def __init__(self, texts: dict[int, bytes] | None = None) -> None:
        self._texts = texts or {}

    def add(self, row: int, content: Mapping[str, Any]) -> None:
        """Take up the receipt that was appended to the journal for a row."""
        self._texts[row] = _text({"unit": str(row), **content})

    def __getitem__(self, row: int) -> dict[str, Any]:
        receipt: dict[str, Any] = json.loads(self._texts[row])
        return receipt

    def __contains__(self, row: object) -> bool:
        return row in self._texts

    def __iter__(self) -> Iterator[int]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _text(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, allow_nan=False).encode()


def _line(content: Mapping[str, Any]) -> bytes:
    text = _text(content)
    return hashlib.sha256(text).hexdigest()[:_CHECK].encode() + b" " + text + b"\n"


def _intact(line: bytes) -> bool:
    check, _, text = line.partition(b" ")
    return hashlib.sha256(text).hexdigest()[:_CHECK].encode() == check


def _parse(line: bytes) -> dict[str, Any] | None:
    if not _intact(line):
        return None
    entry: dict[str, Any] = json.loads(line.partition(b" ")[2])
    return entry


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
