"""Do explanations find the objects? Precision against masks beside accuracy (Fig. 4) and score (Fig. 8)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis import Correlation, EnsembleAccuracy, correlate
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.finding_objects import MEASURES
from consensus_onnx.report.scatter import Point, Scatter, lay_out
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.standings import Accuracies, accuracies, family_slots, title_of
from consensus_onnx.report.templating import number, percent
from consensus_onnx.report.wording import coefficient, verdict

TITLES = {
    "average_precision": "Average precision",
    "pointing": "Brightest pixel on the object",
    "best_iou": "Best overlap (IoU)",
    "energy": "Relevance on the object",
    "box_iou": "Located box (IoU)",
}


@dataclass(frozen=True)
class Panel:
    """A plot and what it says."""

    title: str
    scatter: Scatter
    found: Correlation
    coefficient: str
    verdict: str
    note: str


@dataclass(frozen=True)
class Row:
    """One measure: of the consensus, the members, and what knows nothing; nan where unknown."""

    title: str
    consensus: float
    best: float
    best_name: str
    mean: float
    beaten: int


@dataclass(frozen=True)
class Measures:
    """One explainer's measures; `baselines` holds (name, mean average precision)."""

    title: str
    rows: tuple[Row, ...]
    members: int
    images: int
    chance: float
    baselines: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Objects:
    """The content of this section."""

    panels: tuple[Panel, ...]
    measures: tuple[Measures, ...]
    families: Mapping[str, int]
    ensemble: EnsembleAccuracy
    masked: int


def build(experiments: Experiments, options: ReportOptions) -> Section | None:
    """Compare explanations with the masks; None where the run has none."""
    run = experiments.run
    masked = sum(image.mask for image in run.images)
    shown = [name for name in run.explainers if np.isfinite(run.mask_ap(name)).any()]
    if not shown:
        return None
    known = accuracies(run)
    panels = [panel for name in shown for panel in _panels(experiments, name, known)]
    content = Objects(
        tuple(panels),
        tuple(_measures(experiments, name) for name in shown),
        family_slots(run),
        experiments.ensemble,
        masked,
    )
    return Section("objects", "Do they find the objects?", "objects.html", content)


def _panels(experiments: Experiments, explainer: str, known: Accuracies) -> list[Panel]:
    """Plot precision against accuracy, with the committee as one classifier, and against the score."""
    run, title = experiments.run, title_of(explainer)
    precision = _member_means(run.mask_ap(explainer))
    ensemble = experiments.ensemble
    accuracy, origin = np.array(known.measured), "measured on this run's images"
    if not np.isfinite(accuracy).any():
        accuracy, origin = np.array(known.values), "as declared"
    agreed = run.consensus_ap(explainer)
    agreed_ap = float(agreed[np.isfinite(agreed)].mean()) if np.isfinite(agreed).any() else math.nan
    extra = []
    if ensemble.images and math.isfinite(agreed_ap):
        extra = [
            _reference("consensus, averaged", ensemble.averaged, agreed_ap),
            _reference("consensus, voted", ensemble.voted, agreed_ap),
        ]
        if ensemble.averaged == ensemble.voted:
            extra = [_reference("consensus", ensemble.averaged, agreed_ap)]
    panels = []
    points = _points(experiments, accuracy, precision, "accuracy {}, mask AP {}")
    if points:
        found = correlate(accuracy, precision)
        note = f"Accuracy is {origin}."
        if extra:
            note += (
                f" The diamond is the committee as one classifier: {percent(ensemble.averaged)} right by the mean of "
                f"probabilities, {percent(ensemble.voted)} by vote, over {ensemble.images} labelled images."
            )
        panels.append(
            _panel(
                f"{title}: accuracy and mask AP",
                lay_out(
                    [*points, *extra],
                    f"{title} mean average precision against accuracy: {coefficient(found)}",
                    ("Accuracy", "percent"),
                    ("Mask AP", "number"),
                    fitted=True,
                ),
                found,
                ("accuracy and finding the object go together", "Accurate members", "find the object"),
                note,
            )
        )
    scores = experiments.scores(explainer)
    points = _points(experiments, scores, precision, "score {}, mask AP {}", share=False)
    if points:
        against = experiments.against_masks(explainer)
        note = ""
        if math.isfinite(against.both_low):
            low, high = number(against.both_low, 2), number(against.both_high, 2)
            note = f"With other images and other members r could have been {low} to {high}."
        panels.append(
            _panel(
                f"{title}: score and mask AP",
                lay_out(
                    points,
                    f"{title} mean average precision against consensus score: {coefficient(against.over_members)}",
                    ("Consensus score", "number"),
                    ("Mask AP", "number"),
                    fitted=True,
                ),
                against.over_members,
                (
                    "agreeing and finding the object go together",
                    "Members that agree with the consensus",
                    "find the object",
                ),
                note,
            )
        )
    return panels


def _panel(title: str, scatter: Scatter, found: Correlation, words: tuple[str, str, str], note: str) -> Panel:
    undecided, who, what = words
    said = verdict(found, more=f"{who} {what} better", less=f"{who} {what} worse", undecided=undecided)
    return Panel(title, scatter, found, coefficient(found), said, note)


def _points(experiments: Experiments, x: np.ndarray, y: np.ndarray, note: str, share: bool = True) -> list[Point]:
    slots = family_slots(experiments.run)
    return [
        Point(
            member.name,
            float(x[index]),
            float(y[index]),
            index,
            slots.get(member.family, 0),
            f"{member.name} ({member.family}): "
            + note.format(percent(float(x[index])) if share else number(float(x[index])), number(float(y[index]))),
        )
        for index, member in enumerate(experiments.run.members)
        if math.isfinite(x[index]) and math.isfinite(y[index])
    ]


def _reference(name: str, accuracy: float, precision: float) -> Point:
    note = f"{name}: accuracy {percent(accuracy)}, mask AP {number(precision)}"
    return Point(name, accuracy, precision, -1, 0, note, reference=True)


def _measures(experiments: Experiments, explainer: str) -> Measures:
    found = experiments.objects(explainer)
    rows = []
    for column, name in enumerate(MEASURES):
        if name not in TITLES:
            continue
        members, agreed = found.members[:, column], float(found.consensus[column])
        seen = members[np.isfinite(members)]
        best = int(np.nanargmax(members)) if seen.size else -1
        rows.append(
            Row(
                TITLES[name],
                agreed,
                float(members[best]) if seen.size else math.nan,
                experiments.run.members[best].name if seen.size else "",
                float(seen.mean()) if seen.size else math.nan,
                int((seen < agreed).sum()),
            )
        )
    blind = experiments.baselines(explainer).mask_ap
    return Measures(
        title_of(explainer),
        tuple(rows),
        int(np.isfinite(found.members[:, 0]).sum()),
        found.images,
        float(found.consensus[MEASURES.index("chance")]),
        tuple(blind.items()),
    )


def _member_means(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    means = np.full(len(values), np.nan)
    np.divide(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1), out=means, where=known.any(axis=1))
    return means
