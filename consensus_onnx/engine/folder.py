"""The run folder: whose it is, and whether this audit may go on in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from consensus_onnx.config import read_yaml, to_mapping, yaml_text
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.errors import StoreError
from consensus_onnx.explainers import Explainer

RUN_FILE = "run.yaml"
FORMAT = 1


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
        "runtime": {"provider": settings.runtime.provider, "optimisation": settings.runtime.optimisation},
        "explainers": {explainer.name: explainer_identity(explainer) for explainer in explainers},
    }


def claim_folder(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Make the run folder, or take up the one that is there.

    Returns
    -------
    dict
        The identity to store: this audit's, and the explainers that only earlier audits used.

    Raises
    ------
    StoreError
        If it cannot be written, holds something else, or belongs to an audit with other settings (all that differ
        are named).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}); choose another --out") from error
    stored = folder / RUN_FILE
    if not stored.exists():
        foreign = sorted(path.name for path in folder.iterdir())
        if foreign:
            raise StoreError(
                f"{folder}: is not empty and holds no {RUN_FILE} (found {foreign[0]}); choose a new folder for --out"
            )
        merged = dict(identity)
    else:
        before = read_yaml(stored).values.get("identity", {})
        shared = {name: identity["explainers"].get(name, kept) for name, kept in before.get("explainers", {}).items()}
        differing = list(_differences({**identity, "explainers": shared}, before))
        if differing:
            raise StoreError(
                f"{folder}: belongs to another audit: " + "; ".join(differing) + "; choose a new folder for --out"
            )
        merged = {**identity, "explainers": {**before["explainers"], **identity["explainers"]}}
    write_run_file(folder, {"identity": merged})
    return merged


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
    scratch = path.with_name(path.name + ".partial")
    try:
        scratch.write_text(text, encoding="utf-8")
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
