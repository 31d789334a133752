"""Scores from elsewhere beside the consensus, by rank (Table 1)."""

from __future__ import annotations

from dataclasses import dataclass

from consensus_onnx.analysis import RankComparison, compare_ranks
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.standings import title_of
from consensus_onnx.report.templating import count, number, p_value, signed


@dataclass(frozen=True)
class RankRow:
    """A member and its ranks."""

    index: int
    name: str
    imported: float
    own: float


@dataclass(frozen=True)
class Comparison:
    """One source beside one explainer."""

    title: str
    sentence: str
    rows: tuple[RankRow, ...]


@dataclass(frozen=True)
class External:
    """The content of this section."""

    comparisons: tuple[Comparison, ...]


def build(experiments: Experiments, options: ReportOptions) -> Section | None:
    """Compare imported scores with every explainer's; None where nothing was imported."""
    names = [member.name for member in experiments.run.members]
    comparisons = []
    for source, scores in options.external.items():
        for explainer in experiments.run.explainers:
            found = compare_ranks(names, experiments.scores(explainer), scores)
            rows = tuple(
                RankRow(member, names[member], float(imported), float(own))
                for member, imported, own in zip(found.members, found.imported, found.own, strict=True)
            )
            comparisons.append(Comparison(f"{source} and {title_of(explainer)}", rank_sentence(found), rows))
    if not comparisons:
        return None
    return Section("external", "Scores from elsewhere", "external.html", External(tuple(comparisons)))


def rank_sentence(found: RankComparison) -> str:
    """Say how two rankings of the same members agree."""
    both = count(len(found.members), "member")
    if found.found.n < 3:
        return f"{both} with both scores: nothing to compare."
    return (
        f"{both} with both scores: Spearman {signed(found.found.spearman)} (p = {p_value(found.found.spearman_p)}), "
        f"Kendall {signed(found.found.kendall)}; largest difference "
        f"{number(float(abs(found.imported - found.own).max()), 0)} places."
    )
