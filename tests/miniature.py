"""Two small members of the embedded committee as a committee of their own: real, trained, opened in milliseconds."""

from __future__ import annotations

import shutil
from pathlib import Path

from consensus_onnx.config import read_yaml, yaml_text
from consensus_onnx_zoo.committee import FOLDER
from consensus_onnx_zoo.scenes import CLASSES as CLASSES
from consensus_onnx_zoo.scenes import SIDE as SIDE

_MEMBERS = {"plain": "resnet-x0.25", "depthwise": "mobilenet-x0.25"}


def build_committee(folder: Path) -> Path:
    """Copy both members into a folder, beside a committee.yaml; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    embedded = dict(read_yaml(FOLDER / "committee.yaml").values)
    declared = {entry["name"]: entry for entry in embedded["members"]}
    embedded["name"], embedded["members"] = "miniature", []
    for name, original in _MEMBERS.items():
        shutil.copyfile(FOLDER / f"{original}.onnx", folder / f"{name}.onnx")
        entry = declared[original]
        member = {"file": f"{name}.onnx", "family": entry["family"], "accuracy": entry["accuracy"]}
        embedded["members"].append(member)
    (folder / "committee.yaml").write_text(yaml_text(embedded), encoding="utf-8")
    return folder
