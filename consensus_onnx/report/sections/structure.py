"""Who agrees with whom: similarity of members, families, outliers, and the images they disagree on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis import FamilyLikeness, cluster, family_likeness, mean_similarity, outliers
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.heatmap import Heatmap, lay_out_heatmap
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.standings import family_slots, title_of
from consensus_onnx.report.templating import number, p_value
from consensus_onnx.report.wording import listing

_MOST_LISTED = 200


@dataclass(frozen=True)
class ImageRow:
    """One image and how far members agree on it."""

    name: str
    agreement: float


@dataclass(frozen=True)
class Matrix:
    """One explainer's matrix, what it says, and its images, the least agreed on first."""

    title: str
    plot: Heatmap
    measure: str
    families: str
    outliers: str
    images: tuple[ImageRow, ...]


@dataclass(frozen=True)
class Structure:
    """The content of this section."""

    matrices: tuple[Matrix, ...]
    left_out: int


def build(experiments: Experiments, options: ReportOptions) -> Section | None:
    """Compare members pair by pair; None for fewer than three."""
    matrices = [part for name in experiments.run.explainers if (part := _matrix(experiments, name)) is not None]
    if not matrices:
        return None
    content = Structure(tuple(matrices), max(len(experiments.images) - _MOST_LISTED, 0))
    return Section("structure", "Who agrees with whom?", "structure.html", content)


def _matrix(experiments: Experiments, explainer: str) -> Matrix | None:
    run, found = experiments.run, experiments.structure(explainer)
    order = cluster(found.similarity).members
    if len(order) < 3:
        return None
    slots = family_slots(run)
    names = [member.name for member in run.members]
    title = title_of(explainer)
    plot = lay_out_heatmap(
        found.similarity,
        order,
        names,
        [slots.get(family, 0) for family in experiments.families],
        f"{title}: similarity of the members' explanations, alike members side by side",
    )
    rows = [
        ImageRow(run.images[image].name, float(value))
        for image, value in zip(experiments.images, found.image_agreement, strict=True)
    ]
    rows.sort(key=lambda row: row.agreement if math.isfinite(row.agreement) else math.inf)
    superpixels = run.kind(explainer) == "superpixel"
    measure = "cosine of the magnitudes of superpixel weights" if superpixels else "correlation of maps over pixels"
    return Matrix(
        title,
        plot,
        measure,
        _said_of_families(family_likeness(found.similarity, experiments.families)),
        _said_of_outliers(mean_similarity(found.similarity), names),
        tuple(rows[:_MOST_LISTED]),
    )


def _said_of_families(found: FamilyLikeness) -> str:
    if not math.isfinite(found.p):
        return "There are no two families to compare."
    text = (
        f"Pairs of one family are alike at {number(found.within, 2)}, pairs of two families at "
        f"{number(found.between, 2)} (p = {p_value(found.p)}, families shuffled among members)."
    )
    return text + (
        " Relatives look at the same things." if found.p < 0.05 else " Relatives are not clearly more alike."
    )


def _said_of_outliers(means: np.ndarray, names: list[str]) -> str:
    far = outliers(means)
    if not far:
        return "No member stands far below the others."
    who = listing([f"{names[index]} ({number(float(means[index]), 2)})" for index in far])
    middle = number(float(np.median(means[np.isfinite(means)])), 2)
    return f"Far below the others in mean similarity (median {middle}): {who}."
