"""A folder of strangers' models beside two good ones, and how it is audited."""

from __future__ import annotations

import os
import re
import resource
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from bad_models import CLASSES, SIZE, good
from PIL import Image

import consensus_onnx as co
from consensus_onnx.engine.events import Event
from consensus_onnx.engine.settings import EngineSettings
from worlds import tree

SETTINGS = co.AuditSettings(
    canvas=co.CanvasSettings(resize=SIZE, crop=SIZE),
    lime=co.Lime(samples=20, superpixels=co.Superpixels(method="grid", segments=4)),
    smoothgrad=co.SmoothGrad(samples=2),
    runtime=co.RuntimeSettings(provider="cpu"),
    engine=EngineSettings(workers=2, opening_seconds=30.0, command_seconds=60.0, memory=1500),
)
STATUS = re.compile(
    r"ok|rejected|load_error|run_error|oom|bad_output"
    r"|crashed\((SIG[A-Z0-9]+|exit \d+)\)|timeout\((opening|predict|explain)\)|unsupported\((lime|smoothgrad)\)"
)


def write_pictures(folder: Path, count: int = 1) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def write_models(folder: Path, bad: Mapping[str, bytes]) -> Path:
    """Write two good models, `a_good` and `z_good`, around the bad ones."""
    folder.mkdir(parents=True)
    for seed, name in enumerate(("a_good", "z_good")):
        onnx.save(good(seed), folder / f"{name}.onnx")
    for name, content in bad.items():
        (folder / f"{name}.onnx").write_bytes(content)
    (folder / "committee.yaml").write_text(f"name: strangers\nclasses: {CLASSES}\n", encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Footprint:
    """What this process holds: megabytes of memory, open files, and dead children nobody asked after."""

    memory: float
    files: int
    zombies: int


def footprint() -> Footprint:
    memory = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 1e6
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    states = [
        Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] for child in children
    ]
    return Footprint(memory, len(os.listdir("/proc/self/fd")), states.count("Z"))


def audit(
    models: Path,
    pictures: Path,
    out: Path,
    settings: co.AuditSettings = SETTINGS,
    listen: Callable[[Event], None] = lambda event: None,
) -> tuple[co.Run, list[Event]]:
    """Audit; return the run and everything that was told."""
    events: list[Event] = []

    def hear(event: Event) -> None:
        events.append(event)
        listen(event)

    return co.audit(co.load_committee(models), pictures, settings=settings, out=out, listen=hear), events


def statuses(run: co.Run) -> Counter[str]:
    """Return how many members have each status; all of them have one of those that are documented."""
    for member in run.members:
        assert STATUS.fullmatch(member.status), (member.name, member.status)
        assert (member.reason == "") == (member.status == "ok"), member
        assert member.reason.isprintable()
        assert len(member.reason) < 2500, member.name
    return Counter(member.status for member in run.members)


def stored(run: co.Run, member: str) -> dict[str, str]:
    """Return the digest of every stored file of a member's explanations and predictions."""
    digest = run.members[run.member_index(member)].digest[:16]
    return {name: content for name, content in tree(run.path).items() if digest in name}
