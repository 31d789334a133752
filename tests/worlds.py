"""A small committee with pictures, how tests audit it, and how they compare runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import consensus_onnx as co
from consensus_onnx.engine.events import Event
from miniature import SIDE

SETTINGS = co.AuditSettings(
    canvas=co.CanvasSettings(resize=SIDE, crop=SIDE),
    lime=co.Lime(samples=80, superpixels=co.Superpixels(method="grid", segments=25)),
    smoothgrad=co.SmoothGrad(samples=4),
    runtime=co.RuntimeSettings(provider="cpu"),
)
COMPACT = replace(SETTINGS, storage=co.StorageSettings(maps="uint8"))
IMAGES = 4
# Code that runs the command. A shell's background jobs, tests among them, start with SIGINT ignored.
ENTRANCE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from consensus_onnx.cli import main; main()"
)


@dataclass(frozen=True)
class World:
    """A committee folder, pictures with labels and masks, and how to audit them."""

    models: Path
    pictures: Path
    labels: Path

    def audit(
        self, out: Path, *, limit: int | None = None, settings: co.AuditSettings = SETTINGS
    ) -> tuple[co.Run, list[Event]]:
        """Audit into a folder; return the run and everything that was told."""
        events: list[Event] = []
        run = co.audit(
            co.load_committee(self.models),
            self.pictures,
            labels=self.labels,
            settings=replace(settings, limit=limit),
            out=out,
            listen=events.append,
        )
        return run, events


def tree(folder: Path) -> dict[str, str]:
    """Return the digest of every file of a run by its path; the lock is no result."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
