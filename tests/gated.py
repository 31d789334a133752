"""A small audit and what is frozen of it, for the tests of the gate and of what it writes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import consensus_onnx as co
from consensus_onnx.gate.baseline import Baseline
from consensus_onnx.gate.filing import write_baseline
from consensus_onnx.gate.freezing import freeze
from consensus_onnx_zoo.scenes import write_scenes
from miniature import build_committee
from worlds import World

IMAGES = 6


@dataclass(frozen=True)
class Gated:
    """An audited world, its run, its baseline and the file of that."""

    world: World
    run: co.Run
    baseline: Baseline
    file: Path

    def copy_of(self, member: str, folder: Path) -> Path:
        """Copy a member's file to where no committee.yaml declares anything."""
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(self.world.models / f"{member}.onnx", folder / "new.onnx"))


def build_gated(folder: Path) -> Gated:
    """Audit and freeze."""
    models = build_committee(folder / "models")
    labels = write_scenes(folder / "scenes", IMAGES)
    world = World(models, folder / "scenes" / "pictures", labels)
    run, _ = world.audit(folder / "run")
    baseline = freeze(run)
    write_baseline(folder / "baseline.zip", baseline)
    return Gated(world, run, baseline, folder / "baseline.zip")
