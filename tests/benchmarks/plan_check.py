"""Whether scores are as far off as a plan says: `CONSENSUS_ONNX_DATA=DATA python tests/benchmarks/plan_check.py`.

A pilot on six pictures predicts the error of four small ImageNet networks' LIME scores over eight others; three audits
with other random numbers, held against one with 4,000 rows, show it. Takes some minutes.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from telling import tell

import consensus_onnx as co
from consensus_onnx.arrays import Float64Array
from consensus_onnx.committee import Committee
from consensus_onnx.engine.pilot import run_pilot
from consensus_onnx.images import read_dataset
from consensus_onnx.images.items import Dataset

MEMBERS = (
    "mobilenet_v1_0.25_128_coral",
    "mobilenet_v1_0.25_224_keras",
    "squeezenet1.1_onnxzoo",
    "mobilenet_v3_small_1.0_224",
)
TRIED, CHECKED, REFERENCE = 400, (250, 600), 4_000
SETTINGS = co.AuditSettings(explainers=("lime",))


def main() -> None:
    data = Path(os.environ["CONSENSUS_ONNX_DATA"])
    whole = co.load_committee(data / "imagenet" / "models")
    committee = replace(whole, members=tuple(whole.member(name) for name in MEMBERS))
    dataset = read_dataset(data / "segmented" / "images")
    others = np.linspace(10, len(dataset.items) - 12, 8).round().astype(int)
    few = replace(dataset, items=tuple(dataset.items[index] for index in others))
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        pilot = run_pilot(committee, dataset, work, SETTINGS, samples={"lime": TRIED})
        source = pilot.sources["lime"]
        reference = _scores(committee, few, work, REFERENCE, 77)
        tell(f"tried with {TRIED} and {2 * TRIED} rows: {source}\n")
        tell("| rows | predicted: samples, drift, both | found: samples, drift, both |")
        tell("|---|---|---|")
        for rows in CHECKED:
            errors = np.array([_scores(committee, few, work, rows, seed) - reference for seed in (1, 2, 3)])
            _, samples, drift = source.variances(len(few.items), rows)
            predicted = np.sqrt([samples, drift, samples + drift])
            found = (
                errors.std(axis=0, ddof=1).mean(),
                np.sqrt((errors.mean(axis=0) ** 2).mean()),
                np.sqrt((errors**2).mean()),
            )
            cells = (", ".join(f"{value:.4f}" for value in values) for values in (predicted, found))
            tell(f"| {rows} | {' | '.join(cells)} |")


def _scores(committee: Committee, dataset: Dataset, work: Path, rows: int, seed: int) -> Float64Array:
    """Return each member's mean score less the committee's."""
    settings = replace(SETTINGS, seed=seed, lime=co.Lime(samples=rows))
    scores = co.audit(committee, dataset, out=work / f"{rows}-{seed}", settings=settings).scores("lime")
    centred: Float64Array = (scores - scores.mean(axis=0)).mean(axis=1)
    return centred


if __name__ == "__main__":
    main()
