"""Do accurate members agree more with the consensus? One scatter plot per explainer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consensus_onnx.analysis import Correlation, ScoreCorrelation, correlate
from consensus_onnx.engine.run import Run
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.scatter import Point, Scatter, lay_out
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.standings import (
    Accuracies,
    Standing,
    accuracies,
    family_slots,
    score_decimals,
    standings,
    title_of,
)
from consensus_onnx.report.templating import number, percent
from consensus_onnx.report.wording import coefficient, verdict

ORIGINS = {
    "declared": "as declared by the committee",
    "measured": "measured on this run's images",
    "mixed": "as declared by the committee, or measured here where nothing is declared",
}


@dataclass(frozen=True)
class Panel:
    """One explainer's plot and what it says; `measured` is the coefficient with measured accuracies beside declared."""

    title: str
    scatter: Scatter
    found: Correlation
    coefficient: str
    verdict: str
    measured: str
    intervals: ScoreCorrelation
    others: Correlation


@dataclass(frozen=True)
class AccuracyContent:
    """The content of this section."""

    panels: tuple[Panel, ...]
    origin: str
    known: Accuracies
    families: Mapping[str, int]


def build(experiments: Experiments, options: ReportOptions) -> Section | None:
    """Plot score against accuracy for every explainer; None where no accuracy is known."""
    run = experiments.run
    known = accuracies(run)
    panels = tuple(panel for name in run.explainers if (panel := _panel(experiments, name, known)) is not None)
    if not panels:
        return None
    content = AccuracyContent(panels, ORIGINS[known.source], known, family_slots(run))
    return Section("accuracy", "Accuracy against agreement", "accuracy.html", content)


def accuracy_correlation(run: Run, explainer: str, known: Accuracies) -> Correlation:
    """Correlate the members' scores with these accuracies, over members."""
    return _correlation(known.values, standings(run, explainer))


def accuracy_verdict(found: Correlation) -> str:
    """Say what a correlation of accuracy and score supports."""
    return verdict(
        found,
        more="More accurate members agree more with the consensus",
        less="More accurate members agree less with the consensus",
        undecided="accuracy and agreement go together",
    )


def _panel(experiments: Experiments, explainer: str, known: Accuracies) -> Panel | None:
    run = experiments.run
    found = standings(run, explainer)
    decimals = score_decimals(found)
    points = [
        Point(
            entry.member.name,
            known.values[entry.index],
            entry.row.score,
            entry.index,
            entry.slot,
            f"{entry.member.name} ({entry.member.family}): accuracy {percent(known.values[entry.index])}, "
            f"score {number(entry.row.score, decimals)}",
            entry.row.ci_low,
            entry.row.ci_high,
        )
        for entry in found
        if entry.scored and math.isfinite(known.values[entry.index])
    ]
    if not points:
        return None
    correlation = accuracy_correlation(run, explainer, known)
    title = title_of(explainer)
    scatter = lay_out(
        points,
        f"{title} consensus score against accuracy, one point per member: {coefficient(correlation)}",
        ("Accuracy", "percent"),
        ("Consensus score", "number"),
        fitted=True,
    )
    measured = ""
    if known.both:
        measured = coefficient(_correlation(known.measured, found))
    return Panel(
        title,
        scatter,
        correlation,
        coefficient(correlation),
        accuracy_verdict(correlation),
        measured,
        experiments.against_accuracy(explainer),
        experiments.others_against_accuracy(explainer).over_members,
    )


def _correlation(values: Sequence[float], found: Sequence[Standing]) -> Correlation:
    return correlate([values[entry.index] for entry in found], [entry.row.score for entry in found])
