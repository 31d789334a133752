"""Do two explainers rank the members alike? A scatter plot per pair."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from consensus_onnx.analysis import Correlation, correlate
from consensus_onnx.engine.run import Run
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.scatter import Point, Scatter, lay_out
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.standings import score_decimals, standings, title_of
from consensus_onnx.report.templating import number
from consensus_onnx.report.wording import coefficient, verdict


@dataclass(frozen=True)
class Pair:
    """Two explainers' scores of the same members."""

    title: str
    scatter: Scatter
    found: Correlation
    coefficient: str
    verdict: str


@dataclass(frozen=True)
class Pairs:
    """The content of this section."""

    pairs: tuple[Pair, ...]


def build(experiments: Experiments, options: ReportOptions) -> Section | None:
    """Plot every pair of explainers; None where there is only one, or nothing in common."""
    run = experiments.run
    found = (_pair(run, first, second) for first, second in combinations(run.explainers, 2))
    pairs = tuple(pair for pair in found if pair is not None)
    if not pairs:
        return None
    return Section("explainers", "Do explainers agree?", "explainers.html", Pairs(pairs))


def _pair(run: Run, first: str, second: str) -> Pair | None:
    ranked = standings(run, first)
    others = {entry.index: entry for entry in standings(run, second)}
    decimals = score_decimals(ranked), score_decimals(tuple(others.values()))
    titles = title_of(first), title_of(second)
    both = [(entry, others[entry.index]) for entry in ranked if entry.scored and others[entry.index].scored]
    if not both:
        return None
    points = [
        Point(
            one.member.name,
            one.row.score,
            other.row.score,
            one.index,
            one.slot,
            f"{one.member.name}: {titles[0]} {number(one.row.score, decimals[0])}, "
            f"{titles[1]} {number(other.row.score, decimals[1])}",
        )
        for one, other in both
    ]
    found = correlate([point.x for point in points], [point.y for point in points])
    title = f"{titles[0]} and {titles[1]}"
    scatter = lay_out(
        points,
        f"Consensus scores by {title}, one point per member: {coefficient(found)}",
        (f"{titles[0]} score", "number"),
        (f"{titles[1]} score", "number"),
        fitted=True,
    )
    said = verdict(
        found,
        more="Members that agree with the consensus by one explainer tend to do so by the other",
        less="Members that agree by one explainer tend to disagree by the other",
        undecided="the two explainers rank members alike",
    )
    return Pair(title, scatter, found, coefficient(found), said)
