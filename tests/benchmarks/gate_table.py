"""Write the tables of docs/gate.md: what common changes of a model do, and whether the gate sees them.

    python tests/benchmarks/gate_table.py docs/gate.md --work FOLDER

Uses the embedded committee, and real models where CONSENSUS_ONNX_DATA names their folder. FOLDER keeps every result, so
that the script goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from changed_models import CHANGED, EQUIVALENT, Change, declaration, twin, unchanged
from embedded_baseline import MEMBERS, build_embedded

import consensus_onnx as co
from consensus_onnx.errors import ConsensusError
from consensus_onnx.gate.filing import read_baseline, write_baseline
from consensus_onnx.gate.freezing import FreezeOptions, freeze
from consensus_onnx.gate.request import GateRequest
from consensus_onnx.gate.results import CandidateResult
from consensus_onnx.gate.running import gate
from consensus_onnx.report.plain import plain

REAL = ("mobilenet_v3_small_1.0_224", "mobilenet_v1_0.25_128_coral", "mobilenet_v1_0.25_224_keras")
RERUN_MEMBERS, RERUN_SEEDS, RERUN_IMAGES = MEMBERS[:5], range(1, 11), 8
REAL_IMAGES = 8


@dataclass(frozen=True)
class World:
    """An audited committee, its baseline, and who is changed."""

    title: str
    models: Path
    baseline: Path
    member: str
    twin: str


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("page", type=Path)
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--real", type=int, default=2, help="how many real models are changed")
    options.add_argument("--stored", action="store_true", help="write what FOLDER holds, measure nothing more")
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    worlds = [_embedded(given.work)]
    data = os.environ.get("CONSENSUS_ONNX_DATA")
    if data:
        worlds += [_real(given.work, Path(data), name) for name in REAL[: given.real]]
    parts = [_table(given.work, worlds[0], given.stored), _reruns(given.work, worlds[0], given.stored)]
    parts += [_table(given.work, world, given.stored) for world in worlds[1:]]
    text = given.page.read_text(encoding="utf-8")
    begin, end = "<!-- gate_table begin -->", "<!-- gate_table end -->"
    if begin not in text:
        sys.exit(f"{given.page}: holds no {begin}")
    block = f"{begin}\n" + "\n\n".join(parts) + f"\n{end}"
    replaced = re.sub(f"{begin}.*{end}", lambda match: block, text, flags=re.DOTALL)
    given.page.write_text(replaced, encoding="utf-8")


def _embedded(work: Path) -> World:
    file = work / "embedded.zip"
    if not file.exists():
        build_embedded(work, file)
    return World("embedded `resnet`", work / "embedded", file, "resnet", "resnet-shortcut")


def _real(work: Path, data: Path, member: str) -> World:
    folder = data / "imagenet"
    committee = co.load_committee(folder / "models")
    chosen = replace(committee, members=tuple(one for one in committee if one.name in REAL))
    settings = co.AuditSettings(
        canvas=co.CanvasSettings(resize=227, crop=224),
        lime=co.Lime(samples=300),
        smoothgrad=co.SmoothGrad(samples=16),
        limit=REAL_IMAGES,
    )
    file = work / "real.zip"
    if not file.exists():
        run = co.audit(
            chosen, folder / "images", labels=folder / "labels.csv", settings=settings, out=work / "run-real"
        )
        write_baseline(file, freeze(run))
    return World(f"`{member}`", folder / "models", file, member, "")


def _table(work: Path, world: World, stored: bool) -> str:
    frozen = read_baseline(world.baseline)
    canvases = work / f"canvases-{world.member}"
    canvases.mkdir(exist_ok=True)
    assert frozen.canvases is not None
    for index, canvas in enumerate(frozen.canvases):
        np.save(canvases / f"{index:03}.npy", canvas)
    changes: dict[str, Change] = {"unchanged": unchanged, **EQUIVALENT, **CHANGED}
    if world.twin:
        changes["its twin that learned a shortcut"] = twin(world.twin)
    wanted = {name: change for name, change in changes.items() if not stored or _kept(work, world, name).exists()}
    rows = [_row(work, world, canvases, name, change) for name, change in wanted.items()]
    head = ["change", "accuracy", "agreement", "LIME cosine", "SmoothGrad cosine", "score drops", "seconds", "verdict"]
    images, members = len(frozen.images), len(frozen.members)
    side = frozen.canvas.crop
    samples = ", ".join(f"{entry.name} {entry.explainer.samples}" for entry in frozen.explainers)
    lead = f"{world.title}: {images} pictures of {side} x {side}, {members} members, samples: {samples}."
    if len(wanted) < len(changes):
        lead += f" Not measured: {', '.join(name for name in changes if name not in wanted)}."
    return lead + "\n\n" + _markdown(head, rows)


def _kept(work: Path, world: World, name: str) -> Path:
    return work / "changed" / world.member / re.sub(r"\W+", "-", name) / "result.json"


def _row(work: Path, world: World, canvases: Path, name: str, change: Change) -> list[str]:
    member = co.load_committee(world.models).member(world.member)
    kept = _kept(work, world, name)
    where = kept.parent
    if not kept.exists():
        where.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(_measured(world, member, where, canvases, name, change)), encoding="utf-8")
    found = json.loads(kept.read_text(encoding="utf-8"))
    print(world.member, name, found["verdict"], flush=True)  # noqa: T201
    if "checks" not in found:
        return [name, *(6 * [""]), f"{found['verdict']}: {found['reason']}"]
    standings = {one["explainer"]: one for one in found["standings"]}
    drops = [_number(one["reference_score"]) - _number(one["score"]) for one in standings.values()]
    failed = [_short(check) for check in found["checks"] if check["status"] == "failed"]
    return [
        name,
        f"{found['accuracy']:.2f} ({found['accuracy'] - found['reference_accuracy']:+.2f})",
        f"{found['agreement']:.2f}",
        *(f"{_number(standings[entry]['similarity']):.3f}" if entry in standings else "" for entry in _BOTH),
        ", ".join(f"{drop:.3f}" for drop in drops),
        f"{found['seconds']:.0f}",
        found["verdict"]
        + (f": {', '.join(failed)}" if failed else f": {found['reason'][:60]}" if found["reason"] else ""),
    ]


def _measured(
    world: World, member: co.Member, where: Path, canvases: Path, name: str, change: Change
) -> dict[str, Any]:
    out = where / "candidate" / f"{member.path.stem}.onnx"
    out.parent.mkdir(exist_ok=True)
    try:
        change(member, out, canvases)
    except Exception as error:  # what a converter cannot convert is told in the table
        return {"verdict": "not converted", "reason": f"{type(error).__name__}: {error}".splitlines()[0][:80]}
    wrong = declaration(name, member)
    if wrong:
        (where / "declared.yaml").write_text(wrong, encoding="utf-8")
    request = GateRequest(reference=member.name, preprocessing=where / "declared.yaml" if wrong else None)
    began = time.monotonic()
    try:
        found: CandidateResult = gate([out], world.baseline, request).candidates[0]
    except ConsensusError as error:
        return {"verdict": "broken", "reason": str(error)[:80]}
    seconds = time.monotonic() - began
    content: Mapping[str, Any] = plain(replace(found, worst=()))
    if found.verdict == "broken":
        return {"verdict": "broken", "reason": found.reason[:80]}
    return {**content, "seconds": seconds}


def _reruns(work: Path, world: World, stored: bool) -> str:
    """Explain unchanged members again with other seeds; every failure is a false alarm."""
    file = work / "reruns.zip"
    if not file.exists():
        write_baseline(file, freeze(co.Run.open(work / "run"), FreezeOptions(limit=RERUN_IMAGES)))
    rows, alarms, total = [], 0, 0
    for member in RERUN_MEMBERS:
        kept = work / f"reruns-{member}.json"
        if not kept.exists() and stored:
            continue
        if not kept.exists():
            kept.write_text(json.dumps([_rerun(file, world, member, seed) for seed in RERUN_SEEDS]), encoding="utf-8")
        found = json.loads(kept.read_text(encoding="utf-8"))
        total += len(found)
        alarms += sum(one["verdict"] != "passed" for one in found)
        numbers = [f"{np.mean([one[key] for one in found]):.3f}" for key in ("lime", "smoothgrad")]
        worst = [f"{max(one[f'{key}_drop'] for one in found):.3f}" for key in ("lime", "smoothgrad")]
        rows.append([member, str(len(found)), *numbers, *worst, str(sum(one["verdict"] != "passed" for one in found))])
        print(member, "reruns", flush=True)  # noqa: T201
    head = ["member", "reruns", "LIME cosine", "SmoothGrad cosine", "largest LIME drop", "SmoothGrad", "false alarms"]
    lead = f"{total} reruns of unchanged members with other seeds, {RERUN_IMAGES} pictures: {alarms} false alarms."
    return lead + "\n\n" + _markdown(head, rows)


def _rerun(file: Path, world: World, member: str, seed: int) -> dict[str, Any]:
    candidate = world.models / f"{member}.onnx"
    found = gate([candidate], file, GateRequest(reference=member, seed=seed)).candidates[0]
    by = {one.explainer: one for one in found.standings}
    return {
        "verdict": found.verdict,
        "failed": [check.text for check in found.checks if check.status == "failed"],
        **{name: one.similarity for name, one in by.items()},
        **{f"{name}_drop": one.reference_score - one.score for name, one in by.items()},
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


_BOTH = ("lime", "smoothgrad")
_SHORT = {
    "min_score_percentile": "place",
    "max_score_drop": "score",
    "min_similarity_to_reference": "similarity",
    "min_prediction_agreement": "agreement",
    "max_accuracy_drop": "accuracy",
    "max_mask_ap_drop": "mask AP",
}


def _short(check: Mapping[str, Any]) -> str:
    explainer = {"lime": " L", "smoothgrad": " S"}.get(check["explainer"], "")
    return _SHORT[check["condition"]] + explainer


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
