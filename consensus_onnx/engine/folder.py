"""The run folder: whose it is, and whether this audit may go on in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from consensus_onnx.config import read_yaml, to_mapping, yaml_text
from consensus_onnx.engine.lock import LOCK_FILE, folder_lock
from consensus_onnx.engine.receipts import SCRATCH
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.errors import StoreError
from consensus_onnx.explainers import Explainer

RUN_FILE = "run.yaml"
SEAL_FILE = "seal.json"  # of a finished run; see seal.py
FORMAT = 1
_OURS = (LOCK_FILE, RUN_FILE + SCRATCH)  # all that an audit killed at its very start leaves


def explainer_identity(explainer: Explainer) -> dict[str, Any]:
    """Return the class and settings of an explainer: all that decides what it computes."""
    kind = type(explainer)
    return {"class": f"{kind.__module__}.{kind.__qualname__}", "settings": to_mapping(explainer)}


def run_identity(settings: AuditSettings, explainers: Sequence[Explainer]) -> dict[str, Any]:
    """Return what two audits must share to share a run folder."""
    return {
        "format": FORMAT,
        "target": settings.target,
        "seed": settings.seed,
        "canvas": to_mapping(settings.canvas),
        "storage": to_mapping(settings.storage),
        "runtime": {"provider": settings.runtime.provider, "optimisation": settings.runtime.optimisation},
        "explainers": {explainer.name: explainer_identity(explainer) for explainer in explainers},
    }


@contextmanager
def claimed_folder(folder: Path, identity: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Make the run folder, or take up the one that is there, and hold it for this process.

    Yields
    ------
    dict
        The identity to store: this audit's, and the explainers that only earlier audits used.

    Raises
    ------
    StoreError
        If it cannot be written, holds something else, belongs to an audit with other settings (all that differ are
        named), or another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}); choose another --out") from error
    _stored_content(folder, identity)  # before anything, the lock too, is written into a folder that is not ours
    with folder_lock(folder):
        sweep_scratch(folder)
        (folder / SEAL_FILE).unlink(missing_ok=True)
        content = _stored_content(folder, identity)
        merged = {**identity, "explainers": {**content["identity"]["explainers"], **identity["explainers"]}}
        if merged != content["identity"] or not (folder / RUN_FILE).exists():
            write_run_file(folder, {**content, "identity": merged})
        yield merged


def _stored_content(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return what run.yaml holds, or what a new one would, if an audit of this identity may go on in the folder."""
    stored = folder / RUN_FILE
    if not stored.exists():
        foreign = sorted(path.name for path in folder.iterdir() if path.name not in _OURS)
        if foreign:
            raise StoreError(
                f"{folder}: is not empty and holds no {RUN_FILE} (found {foreign[0]}); choose a new folder for --out"
            )
        return {"identity": {**identity, "explainers": {}}}
    content = read_yaml(stored).values
    match content.get("identity"):
        case {"explainers": dict(explainers), **rest}:
            before = {**rest, "explainers": explainers}
        case _:
            raise StoreError(f"{stored}: is not the run.yaml of an audit; choose a new folder for --out")
    shared = {name: identity["explainers"].get(name, kept) for name, kept in explainers.items()}
    differing = list(_differences({**identity, "explainers": shared}, before))
    if differing:
        raise StoreError(
            f"{folder}: belongs to another audit: " + "; ".join(differing) + "; choose a new folder for --out"
        )
    return content


def sweep_scratch(folder: Path) -> None:
    """Remove what a killed audit was in the middle of writing; only the holder of the folder's lock may."""
    for path in folder.rglob(f"*{SCRATCH}"):
        path.unlink(missing_ok=True)


def write_run_file(folder: Path, content: Mapping[str, Any]) -> None:
    """Write run.yaml, whole or not at all.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    text = "# Written by consensus-onnx. `identity` decides which audits may go on in this folder.\n" + yaml_text(
        content
    )
    write_text(folder / RUN_FILE, text)


def write_text(path: Path, text: str) -> None:
    """Replace a file's text in one step.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file's content in one step.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    with _replaced(path, "wb") as file:
        file.write(data)


@contextmanager
def replaced_text(path: Path) -> Iterator[IO[str]]:
    """Open a file for writing that takes the place of an older one once all is written.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    with _replaced(path, "w", encoding="utf-8", newline="") as file:
        yield file


@contextmanager
def _replaced(path: Path, mode: str, **options: str) -> Iterator[IO[Any]]:
    scratch = path.with_name(path.name + SCRATCH)
    try:
        with scratch.open(mode, **options) as file:  # type: ignore[call-overload]
            yield file
        scratch.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); free space or choose another --out") from error


def _differences(asked: Any, stored: Any, key: str = "") -> Iterator[str]:
    if isinstance(asked, Mapping) and isinstance(stored, Mapping):
        for name in sorted({*asked, *stored}):
            yield from _differences(asked.get(name), stored.get(name), f"{key}.{name}" if key else str(name))
    elif asked != stored:
        dotted = key.removeprefix("explainers.").replace(".settings.", ".")
        yield f"{dotted} is {stored!r} there, {asked!r} now"
