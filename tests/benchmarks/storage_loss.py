"""What keeping maps small costs and saves, on real models: `python tests/benchmarks/storage_loss.py --work FOLDER`.

Audits a few members of CONSENSUS_ONNX_DATA on pictures with masks once for each form of `storage.maps`, and once more
with another seed: what other noise draws change is the measure of what a form may change. FOLDER keeps the runs, so
that the script goes on where it stopped. Sizes are those of the blocks that files and folders take on this file system.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from telling import tell

import consensus_onnx as co
from consensus_onnx.arrays import Float64Array

MEMBERS = (
    "mobilenet_v1_0.25_224_keras",
    "mobilenet_v1_0.75_224_keras",
    "mobilenet_v3_small_1.0_224",
    "squeezenet1.1_onnxzoo",
)
FORMS = ("float32", "float16", "uint8")
LARGEST_MEMBERS, LARGEST_IMAGES = 85, 5794  # the paper's largest audit


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--members", default=",".join(MEMBERS))
    options.add_argument("--images", type=int, default=8)
    options.add_argument("--samples", type=int, default=16)
    given = options.parse_args()
    runs = {form: _audit(given, form, 0) for form in FORMS}
    other = _audit(given, "float32", 1)
    tell(f"{len(runs['float32'].members)} members, {given.images} images, {given.samples} draws\n")
    tell("| maps | kB values | kB errors | kB explanation | GB of 85 x 5,794 | of float32 |")
    tell("|---|---|---|---|---|---|")
    whole = _largest(runs["float32"])
    for form, run in runs.items():
        units = len(run.members) * len(run.images)
        folder = run.path / "explanations.zarr" / "smoothgrad"
        values, errors = (_disk(folder.glob(f"*/{name}/*")) / units / 1e3 for name in ("values", "standard_error"))
        largest = _largest(run)
        each = _each(run) / 1e3
        tell(f"| {form} | {values:.1f} | {errors:.1f} | {each:.1f} | {largest / 1e9:.1f} | {largest / whole:.2f} |")
    tell("")
    tell(
        "| against float32 | 1 - correlation of maps, worst | score of an image, worst (rms) | of a member, worst "
        "| leave-one-out, worst | rank correlation | mask AP of an image, worst | of a member, worst |",
        "|---|---|---|---|---|---|---|---|",
    )
    for name, run in {**{form: runs[form] for form in FORMS[1:]}, "float32, another seed": other}.items():
        tell(f"| {name} | {_differences(runs['float32'], run)} |")


def _audit(given: argparse.Namespace, form: str, seed: int) -> co.Run:
    data = Path(os.environ["CONSENSUS_ONNX_DATA"])
    committee = co.load_committee(data / "imagenet" / "models")
    chosen = tuple(committee.member(name) for name in given.members.split(","))
    settings = co.AuditSettings(
        explainers=("smoothgrad",),
        smoothgrad=co.SmoothGrad(samples=given.samples),
        storage=co.StorageSettings(maps=form),  # type: ignore[arg-type]
        limit=given.images,
        seed=seed,
    )
    pictures = data / "segmented"
    return co.audit(
        co.Committee(committee.name, chosen, committee.classes),
        pictures / "images",
        labels=pictures / "labels.csv",
        settings=settings,
        out=given.work / f"{form}-{seed}",
    )


def _differences(before: co.Run, after: co.Run) -> str:
    """Return the cells of a row: how far two runs of one audit lie apart."""
    name = "smoothgrad"
    correlations = [
        np.corrcoef(*(run.native_explanation(name, member, image).values.ravel() for run in (before, after)))[0, 1]
        for member in range(len(before.members))
        for image in range(len(before.images))
    ]
    scores = after.scores(name) - before.scores(name)
    left_out = after.leave_one_out(name) - before.leave_one_out(name)
    precision = after.mask_ap(name) - before.mask_ap(name)
    ranks = spearmanr(before.scores(name).mean(axis=1), after.scores(name).mean(axis=1)).statistic
    root = float(np.sqrt(np.nanmean(scores**2)))
    cells = (
        f"{1 - min(correlations):.5f}",
        f"{_worst(scores):.4f} ({root:.4f})",
        f"{_worst(scores.mean(axis=1)):.4f}",
        f"{_worst(left_out):.4f}",
        f"{ranks:.3f}",
        f"{_worst(precision):.5f}",
        f"{_worst(np.nanmean(precision, axis=1)):.5f}",
    )
    return " | ".join(cells)


def _worst(differences: Float64Array) -> float:
    return float(np.nanmax(np.abs(differences)))


def _each(run: co.Run) -> float:
    """Return the bytes of one explanation: maps, prediction, and the lines of both in their journals."""
    arrays, receipts = run.path / "explanations.zarr", run.path / "receipts"
    stored = _disk(path for part in ("smoothgrad", "predictions") for path in (arrays / part).rglob("c.*"))
    lines = sum(path.stat().st_size for part in ("smoothgrad", "predictions") for path in (receipts / part).iterdir())
    return (stored + lines) / (len(run.members) * len(run.images))


def _largest(run: co.Run) -> float:
    """Return the bytes that 85 members and 5,794 images would take: explanations, pictures, votes, rows of tables."""
    arrays = run.path / "explanations.zarr"
    pictures = _disk(path for part in ("images", "superpixels", "results") for path in (arrays / part).rglob("*"))
    rows = (run.path / "per_image.csv").stat().st_size / (len(run.members) * len(run.images))
    each = _each(run) + rows
    return (each * LARGEST_MEMBERS + pictures / len(run.images)) * LARGEST_IMAGES


def _disk(paths: Iterable[Path]) -> int:
    return sum(path.lstat().st_blocks * 512 for path in paths)


if __name__ == "__main__":
    main()
