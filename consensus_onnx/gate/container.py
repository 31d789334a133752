"""A zip of JSON texts and plain arrays under one list of digests: written the same way always, read with distrust."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from consensus_onnx.arrays import AnyArray
from consensus_onnx.errors import BaselineError

FORMAT = "consensus-onnx baseline"
VERSION = 1
MANIFEST = "manifest.json"
MAX_FILE = 1 << 30
"""Bytes of a baseline, and of all its entries together when unpacked."""
MAX_ENTRIES = 500
MAX_TEXT = 16 << 20

_NAME = re.compile(r"(?:[a-z0-9_-]+/)*[a-z0-9_-]+\.(?:json|npy)", re.ASCII)
_DTYPES = ("|u1", "|b1", "<u2", "<i8", "<f4", "<f8")
_WHEN = (1980, 1, 1, 0, 0, 0)  # the first a zip file can say


def write_container(path: Path, texts: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
    """Write a baseline file, whole or not at all; the same content gives the same bytes.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    texts : mapping of str to plain values
        JSON entries by name without suffix.
    arrays : mapping of str to array
        By name without suffix.

    Raises
    ------
    BaselineError
        If it cannot be written, or would be larger than may be read back.
    """
    entries = {f"{name}.json": _json(content) for name, content in texts.items()}
    entries |= {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    size = sum(map(len, entries.values()))
    if size > MAX_FILE or len(entries) > MAX_ENTRIES:
        raise BaselineError(
            f"{path}: would hold {size / 1e6:.0f} MB in {len(entries)} entries, more than {MAX_FILE / 1e6:.0f} MB in "
            f"{MAX_ENTRIES}; freeze fewer images (--limit) or keep fewer members' explanations (--keep)"
        )
    listed = {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in sorted(entries.items())}
    head = {"entries": listed, "format": FORMAT, "version": VERSION}
    entries[MANIFEST] = _json({**head, "sha256": _sha256(_json(head))})
    scratch = path.with_name(path.name + ".partial")
    try:
        with zipfile.ZipFile(scratch, "w") as archive:
            for name in (MANIFEST, *sorted(entries.keys() - {MANIFEST})):
                info = zipfile.ZipInfo(name, _WHEN)
                info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                info.create_system = 3  # else it names the machine's
                archive.writestr(info, entries[name], compresslevel=6)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise BaselineError(f"{path}: cannot be written ({error.strerror}); choose another place with -o") from error


def read_container(path: Path) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """Read a baseline file that anyone may have written.

    Returns
    -------
    tuple of dict
        JSON contents and arrays by name without suffix.

    Raises
    ------
    BaselineError
        If it is none, another version, too large, holds entries with odd names or none of its own, or its bytes are
        not those its manifest names.
    """
    try:
        if not path.is_file():
            raise BaselineError(f"{path}: no such file; make one with `consensus-onnx baseline freeze RUN -o {path}`")
        if path.stat().st_size > MAX_FILE:
            raise BaselineError(f"{path}: is larger than {MAX_FILE / 1e6:.0f} MB, which no baseline is")
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive)
    except BaselineError:
        raise
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OverflowError) as error:
        raise _damaged(path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    except Exception as error:  # zlib.error, struct.error, MemoryError: a hostile file may raise what it likes
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def _read(path: Path, archive: zipfile.ZipFile) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    infos = {info.filename: info for info in archive.infolist()}
    if len(infos) != len(archive.infolist()):
        raise _damaged(path, "it holds an entry twice")
    if MANIFEST not in infos:
        raise BaselineError(f"{path}: is no baseline (it holds no {MANIFEST}); give what `baseline freeze` wrote")
    listed = _manifest(path, _data(path, archive, infos[MANIFEST], MAX_TEXT))
    foreign = sorted(infos.keys() - listed.keys() - {MANIFEST})
    if foreign:
        raise _damaged(path, f"it holds {foreign[0]!r:.80}, which its manifest does not name")
    missing = sorted(listed.keys() - infos.keys())
    if missing:
        raise _damaged(path, f"{missing[0]} is missing")
    texts: dict[str, Any] = {}
    arrays: dict[str, AnyArray] = {}
    for name, (size, digest) in listed.items():
        data = _data(path, archive, infos[name], size)
        if len(data) != size or _sha256(data) != digest:
            raise _damaged(path, f"{name} is not what was frozen (its digest differs)")
        if name.endswith(".json"):
            texts[name.removesuffix(".json")] = _parsed(path, name, data)
        else:
            arrays[name.removesuffix(".npy")] = _array(path, name, data)
    return texts, arrays


def _manifest(path: Path, data: bytes) -> dict[str, tuple[int, str]]:
    """Return size and digest of every entry, after a look at format, version and the manifest's own digest."""
    content = _parsed(path, MANIFEST, data)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BaselineError(f"{path}: is no baseline (its {MANIFEST} says so); give what `baseline freeze` wrote")
    if content.get("version") != VERSION:
        raise BaselineError(
            f"{path}: is a baseline of version {content.get('version')!r:.20}, this program reads version {VERSION}; "
            "freeze the run again with this version"
        )
    digest = content.pop("sha256", None)
    if digest != _sha256(_json(content)):
        raise _damaged(path, f"{MANIFEST} is not what was frozen (its digest differs)")
    match content:
        case {"entries": dict(entries)} if 0 < len(entries) <= MAX_ENTRIES:
            listed = {}
            for name, entry in entries.items():
                match entry:
                    case {"bytes": int(size), "sha256": str(text)} if 0 <= size <= MAX_FILE and _NAME.fullmatch(name):
                        listed[name] = (size, text)
                    case _:
                        raise _damaged(path, f"its manifest names {name!r:.80}, which no baseline holds")
        case _:
            raise _damaged(path, f"its {MANIFEST} lists no entries")
    total = sum(size for size, _ in listed.values())
    if total > MAX_FILE:
        raise _damaged(path, f"its entries claim {total / 1e6:.0f} MB, more than {MAX_FILE / 1e6:.0f}")
    return listed


def _data(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    """Return an entry's bytes, never more than `most` of them whatever it claims."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
        raise _damaged(path, f"{info.filename!r:.80} is packed or encrypted as no baseline is")
    with archive.open(info) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _damaged(path, f"{info.filename!r:.80} unpacks to more than it may")
    return data


def _array(path: Path, name: str, data: bytes) -> AnyArray:
    """Return a .npy file's array; its header is held against its length before any memory is taken."""
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise _damaged(path, f"{name} is no array of format 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    rest = len(data) - file.tell()
    if fortran or dtype.str not in _DTYPES or rest != math.prod(shape) * dtype.itemsize:
        raise _damaged(path, f"{name} claims {dtype.str} {shape}, which its {rest} bytes are not"[:200])
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape)


def _parsed(path: Path, name: str, data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"{name} is no JSON ({error})"[:200]) from error


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _json(content: Any) -> bytes:
    return (json.dumps(content, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def _npy(array: AnyArray) -> bytes:
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    if little.dtype.str not in _DTYPES:
        raise TypeError(f"a baseline holds no arrays of {array.dtype}")
    file = io.BytesIO()
    np.lib.format.write_array(file, little, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _damaged(path: Path, what: str) -> BaselineError:
    return BaselineError(f"{path}: is damaged or was tampered with: {what}; freeze the run again")
