"""committee.yaml of what is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from consensus_onnx.config import yaml_text
from consensus_onnx_zoo.scenes import CLASSES, SIDE
from consensus_onnx_zoo.training.fit import DEVIATION, MEAN
from consensus_onnx_zoo.training.session import Trained
from consensus_onnx_zoo.training.twins import ORIGINAL


def write_description(folder: Path, members: Sequence[Trained], twins: Mapping[str, float]) -> None:
    """Write committee.yaml: the trained members in the order given, then the twins with their accuracy."""
    entries = [_entry(trained) for trained in members]
    family = {trained.recipe.name: trained.recipe.family for trained in members}.get(ORIGINAL, ORIGINAL)
    entries += [
        {"file": f"{name}.onnx", "name": name, "family": family, "accuracy": round(accuracy, 4)}
        for name, accuracy in twins.items()
    ]
    description = {
        "name": "embedded",
        "classes": len(CLASSES),
        "defaults": {
            "input": {"layout": "NCHW", "size": [SIDE, SIDE], "color": "RGB"},
            "preprocess": {"scale": 1.0, "mean": [MEAN] * 3, "std": [DEVIATION] * 3},
            "output": {"kind": "logits", "class_offset": 0},
        },
        "members": entries,
    }
    (folder / "committee.yaml").write_text(yaml_text(description), encoding="utf-8")


def _entry(trained: Trained) -> dict[str, Any]:
    recipe = trained.recipe
    entry: dict[str, Any] = {
        "file": f"{recipe.name}.onnx",
        "name": recipe.name,
        "family": recipe.family,
        "accuracy": round(trained.accuracy, 4),
    }
    if recipe.layout != "NCHW" or recipe.side != SIDE:
        entry["input"] = {"layout": recipe.layout, "size": [recipe.side, recipe.side]}
    if recipe.kind != "logits":
        entry["output"] = {"kind": recipe.kind}
    return entry
