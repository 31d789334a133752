"""What a reader must know before quoting a number of this run: one rule, one caveat."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

from consensus_onnx.analysis import correlate
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.remarks import remarks
from consensus_onnx.report.section import ReportOptions, Section
from consensus_onnx.report.standings import Standing, accuracies, standings, title_of
from consensus_onnx.report.templating import count, number
from consensus_onnx.report.wording import FEW_MEMBERS, coefficient, listing

FEW_IMAGES = 30
RELIABLE = 0.8  # split-half correlation below which an explanation is largely noise of its own sampling
TELLING = 0.5  # correlation from which on brightness is worth a sentence

Rule: TypeAlias = Callable[[Experiments], "Sequence[Caveat]"]


@dataclass(frozen=True)
class Caveat:
    """A warning: what it is about, and what follows."""

    title: str
    text: str


@dataclass(frozen=True)
class Caveats:
    """The content of this section."""

    caveats: tuple[Caveat, ...]


def build(experiments: Experiments, options: ReportOptions) -> Section | None:
    """Apply every rule; None where nothing speaks against the numbers."""
    found = [caveat for rule in RULES for caveat in rule(experiments)]
    return Section("caveats", "Before you quote a number", "caveats.html", Caveats(tuple(found))) if found else None


def few_images(experiments: Experiments) -> list[Caveat]:
    """Warn where the order of members rests on few images, and say how many could change places."""
    run = experiments.run
    if len(run.images) >= FEW_IMAGES:
        return []
    images = count(len(run.images), "image")
    if len(run.images) == 1:
        return [Caveat("One image", "A score from a single image has no interval: it tells how this image went.")]
    parts = [part for explainer in run.explainers if (part := _overlaps(standings(run, explainer), explainer))]
    text = f"Scores are means over {images}; others would reorder members that lie close together. " + " ".join(parts)
    return [Caveat("Few images", text.strip())]


def few_members(experiments: Experiments) -> list[Caveat]:
    """Warn where members make up a good part of the consensus they are compared with."""
    run = experiments.run
    voters = max((sum(entry.scored for entry in standings(run, name)) for name in run.explainers), default=0)
    if voters >= FEW_MEMBERS:
        return []
    if voters < 2:
        return [Caveat("No committee", "With a single member the consensus is that member: its scores mean nothing.")]
    share = f"1/{voters}"
    return [
        Caveat(
            "Few members",
            f"Each of {voters} members is {share} of the consensus it is compared with, which raises its score; read "
            "the column “without itself”. Correlations over so few members are hardly known.",
        )
    ]


def brightness_of_maps(experiments: Experiments) -> list[Caveat]:
    """Warn that the RBF may see brightness instead of place, with the correlation found in this run."""
    run = experiments.run
    return [
        _brightness(experiments, explainer)
        for explainer in run.explainers
        if run.kind(explainer) == "pixel" and run.settings["consensus"][explainer]["similarity"] == "rbf"
    ]


def unreliable_explanations(experiments: Experiments) -> list[Caveat]:
    """Warn of explainers whose two halves of samples disagree."""
    run = experiments.run
    caveats = []
    for explainer in run.explainers:
        halves = [row.split_half for row in run.per_image_rows if row.explainer == explainer]
        known = [value for value in halves if math.isfinite(value)]
        if known and median(known) < RELIABLE:
            caveats.append(
                Caveat(
                    f"{title_of(explainer)} repeats poorly",
                    f"Explanations from either half of the samples correlate at {number(median(known), 2)} (median of "
                    f"{len(known)}): part of each explanation is chance, which lowers scores. More samples help.",
                )
            )
        elif halves and not known:
            caveats.append(
                Caveat(
                    f"{title_of(explainer)}: repeatability unknown",
                    "Half the samples do not suffice for an explanation, so their agreement could not be measured.",
                )
            )
    return caveats


def trivial_scores(experiments: Experiments) -> list[Caveat]:
    """Say what else goes with the score, and where another similarity says otherwise."""
    return [Caveat(remark.title, remark.text) for remark in remarks(experiments)]


def coarse_accuracy(experiments: Experiments) -> list[Caveat]:
    """Warn where accuracies rest on few labels and nobody declared finer ones."""
    run = experiments.run
    known = accuracies(run)
    if known.source not in ("measured", "mixed") or not known.coarse:
        return []
    off = 100 * math.sqrt(0.25 / max(known.labelled, 1))
    images = count(known.labelled, "labelled image")
    text = f"Accuracy is measured on {images}: each is known to about ±{off:.0f} points (one standard error) at worst."
    return [Caveat("Coarse accuracies", text)]


def relatives(experiments: Experiments) -> list[Caveat]:
    """Warn where one family casts more than a third of equal votes."""
    run = experiments.run
    equal = [name for name in run.explainers if run.settings["consensus"][name].get("weighting", "equal") == "equal"]
    sizes = Counter(member.family for member in run.members if member.family and member.status == "ok")
    if not equal or not sizes:
        return []
    family, size = max(sizes.items(), key=lambda item: (item[1], item[0]))
    if size < 3 or 3 * size < sizes.total():
        return []
    return [
        Caveat(
            "Relatives vote alike",
            f"{size} of {sizes.total()} members are {family}: the consensus leans to what they share. "
            "The setting weighting = family gives every family one vote instead.",
        )
    ]


def assumed_preprocessing(experiments: Experiments) -> list[Caveat]:
    """Warn of members whose preprocessing nobody stated."""
    run = experiments.run
    assumed = [member.name for member in run.members if "convention" in member.preprocessing]
    if not assumed:
        return []
    text = (
        f"For {listing(assumed)} the usual ImageNet preprocessing was assumed in part. A wrong one costs accuracy and "
        "moves explanations: compare the accuracy with the published one."
    )
    return [Caveat("Assumed preprocessing", text)]


RULES: tuple[Rule, ...] = (
    few_images,
    few_members,
    brightness_of_maps,
    unreliable_explanations,
    coarse_accuracy,
    trivial_scores,
    relatives,
    assumed_preprocessing,
)


def _overlaps(found: Sequence[Standing], explainer: str) -> str:
    scored = [entry for entry in found if entry.scored and math.isfinite(entry.row.ci_high)]
    if len(scored) < 2:
        return ""
    reaching = sum(entry.row.ci_high >= scored[0].row.ci_low for entry in scored[1:])
    if not reaching:
        return f"{title_of(explainer)}: no interval reaches that of the first member."
    reach = "interval reaches" if reaching == 1 else "intervals reach"
    return f"{title_of(explainer)}: {reaching} of the other {len(scored) - 1} {reach} that of the first member."


def _brightness(experiments: Experiments, explainer: str) -> Caveat:
    title = title_of(explainer)
    found = correlate(experiments.properties(explainer).brightness, experiments.scores(explainer))
    text = (
        "The RBF compares maps pixel by pixel after scaling each to 0..1, so a map that is brighter or smoother than "
        "the others is far from the consensus wherever it looks."
    )
    if math.isfinite(found.pearson):
        text += f" In this run score and mean brightness of a member's maps correlate at {coefficient(found)}."
        if found.n >= FEW_MEMBERS and abs(found.pearson) >= TELLING and not found.ci_low <= 0 <= found.ci_high:
            text += " So the score is not agreement about place alone."
    return Caveat(f"{title} scores may reflect brightness", text)
