"""Ranking: one sortable table per explainer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from consensus_onnx.engine.run import Run
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.sections.accuracy import ORIGINS
from consensus_onnx.report.standings import Accuracies, Standing, accuracies, score_decimals, standings, title_of


@dataclass(frozen=True)
class Row:
    """A member's row; `low`, `at`, `high` are places of its interval and score on the column's scale, 0..100."""

    standing: Standing
    low: float
    at: float
    high: float


@dataclass(frozen=True)
class Table:
    """One explainer's ranking; `scale` is what the ends of the interval column stand for."""

    name: str
    title: str
    rows: tuple[Row, ...]
    scale: tuple[float, float]
    decimals: int
    has_masks: bool


@dataclass(frozen=True)
class Ranking:
    """The content of this section."""

    tables: tuple[Table, ...]
    known: Accuracies
    origin: str


def build(experiments: Experiments, options: ReportOptions) -> Section:
    """Rank the members for every explainer."""
    run = experiments.run
    tables = tuple(_table(run, explainer) for explainer in run.explainers)
    known = accuracies(run)
    content = Ranking(tables, known, ORIGINS.get(known.source, ""))
    return Section("ranking", "Ranking", "ranking.html", content)


def _table(run: Run, explainer: str) -> Table:
    found = standings(run, explainer)
    ends = [
        value
        for standing in found
        for value in (standing.row.score, standing.row.ci_low, standing.row.ci_high)
        if math.isfinite(value)
    ]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    spread = (high - low) or 1.0

    def place(value: float, otherwise: float) -> float:
        return 2.0 + 96.0 * ((value if math.isfinite(value) else otherwise) - low) / spread

    rows = tuple(
        Row(
            standing,
            place(standing.row.ci_low, standing.row.score),
            place(standing.row.score, low),
            place(standing.row.ci_high, standing.row.score),
        )
        for standing in found
    )
    has_masks = any(math.isfinite(standing.row.mask_ap) for standing in found)
    return Table(explainer, title_of(explainer), rows, (low, high), score_decimals(found), has_masks)
