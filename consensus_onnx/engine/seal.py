"""The seal of a finished run: digests of everything in its folder that no receipt vouches for.

Written last, and removed before an audit changes anything, so a sealed folder is a finished one. It also keeps a copy
of the few small files without which stored work could not be found again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from consensus_onnx.engine.folder import RUN_FILE, SEAL_FILE, write_text
from consensus_onnx.engine.keys import file_digest
from consensus_onnx.engine.store import ARRAYS, RECEIPTS
from consensus_onnx.errors import StoreError

REPORT_FILE = "report.html"
_METADATA = "zarr.json"
_ROWS = f"{RECEIPTS}/rows.jsonl"


@dataclass(frozen=True)
class Seal:
    """What a finished run's folder holds.

    Attributes
    ----------
    digests : dict of str to str
        sha256 by path relative to the folder.
    copies : dict of str to str
        Text of the files that say where the rest lies: run.yaml, the order of the images, the arrays' descriptions.
    """

    digests: dict[str, str]
    copies: dict[str, str]


def seal_folder(folder: Path, tables: tuple[str, ...]) -> None:
    """Seal a run whose audit has written its last file.

    Parameters
    ----------
    folder : Path
        The run folder.
    tables : tuple of str
        Names of the tables in it.
    """
    sealed = sorted(_sealed_files(folder, tables))
    digests = {_name(folder, path): file_digest(path) for path in sealed}
    copies = {
        _name(folder, path): path.read_text(encoding="utf-8")
        for path in sealed
        if path.name in (RUN_FILE, _METADATA) or _name(folder, path) == _ROWS
    }
    _write(folder, Seal(digests, copies))


def seal_report(folder: Path) -> None:
    """Take a report that was written anew into the seal; a folder that is not sealed stays so."""
    if (folder / SEAL_FILE).exists():
        seal = read_seal(folder)
        _write(folder, Seal({**seal.digests, REPORT_FILE: file_digest(folder / REPORT_FILE)}, seal.copies))


def read_seal(folder: Path) -> Seal:
    """Return the seal of a folder.

    Raises
    ------
    StoreError
        If it is damaged or missing.
    """
    path = folder / SEAL_FILE
    try:
        check, _, text = path.read_text(encoding="utf-8").partition("\n")
        if check != hashlib.sha256(text.encode()).hexdigest():
            raise ValueError("its first line is not the digest of the rest")
        content = json.loads(text)
        return Seal(content["digests"], content["copies"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: is damaged ({error}); run the audit again to write it anew") from error


def _write(folder: Path, seal: Seal) -> None:
    text = json.dumps({"copies": seal.copies, "digests": seal.digests}, indent=1, sort_keys=True) + "\n"
    write_text(folder / SEAL_FILE, hashlib.sha256(text.encode()).hexdigest() + "\n" + text)


def _sealed_files(folder: Path, tables: tuple[str, ...]) -> Iterator[Path]:
    """Yield every file that an audit leaves, but for the chunks of receipted rows."""
    yield from (path for name in (RUN_FILE, REPORT_FILE, *tables) if (path := folder / name).is_file())
    yield from (path for path in (folder / RECEIPTS).rglob("*") if path.is_file())
    yield from (folder / ARRAYS).rglob(_METADATA)
    results = (folder / ARRAYS / "results").rglob("*")
    yield from (path for path in results if path.is_file() and path.name != _METADATA)


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
