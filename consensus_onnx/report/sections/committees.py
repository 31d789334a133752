"""Does the consensus depend on who sits in the committee? Its size (Fig. 6), others (4.5), families (Fig. 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from consensus_onnx.analysis import Convergence, Correlation, CrossCommittee, FamilyConsistency, Spread, converged_at
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.lines import Lines, Trials, lay_out_lines
from consensus_onnx.report.scatter import Point, Scatter, lay_out
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.standings import family_slots, title_of
from consensus_onnx.report.templating import count, number
from consensus_onnx.report.wording import coefficient


@dataclass(frozen=True)
class Growth:
    """One explainer's curves and what they say."""

    title: str
    plots: tuple[tuple[str, Lines], ...]
    found: Convergence
    sentence: str
    others: CrossCommittee | None
    others_family: str


@dataclass(frozen=True)
class FamilyPlot:
    """One family by all and by itself."""

    title: str
    scatter: Scatter
    found: Correlation
    coefficient: str
    sentence: str


@dataclass(frozen=True)
class Committees:
    """The content of this section."""

    growth: tuple[Growth, ...]
    families: tuple[FamilyPlot, ...]
    slots: Mapping[str, int]
    images: int
    of: int


def build(experiments: Experiments, options: ReportOptions) -> Section | None:
    """Draw committees anew from the members; None for fewer than three."""
    run = experiments.run
    growth = [part for name in run.explainers if (part := _growth(experiments, name)) is not None]
    if not growth:
        return None
    families = [plot for name in run.explainers for plot in _families(experiments, name)]
    content = Committees(tuple(growth), tuple(families), family_slots(run), len(experiments.images), len(run.images))
    return Section("committees", "Would another committee agree?", "committees.html", content)


def _growth(experiments: Experiments, explainer: str) -> Growth | None:
    found = experiments.convergence(explainer)
    if found is None or not (found.to_full.mean == found.to_full.mean).any():
        return None
    title = title_of(explainer)
    plots = []
    parts: list[tuple[str, Spread, float | None, str]] = []
    if found.masked:
        parts.append(("How well a random committee finds the object", found.mask_ap, found.full_ap, "Mask AP"))
    parts.append(("Consensus of a random committee and of all", found.to_full, None, "Correlation"))
    for heading, spread, level, axis in parts:
        trials = Trials(found.sizes, *(part.tolist() for part in (spread.mean, spread.median, spread.low, spread.high)))
        plot = lay_out_lines(
            trials,
            f"{title}: {axis} by committee size, mean, median and middle 95 % of {found.trials} random committees",
            ("Members in the committee", axis),
            level,
            "full committee",
        )
        plots.append((heading, plot))
    others = experiments.cross_committee(explainer)
    family = experiments.families[others.targets[0]] if others is not None else ""
    return Growth(title, tuple(plots), found, _sentence(found), others, family)


def _sentence(found: Convergence) -> str:
    """Say from which size on the consensus is there, and how far it repeats with other members."""
    parts = []
    reached = converged_at(found)
    if reached == found.sizes[-1]:
        parts.append(
            f"No smaller committee's mean AP stays within 0.01 of that of all {reached}: no plateau to be seen."
        )
    elif reached is not None:
        parts.append(
            f"From {count(reached, 'member')} on, the mean AP of random committees stays within 0.01 of that of all "
            f"{found.sizes[-1]} ({number(found.full_ap)})."
        )
    pairs = [(size, value) for size, value in zip(found.sizes, found.to_another.mean, strict=True) if value == value]
    if pairs:
        size, value = pairs[-1]
        parts.append(
            f"Two committees of {size} without a common member reach consensuses that correlate at {number(value, 2)} "
            "on average: so far a consensus of that size repeats with other members."
        )
    return " ".join(parts)


def _families(experiments: Experiments, explainer: str) -> list[FamilyPlot]:
    return [_family(experiments, explainer, found) for found in experiments.by_family(explainer)]


def _family(experiments: Experiments, explainer: str, found: FamilyConsistency) -> FamilyPlot:
    slot = family_slots(experiments.run).get(found.family, 0)
    names = [experiments.run.members[index].name for index in found.members]
    rows = zip(names, found.by_all.tolist(), found.by_family.tolist(), found.members, strict=True)
    points = [
        Point(name, x, y, index, slot, f"{name}: by all {number(x)}, by its family {number(y)}")
        for name, x, y, index in rows
        if x == x and y == y
    ]
    said = coefficient(found.found)
    scatter = lay_out(
        points,
        f"{title_of(explainer)} scores of {found.family} by the full committee and by the family alone: {said}",
        ("Score by the full committee", "number"),
        ("Score by the family alone", "number"),
        fitted=True,
    )
    sentence = (
        f"{len(points)} members of {found.family}, ranked by all and by themselves alone: Spearman "
        f"{number(found.found.spearman, 2)}."
    )
    return FamilyPlot(f"{title_of(explainer)}: {found.family}", scatter, found.found, said, sentence)
