"""The top of the page: what was compared, who agrees most and least, and what went missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from consensus_onnx.consensus import member_scores
from consensus_onnx.engine.records import ImageRecord
from consensus_onnx.engine.run import Run
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.sections.accuracy import ORIGINS, accuracy_correlation, accuracy_verdict
from consensus_onnx.report.standings import Standing, accuracies, score_decimals, standings, title_of
from consensus_onnx.report.templating import count, number, percent
from consensus_onnx.report.wording import coefficient, listing

_TARGETS = {
    "predicted": "the class it predicts itself",
    "label": "the true class",
    "majority": "the class most members predict",
}
_MOST_LISTED = 20


@dataclass(frozen=True)
class Finding:
    """One explainer in a few lines; `first` and `last` are None where fewer than two members have a score."""

    title: str
    decimals: int
    members: int
    first: Standing | None
    last: Standing | None
    coefficient: str
    verdict: str
    objects: str
    reliability: str


@dataclass(frozen=True)
class Summary:
    """The content of this section; `incomplete` are members with any status but ok."""

    name: str
    lede: str
    accuracy_origin: str
    findings: tuple[Finding, ...]
    incomplete: tuple[Standing, ...]
    failed_images: tuple[ImageRecord, ...]
    failed_count: int


def build(experiments: Experiments, options: ReportOptions) -> Section:
    """Sum the run up."""
    run = experiments.run
    known = accuracies(run)
    everyone = sorted(standings(run, run.explainers[0]), key=lambda entry: entry.index)
    content = Summary(
        name=run.name,
        lede=_lede(run),
        accuracy_origin=ORIGINS.get(known.source, ""),
        findings=tuple(_finding(run, explainer) for explainer in run.explainers),
        incomplete=tuple(entry for entry in everyone if entry.member.status != "ok"),
        failed_images=run.failed_images[:_MOST_LISTED],
        failed_count=len(run.failed_images),
    )
    return Section("summary", "", "summary.html", content)


def _lede(run: Run) -> str:
    target = run.settings["identity"].get("target", "predicted")
    asked = _TARGETS.get(target, f"class {target}")
    taking_part = sum(
        any(math.isfinite(row.score) for row in run.score_rows if row.member == member.name) for member in run.members
    )
    labelled = sum(image.label is not None for image in run.images)
    masked = sum(image.mask for image in run.images)
    have = []
    if labelled:
        have.append("all have a label" if labelled == len(run.images) else f"{labelled} have a label")
    if masked:
        have.append("all have an object mask" if masked == len(run.images) else f"{masked} have an object mask")
    known = f" ({' and '.join(have)})" if have else " (without labels)"
    of_all = "" if taking_part == len(run.members) else f" of {len(run.members)}"
    explainers = listing([title_of(name) for name in run.explainers])
    return (
        f"{taking_part}{of_all} {'member' if len(run.members) == 1 else 'members'} looked at "
        f"{count(len(run.images), 'image')}{known}. {explainers} explained why each member sees {asked}; "
        "the committee voted, and every member is scored by how close it comes to the vote."
    )


def _finding(run: Run, explainer: str) -> Finding:
    found = standings(run, explainer)
    scored = [entry for entry in found if entry.scored]
    correlation = accuracy_correlation(run, explainer, accuracies(run))
    rows = [row for row in run.per_image_rows if row.explainer == explainer]
    return Finding(
        title_of(explainer),
        score_decimals(found),
        len(scored),
        scored[0] if len(scored) > 1 else None,
        scored[-1] if len(scored) > 1 else None,
        coefficient(correlation),
        accuracy_verdict(correlation),
        _objects(run, explainer),
        _reliability([row.split_half for row in rows], [row.r2 for row in rows]),
    )


def _objects(run: Run, explainer: str) -> str:
    """Say how well the consensus finds the objects beside its members; empty without masks."""
    agreed = run.consensus_ap(explainer)
    masked = np.isfinite(agreed)
    if not masked.any():
        return ""
    precision = member_scores(run.mask_ap(explainer)[:, masked])
    known = precision[np.isfinite(precision)]
    value = float(agreed[masked].mean())
    below = int((known < value).sum())
    than = f"all {known.size} members" if below == known.size else f"{below} of {known.size} members"
    return (
        f"Against the masks of {count(int(masked.sum()), 'image')} the consensus reaches an average precision of "
        f"{number(value, 2)}, more than {than}."
    )


def _reliability(halves: Sequence[float], fits: Sequence[float]) -> str:
    """Say how far the explanations can be trusted, by the medians of what is known."""
    agreement, fit = _median(halves), _median(fits)
    parts = []
    if math.isfinite(agreement):
        parts.append(f"two halves of the samples agree at {number(agreement, 2)}")
    if math.isfinite(fit):
        parts.append(f"the linear surrogate explains {percent(fit, 0)} of the variance")
    return f"In the median, {' and '.join(parts)}." if parts else ""


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return median(known) if known else math.nan
