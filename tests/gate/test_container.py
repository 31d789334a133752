"""A baseline file is the same bytes for the same content, and nothing that was not frozen is read from one."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consensus_onnx.errors import BaselineError
from consensus_onnx.gate import container
from consensus_onnx.gate.container import read_container, write_container

TEXTS = {"content": {"b": [1, None, "ü"], "a": 0.5}}
ARRAYS = {"lime/scores": np.linspace(0, 1, 6).reshape(2, 3), "images/canvas": np.arange(12, dtype=np.uint8)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "baseline.zip"
    write_container(path, TEXTS, ARRAYS)
    return path


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def sealed(path: Path, entries: dict[str, bytes], claims: dict[str, int] | None = None) -> Path:
    """Write entries under a manifest that vouches for them, as someone who knows the format would."""
    content = {name: data for name, data in entries.items() if name != "manifest.json"}
    head: dict[str, Any] = {
        "entries": {
            name: {"bytes": (claims or {}).get(name, len(data)), "sha256": container._sha256(data)}
            for name, data in content.items()
        },
        "format": container.FORMAT,
        "version": container.VERSION,
    }
    manifest = container._json({**head, "sha256": container._sha256(container._json(head))})
    return rewritten(path, {"manifest.json": manifest, **content})


def test_what_was_written_is_read(file: Path) -> None:
    texts, arrays = read_container(file)
    assert texts == TEXTS
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_the_same_content_gives_the_same_bytes(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    write_container(other, dict(reversed(TEXTS.items())), dict(reversed(ARRAYS.items())))
    assert other.read_bytes() == file.read_bytes()


def npy(header: dict[str, Any], data: bytes = b"") -> bytes:
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(written, header)
    return written.getvalue() + data


def pickled() -> bytes:
    written = io.BytesIO()
    np.save(written, np.array([print], dtype=object), allow_pickle=True)
    return written.getvalue()


def unlisted(path: Path, entries: dict[str, bytes]) -> None:
    rewritten(path, {**entries, "extra.json": b"{}"})


def traversal(path: Path, entries: dict[str, bytes]) -> None:
    sealed(path, {**entries, "../evil.json": b"{}"})


def absolute(path: Path, entries: dict[str, bytes]) -> None:
    sealed(path, {**entries, "/etc/evil.json": b"{}"})


def program(path: Path, entries: dict[str, bytes]) -> None:
    sealed(path, {**entries, "evil.pkl": b"."})


def flipped(path: Path, entries: dict[str, bytes]) -> None:
    rewritten(path, {**entries, "lime/scores.npy": entries["lime/scores.npy"][:-1] + b"\x01"})


def resealed_manifest(path: Path, entries: dict[str, bytes]) -> None:
    manifest = json.loads(entries["manifest.json"])
    manifest["entries"]["content.json"]["bytes"] += 1
    rewritten(path, {**entries, "manifest.json": json.dumps(manifest).encode()})


def lacking(path: Path, entries: dict[str, bytes]) -> None:
    rewritten(path, {name: data for name, data in entries.items() if name != "content.json"})


def other_version(path: Path, entries: dict[str, bytes]) -> None:
    manifest = json.loads(entries["manifest.json"])
    rewritten(path, {**entries, "manifest.json": json.dumps({**manifest, "version": 2}).encode()})


def other_zip(path: Path, entries: dict[str, bytes]) -> None:
    rewritten(path, {"readme.txt": b"hello"})


def other_manifest(path: Path, entries: dict[str, bytes]) -> None:
    rewritten(path, {"manifest.json": b'{"format": "something else"}'})


def bomb(path: Path, entries: dict[str, bytes]) -> None:
    sealed(path, {**entries, "bomb.json": bytes(50_000_000)}, {"bomb.json": 10})


def claimed_bomb(path: Path, entries: dict[str, bytes]) -> None:
    sealed(path, {**entries, "bomb.json": b"{}"}, {"bomb.json": container.MAX_FILE})


def wide_header(path: Path, entries: dict[str, bytes]) -> None:
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)}
    sealed(path, {**entries, "lime/wide.npy": npy(header)})


def objects(path: Path, entries: dict[str, bytes]) -> None:
    sealed(path, {**entries, "lime/objects.npy": pickled()})


def deep_text(path: Path, entries: dict[str, bytes]) -> None:
    sealed(path, {**entries, "deep.json": b"[" * 100_000})


def not_a_number(path: Path, entries: dict[str, bytes]) -> None:
    sealed(path, {**entries, "nan.json": b"[NaN]"})


def doubled(path: Path, entries: dict[str, bytes]) -> None:
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("content.json", b"{}")


def truncated(path: Path, entries: dict[str, bytes]) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def noise(path: Path, entries: dict[str, bytes]) -> None:
    path.write_bytes(b"\xff" * 1000)


def encrypted(path: Path, entries: dict[str, bytes]) -> None:
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            struct.pack_into("<H", data, at + offset, 1)
            at = data.find(mark, at + 4)
    path.write_bytes(data)


HOSTILE: dict[Callable[[Path, dict[str, bytes]], None], str] = {
    unlisted: "holds 'extra.json', which its manifest does not name",
    traversal: "names '../evil.json', which no baseline holds",
    absolute: "names '/etc/evil.json', which no baseline holds",
    program: "names 'evil.pkl', which no baseline holds",
    flipped: "lime/scores.npy is not what was frozen",
    resealed_manifest: "manifest.json is not what was frozen",
    lacking: "content.json is missing",
    other_version: "is a baseline of version 2, this program reads version 1",
    other_zip: "is no baseline (it holds no manifest.json)",
    other_manifest: "is no baseline (its manifest.json says so)",
    bomb: "'bomb.json' unpacks to more than it may",
    claimed_bomb: "its entries claim",
    wide_header: "lime/wide.npy claims <f8 (1125899906842624,)",
    objects: "lime/objects.npy claims |O",
    deep_text: "deep.json is no JSON",
    not_a_number: "nan.json is no JSON",
    doubled: "it holds an entry twice",
    truncated: "is damaged or was tampered with",
    noise: "is damaged or was tampered with",
    encrypted: "packed or encrypted as no baseline is",
}


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: change.__name__)
def test_what_was_not_frozen_is_refused_in_one_line(file: Path, change: Callable[..., None]) -> None:
    change(file, entries_of(file))
    with pytest.raises(BaselineError) as caught:
        read_container(file)
    assert HOSTILE[change] in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", range(0, 900, 37))
def test_a_flipped_byte_is_found_or_changes_nothing(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= 0x10
    file.write_bytes(data)
    try:
        texts, arrays = read_container(file)
    except BaselineError:
        return
    assert texts == TEXTS
    np.testing.assert_array_equal(arrays["lime/scores"], ARRAYS["lime/scores"])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"none.zip: no such file; make one with `consensus-onnx baseline freeze"):
        read_container(tmp_path / "none.zip")


def test_more_than_could_be_read_back_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_FILE", 100)
    with pytest.raises(BaselineError, match=r"freeze fewer images \(--limit\)"):
        write_container(tmp_path / "large.zip", TEXTS, ARRAYS)
    assert not (tmp_path / "large.zip").exists()
