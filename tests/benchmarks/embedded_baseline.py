"""Freeze a baseline of eight embedded members on scenes drawn on the spot: `embedded_baseline.py baseline.zip`."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import consensus_onnx as co
from consensus_onnx.config import read_yaml, yaml_text
from consensus_onnx.gate.filing import write_baseline
from consensus_onnx.gate.freezing import freeze
from consensus_onnx_zoo.committee import FOLDER
from consensus_onnx_zoo.scenes import write_scenes

MEMBERS = ("resnet", "googlenet", "mobilenet", "squeezenet", "vgg", "xception", "inception", "resnet-shortcut")
SETTINGS = co.AuditSettings(
    canvas=co.CanvasSettings(resize=96, crop=96),
    lime=co.Lime(samples=300),
    smoothgrad=co.SmoothGrad(samples=16),
)
IMAGES = 24


def build_embedded(work: Path, file: Path, committee: Path = FOLDER) -> None:
    """Copy the members of a committee into work/embedded, audit them on scenes in work/run, freeze that."""
    models = work / "embedded"
    models.mkdir(parents=True, exist_ok=True)
    manifest = dict(read_yaml(committee / "committee.yaml").values)
    manifest["members"] = [entry for entry in manifest["members"] if entry["name"] in MEMBERS]
    for name in MEMBERS:
        shutil.copyfile(committee / f"{name}.onnx", models / f"{name}.onnx")
    (models / "committee.yaml").write_text(yaml_text(manifest), encoding="utf-8")
    labels = write_scenes(work / "scenes", IMAGES)
    pictures = work / "scenes" / "pictures"
    run = co.audit(co.load_committee(models), pictures, labels=labels, settings=SETTINGS, out=work / "run")
    write_baseline(file, freeze(run))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("baseline", type=Path)
    options.add_argument("--committee", type=Path, default=FOLDER, help="folder of an embedded committee")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as work:
        build_embedded(Path(work), given.baseline, given.committee)


if __name__ == "__main__":
    main()
