"""What a run was made with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from consensus_onnx.engine.containment import shortcomings
from consensus_onnx.engine.events import Listener, Notice
from consensus_onnx.engine.store import RunStore

_WORKERS = "workers"
_PACKAGES = (
    "consensus-onnx",
    "onnxruntime-gpu",
    "onnxruntime",
    "onnx",
    "numpy",
    "numba",
    "scikit-image",
    "pillow",
    "zarr",
)


def software_versions() -> dict[str, str]:
    """Return the versions of Python and of every package whose code can change results, by name."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def note_containment(store: RunStore, stage: str, report: dict[str, str], listen: Listener) -> None:
    """Keep what the workers of a stage were kept from; told once if this machine could not shut everything."""
    journal = store.journal(_WORKERS)
    before = journal.read()
    if report and before.get(stage, {}).get("contained") != report:
        journal.append(stage, {"contained": report})
        missing = shortcomings(report)
        if missing and not any(entry["contained"] == report for entry in before.values()):
            listen(
                Notice(
                    f"models and pictures are read in processes that are contained only in part: {'; '.join(missing)}"
                )
            )


def noted_containment(store: RunStore) -> dict[str, dict[str, str]]:
    """Return what the workers of each stage were kept from when they last ran, by stage."""
    return {stage: entry["contained"] for stage, entry in store.journal(_WORKERS).read().items()}
