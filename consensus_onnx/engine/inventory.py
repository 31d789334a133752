"""What the receipts of a run say must be in its store, unit by unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zarr

from consensus_onnx.engine.receipts import Journal
from consensus_onnx.engine.rows import UNREADABLE, chunk_names
from consensus_onnx.engine.store import ARRAYS, RECEIPTS, place_of_image_array
from consensus_onnx.engine.vouched import Vouched

JOURNAL_SUFFIX = ".jsonl"


@dataclass(frozen=True)
class StoredRow:
    """One array of one unit.

    Attributes
    ----------
    array : str
        Path of the array inside the store.
    row : int
        Its row.
    vouched : Vouched
        What its receipt says of it.
    """

    array: str
    row: int
    vouched: Vouched

    def damage(self, root: zarr.Group) -> str:
        """Return what is wrong with the row as it is stored; empty if nothing is."""
        group, _, name = self.array.rpartition("/")
        try:
            _, intact = self.vouched.read(root[group][name], self.row)
        except UNREADABLE as error:
            return f"cannot be read ({type(error).__name__}: {error})"
        return "" if intact else "differs from its receipt, or is missing"

    def files(self, root: zarr.Group) -> list[str]:
        """Return the files that hold the row, relative to the store; none if its array cannot be opened."""
        try:
            names = chunk_names(root[self.array], self.row, self.vouched.size)
        except UNREADABLE:
            return []
        return [f"{self.array}/{name}" for name in names]


@dataclass(frozen=True)
class Unit:
    """A receipted piece of work: its journal, its name there, and its arrays."""

    journal: Path
    name: str
    rows: tuple[StoredRow, ...]


def journals(folder: Path) -> Iterator[Path]:
    """Yield the journals of a run folder by name."""
    yield from sorted((folder / RECEIPTS).rglob(f"*{JOURNAL_SUFFIX}"))


def stored_units(folder: Path, paths: Iterable[Path]) -> Iterator[Unit]:
    """Yield every unit with an intact receipt that vouches for arrays, from some of the folder's journals."""
    for path in paths:
        names = path.relative_to(folder / RECEIPTS).with_suffix("").parts
        for unit, receipt in Journal(path).read().items():
            match names, receipt.get("arrays"):
                case ("images",), dict(digests):
                    rows = {"/".join(place_of_image_array(name)): Vouched(digest) for name, digest in digests.items()}
                case ("predictions", short), str(digest):
                    rows = {f"predictions/{short}": Vouched(digest)}
                case (explainer, short), dict(digests):
                    rows = {f"{explainer}/{short}/{name}": Vouched.of(receipt, name) for name in digests}
                case _:
                    continue  # facts and orders, not arrays
            yield Unit(path, unit, tuple(StoredRow(name, int(unit), vouched) for name, vouched in rows.items()))


def store_root(folder: Path) -> zarr.Group:
    """Open the arrays of a run folder for reading.

    Raises
    ------
    One of `UNREADABLE`
        If the root's own description is missing or damaged.
    """
    return zarr.open_group(str(folder / ARRAYS), mode="r", zarr_format=3)
