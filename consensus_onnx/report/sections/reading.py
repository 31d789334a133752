"""How to read a score: what scores without knowing anything, what else goes with it, and which choices decide it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis import Confounds, RankChange
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.standings import score_decimals, standings, title_of

_BASELINES = {"random": "a random map", "centre": "a spot in the centre", "edges": "the picture's edges"}
_FEWEST = 4


@dataclass(frozen=True)
class Level:
    """Something that has a score; `at` is its place on a scale of 0..100."""

    name: str
    score: float
    at: float
    blind: bool


@dataclass(frozen=True)
class Reading:
    """One explainer's part."""

    title: str
    decimals: int
    levels: tuple[Level, ...]
    confounds: Confounds | None
    changes: tuple[RankChange, ...]
    names: tuple[str, ...]
    has_accuracy: bool


@dataclass(frozen=True)
class Readings:
    """The content of this section."""

    parts: tuple[Reading, ...]
    images: int
    of: int


def build(experiments: Experiments, options: ReportOptions) -> Section | None:
    """Show scores against baselines, properties and choices; None for fewer than four members."""
    run = experiments.run
    parts = [
        _reading(experiments, name) for name in run.explainers if np.isfinite(experiments.scores(name)).sum() >= _FEWEST
    ]
    if not parts:
        return None
    content = Readings(tuple(parts), len(experiments.images), len(run.images))
    return Section("reading", "What else could explain the score?", "reading.html", content)


def _reading(experiments: Experiments, explainer: str) -> Reading:
    run = experiments.run
    found = standings(run, explainer)
    scored = [entry for entry in found if entry.scored]
    blind = experiments.baselines(explainer)
    shuffled = blind.shuffled[np.isfinite(blind.shuffled)]
    levels = [
        (entry.member.name, entry.row.score, False) for entry in (scored[0], scored[len(scored) // 2], scored[-1])
    ]
    words = ("highest: ", "median: ", "lowest: ")
    levels = [(word + name, score, flag) for word, (name, score, flag) in zip(words, levels, strict=True)]
    if shuffled.size:
        levels.append(("members' own explanations, shuffled (median)", float(np.median(shuffled)), True))
    levels += [(_BASELINES[name], value, True) for name, value in blind.scores.items()]
    known = [level for level in levels if math.isfinite(level[1])]
    known.sort(key=lambda level: -level[1])
    top = max([level[1] for level in known], default=1.0)
    low = min([0.0, *(level[1] for level in known)])
    span = (top - low) or 1.0
    placed = tuple(Level(name, score, 100 * (score - low) / span, flag) for name, score, flag in known)
    has_accuracy = bool(np.isfinite(experiments.accuracy).sum() >= _FEWEST)
    return Reading(
        title_of(explainer),
        score_decimals(found),
        placed,
        experiments.confounds(explainer) if has_accuracy else None,
        experiments.sensitivity(explainer),
        tuple(member.name for member in run.members),
        has_accuracy,
    )
