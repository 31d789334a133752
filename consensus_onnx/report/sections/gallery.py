"""What members look at: for a few images the picture, the consensus, and every member's explanation by score."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from consensus_onnx.engine.records import ImageRecord
from consensus_onnx.report.choosing import choose_images, mean_over_members
from consensus_onnx.report.colours import AGAINST_CLASS, FOR_CLASS, HEAT_ANCHORS, hex_colour
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.overlays import heat_density
from consensus_onnx.report.pictures import grey_photograph, outline, overlay, photograph
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.standings import family_slots, score_decimals, standings, title_of

CONSENSUS_SIDE = 160  # shown twice as large as members


@dataclass(frozen=True)
class Cell:
    """One member's explanation of one image."""

    index: int
    name: str
    slot: int
    score: float
    target: int
    other_class: bool
    overlay: Markup


@dataclass(frozen=True)
class Strip:
    """All members' explanations of one image by one explainer, the most agreeing first."""

    title: str
    decimals: int
    agreement: float
    consensus: Markup | None
    mask_ap: float
    cells: tuple[Cell, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class ShownImage:
    """An image with all that is drawn of it."""

    number: int
    record: ImageRecord
    place: str
    width: int
    height: int
    picture: Markup
    grey: Markup
    outline: Markup
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Gallery:
    """The content of this section."""

    images: tuple[ShownImage, ...]
    of: int
    superpixel: tuple[str, ...]
    pixel: tuple[str, ...]
    for_class: str
    against_class: str
    heat: tuple[tuple[str, float], ...]


def build(experiments: Experiments, options: ReportOptions) -> Section | None:
    """Draw the chosen images; None if none is wanted."""
    run = experiments.run
    chosen = choose_images(run, options.images)
    if not chosen:
        return None
    images = tuple(
        _shown(experiments, image, number, _place(number, len(chosen))) for number, image in enumerate(chosen)
    )
    content = Gallery(
        images,
        of=len(run.images),
        superpixel=tuple(title_of(name) for name in run.explainers if run.kind(name) == "superpixel"),
        pixel=tuple(title_of(name) for name in run.explainers if run.kind(name) == "pixel"),
        for_class=hex_colour(FOR_CLASS),
        against_class=hex_colour(AGAINST_CLASS),
        heat=tuple(zip(HEAT_ANCHORS, heat_density(np.linspace(0.0, 1.0, len(HEAT_ANCHORS))).tolist(), strict=True)),
    )
    return Section("gallery", "What they look at", "gallery.html", content)


def _place(number: int, shown: int) -> str:
    """Name the ends and the middle of the order of agreement."""
    if shown < 2:
        return ""
    ends = {0: "most agreement", shown - 1: "least agreement"}
    return ({(shown - 1) // 2: "middle"} | ends).get(number, "")


def _shown(experiments: Experiments, image: int, number: int, place: str) -> ShownImage:
    run = experiments.run
    canvas = run.canvas(image)
    mask = run.mask(image)
    return ShownImage(
        number,
        run.images[image],
        place,
        width=canvas.shape[1],
        height=canvas.shape[0],
        picture=photograph(canvas),
        grey=grey_photograph(canvas),
        outline=Markup() if mask is None else outline(mask),
        strips=tuple(_strip(experiments, explainer, image) for explainer in run.explainers),
    )


def _strip(experiments: Experiments, explainer: str, image: int) -> Strip:
    run, stored = experiments.run, experiments.evidence(explainer).image(image)
    scores, segments = run.scores(explainer)[:, image], stored.segments
    vote = run.consensus(explainer, image)
    slots = family_slots(run)
    cells, absent = [], []
    for index, member in enumerate(run.members):
        if not stored.present[index]:  # its status says why
            absent.append(member.name)
            continue
        target = experiments.targets[explainer, member.name, run.images[image].name]
        cells.append(
            Cell(
                index,
                member.name,
                slots.get(member.family, 0),
                float(scores[index]),
                target,
                target != run.images[image].committee_prediction,
                overlay(stored.values[index], segments),
            )
        )
    cells.sort(key=lambda cell: -cell.score if math.isfinite(cell.score) else math.inf)
    return Strip(
        title_of(explainer),
        score_decimals(standings(run, explainer)),
        float(mean_over_members(scores[:, None])[0]),
        overlay(vote, segments, CONSENSUS_SIDE) if np.isfinite(vote).all() else None,
        float(run.consensus_ap(explainer)[image]),
        tuple(cells),
        tuple(absent),
    )
