"""Whether a run folder still holds, byte for byte, what was put there; and dropping what does not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from consensus_onnx.config import read_yaml
from consensus_onnx.engine.folder import RUN_FILE, SEAL_FILE, write_run_file, write_text
from consensus_onnx.engine.inventory import JOURNAL_SUFFIX, Unit, journals, store_root, stored_units
from consensus_onnx.engine.keys import file_digest
from consensus_onnx.engine.lock import LOCK_FILE, folder_lock
from consensus_onnx.engine.receipts import SCRATCH, Journal
from consensus_onnx.engine.results import TABLES
from consensus_onnx.engine.rows import UNREADABLE, is_chunk
from consensus_onnx.engine.seal import REPORT_FILE, Seal, read_seal
from consensus_onnx.engine.store import ARRAYS, RECEIPTS
from consensus_onnx.errors import ConsensusError, StoreError

Kind: TypeAlias = Literal["damaged", "missing", "foreign", "unfinished"]

_METADATA = "zarr.json"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was left.

    Attributes
    ----------
    kind : str
        'damaged', 'missing', 'foreign' (not of this run), 'unfinished' (written, but never receipted).
    path : str
        The file or stored array, relative to the run folder.
    what : str
        In words.
    """

    kind: Kind
    path: str
    what: str


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    units : int
        Receipted pieces of work whose arrays were read back.
    files : int
        Sealed files whose bytes were compared.
    finished : bool
        Whether the folder is sealed; only receipted work can be vouched for where it is not.
    findings : tuple of Finding
        Empty if all is well.
    repaired : bool
        Whether what can be dropped was dropped, so that the next audit makes it anew.
    """

    units: int
    files: int
    finished: bool
    findings: tuple[Finding, ...]
    repaired: bool = False

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(
    folder: str | Path, *, repair: bool = False, listen: Callable[[int], None] = lambda units: None
) -> Verification:
    """Read everything in a run folder back and compare it with receipts and seal.

    Parameters
    ----------
    folder : path
        A run folder, finished or not.
    repair : bool
        Drop the units that are damaged, and the tables if anything derived is: the same audit run again makes exactly
        those anew. Files that are not of this run are never touched.
    listen : callable
        Is told the number of units read so far.

    Returns
    -------
    Verification
        What was found, before the repair.

    Raises
    ------
    StoreError
        If it is no run folder, an audit works in it, or it cannot be repaired.
    """
    path = Path(folder)
    if not (path / RECEIPTS).is_dir() and not (path / RUN_FILE).is_file():
        raise StoreError(f"{path}: is no run folder (it holds no {RUN_FILE}); give the --out of an audit")
    lock: AbstractContextManager[None] = folder_lock(path) if repair or os.access(path, os.W_OK) else nullcontext()
    with lock:
        checker = _Checker(path, listen)
        findings = tuple(checker.findings())
        if repair and findings:
            _repair(path, checker, unseal=any(finding.kind in ("damaged", "missing") for finding in findings))
        return Verification(checker.units, checker.files, checker.seal is not None, findings, repair)


class _Checker:
    """One pass over a folder; remembers what a repair needs."""

    def __init__(self, folder: Path, listen: Callable[[int], None]) -> None:
        self.folder, self.listen = folder, listen
        self.units = self.files = 0
        self.seal: Seal | None = None
        self.bad_units: list[Unit] = []
        self.bad_journals: set[Path] = set()
        self.bad_copies: set[str] = set()
        self.unreceipted: list[Path] = []
        self._expected: set[str] = set()

    def findings(self) -> Iterator[Finding]:
        """Yield everything that is not as it was left."""
        yield from self._sealed()
        yield from self._journals()
        yield from self._units()
        yield from self._others()

    def _sealed(self) -> Iterator[Finding]:
        """Compare the files of a finished run with its seal."""
        if not (self.folder / SEAL_FILE).exists():
            if self._says_finished():
                yield Finding("missing", SEAL_FILE, "the run says it is finished but has no seal")
            return
        try:
            self.seal = read_seal(self.folder)
        except StoreError as error:
            yield Finding("damaged", SEAL_FILE, str(error))
            return
        for name, digest in sorted(self.seal.digests.items()):
            self.files += 1
            path = self.folder / name
            if path.is_file() and file_digest(path) == digest:
                continue
            if name in self.seal.copies:
                self.bad_copies.add(name)
            if path.is_file():
                yield Finding("damaged", name, "its bytes are not the ones that were written")
            else:
                yield Finding("missing", name, "the finished run held it")

    def _says_finished(self) -> bool:
        try:
            return "explainers" in read_yaml(self.folder / RUN_FILE).values
        except ConsensusError:
            return True  # unreadable: whoever wrote it is not us

    def _own_journals(self) -> list[Path]:
        return [path for path in journals(self.folder) if self._known(self._name(path))]

    def _journals(self) -> Iterator[Finding]:
        for path in self._own_journals():
            lines = Journal(path).damaged_lines()
            if lines:
                self.bad_journals.add(path)
            yield from (
                Finding("damaged", self._name(path), f"line {line}: its checksum does not hold") for line in lines
            )

    def _units(self) -> Iterator[Finding]:
        """Read back every array that a receipt vouches for."""
        try:
            root = store_root(self.folder)
        except UNREADABLE as error:
            self.bad_units.extend(stored_units(self.folder, self._own_journals()))
            if self.bad_units:
                yield Finding("damaged", ARRAYS, f"cannot be opened ({error})")
            return
        for unit in stored_units(self.folder, self._own_journals()):
            self.units += 1
            self.listen(self.units)
            for row in unit.rows:
                self._expected.update(row.files(root))
                damage = row.damage(root)
                if damage:
                    self.bad_units.append(unit)
                    yield Finding("damaged", f"{ARRAYS}/{row.array}", f"row {row.row} {damage}")

    def _others(self) -> Iterator[Finding]:
        """Look at every file that nothing has spoken for."""
        arrays = self.folder / ARRAYS
        for path in _files(self.folder):
            name = self._name(path)
            if self._known(name):
                continue
            inside = path.is_relative_to(arrays)
            if inside and path.relative_to(arrays).as_posix() in self._expected:
                continue
            if path.name.endswith(SCRATCH) or (inside and is_chunk(path.name)):
                self.unreceipted.append(path)
                yield Finding("unfinished", name, "no receipt speaks of it; the next audit writes over it")
            else:
                yield Finding("foreign", name, "not of this run; remove it if you do not need it")

    def _known(self, name: str) -> bool:
        """Whether a file is one that an audit leaves besides the chunks of units."""
        if name in (LOCK_FILE, RUN_FILE, SEAL_FILE, REPORT_FILE, *TABLES):
            return True
        if self.seal is not None:
            return name in self.seal.digests
        parts = Path(name).parts
        if parts[0] == RECEIPTS:
            return name.endswith(JOURNAL_SUFFIX)
        return parts[0] == ARRAYS and (parts[-1] == _METADATA or parts[1] == "results")

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def _repair(folder: Path, found: _Checker, *, unseal: bool) -> None:
    """Put back what the seal keeps a copy of, then drop what is still damaged."""
    try:
        for name in sorted(found.bad_copies):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_text(folder / name, found.seal.copies[name] if found.seal else "")
        if found.bad_copies:  # units may be readable again
            found = _Checker(folder, found.listen)
            list(found.findings())
        if unseal:  # and unfinished from here on: the next audit writes everything derived anew
            content = _identity(folder)
            (folder / SEAL_FILE).unlink(missing_ok=True)
            write_run_file(folder, content)
        dropped: dict[Path, set[str]] = {path: set() for path in found.bad_journals}
        for unit in found.bad_units:
            dropped.setdefault(unit.journal, set()).add(unit.name)
        for path, names in dropped.items():
            Journal(path).drop(names)
        for row in (row for unit in found.bad_units for row in unit.rows):
            for chunk in (folder / ARRAYS / row.array).glob(f"c.{row.row}.*"):
                chunk.unlink()
        for path in found.unreceipted:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be repaired ({error}); what is intact stays valid") from error


def _identity(folder: Path) -> dict[str, object]:
    """Return what run.yaml of an unfinished run holds."""
    try:
        return {"identity": read_yaml(folder / RUN_FILE).values["identity"]}
    except (ConsensusError, KeyError) as error:
        raise StoreError(
            f"{folder / RUN_FILE}: is damaged and there is no copy of it; audit into a new folder"
        ) from error


def _files(folder: Path) -> Iterator[Path]:
    """Yield every file and link below a folder in order, one folder's names at a time: a large run has a million."""
    for top, folders, files in os.walk(folder):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(top, name))]
        yield from (Path(top, name) for name in sorted([*files, *links]))
