"""The paper's numbers beside those of a run, with what differs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from consensus_onnx.analysis import ScoreCorrelation, converged_at, correlate
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.standings import title_of
from consensus_onnx.report.templating import number, percent, signed

_NOT_RUN = "not in this run"
_LIME, _SMOOTHGRAD = "lime", "smoothgrad"


@dataclass(frozen=True)
class Line:
    """One number of the paper and the run's.

    Attributes
    ----------
    where, what : str
        Figure, table or section of the paper; the quantity.
    paper, here : str
        Either value, with its interval where there is one.
    verdict : str
        How the two compare, or why there is nothing to compare.
    """

    where: str
    what: str
    paper: str
    here: str
    verdict: str


def reproduction(experiments: Experiments) -> tuple[Line, ...]:
    """Return one line for every number of the paper.

    Intervals of the run are bootstraps over images and members together: what another draw of both could have given.
    """
    both = (_LIME, _SMOOTHGRAD)
    lines = []
    for explainer, value, agreed in ((_LIME, 0.9275, 0.704), (_SMOOTHGRAD, 0.9158, 0.818)):
        what = f"accuracy and {title_of(explainer)} mask AP, Pearson"
        lines.append(_correlation(experiments, explainer, "Fig. 4", what, {"CUB": value}, _accuracy_masks))
        lines.append(_consensus_ap(experiments, explainer, agreed))
    lines.append(_ensemble(experiments))
    for explainer, where, imagenet, cub in (
        (_LIME, "Fig. 5 a, d", 0.8090, 0.9076),
        (_SMOOTHGRAD, "Fig. 5 b, e", 0.7827, 0.8800),
    ):
        what = f"accuracy and {title_of(explainer)} score, Pearson"
        papers = {"ImageNet": imagenet, "CUB": cub}
        lines.append(_correlation(experiments, explainer, where, what, papers, _accuracy))
    lines.append(_between(experiments))
    lines += [_size(experiments, explainer) for explainer in both]
    others = {"Cars 196": 0.9522, "Flowers 102": 0.8785, "Foods 101": 0.9134}
    what = "accuracy and LIME score, other data sets, Pearson"
    lines.append(_correlation(experiments, _LIME, "Fig. 7", what, others, _accuracy))
    for explainer, value, caption in ((_LIME, 0.9548, 0.885), (_SMOOTHGRAD, 0.9343, 0.906)):
        what = f"{title_of(explainer)} score and mask AP, Pearson"
        papers = {f"CUB, Table 2 (caption: {caption})": value}
        lines.append(_correlation(experiments, explainer, "Fig. 8", what, papers, _score_masks))
    lines += [_family(experiments, explainer) for explainer in both]
    lines += [_cross(experiments, explainer) for explainer in both]
    what = "ranks of 5 models: Network Dissection, user study, consensus"
    lines.append(Line("Table 1", what, "nearly the same order", _NOT_RUN, "needs scores: report --external"))
    return tuple(lines)


def samples_in_words(settings: Mapping[str, Any]) -> str:
    """Say how many samples an explainer's stored settings ask for."""
    if "samples" not in settings:
        return "its own settings"
    if settings["samples"] == "auto":
        stop = settings["auto"]
        return f"samples until halves agree to {stop['agreement']}, at most {stop['most']}"
    return f"{settings['samples']} samples"


def differences(experiments: Experiments) -> tuple[str, ...]:
    """Return in words what differs between the paper's set-up and the run's."""
    run = experiments.run
    sides = sorted({member.input.split()[0] for member in run.members if member.input})
    labelled = sum(image.label is not None for image in run.images)
    masked = sum(image.mask for image in run.images)
    found = [
        f"members: {int(sum(bool(member.digest) for member in run.members))} here; 81 (ImageNet) and 85 (CUB) there",
        f"images: {len(run.images)} here, {labelled} labelled, {masked} with masks; whole validation sets there",
        f"input sizes: {', '.join(sides)} here; 224x224 only there",
    ]
    for explainer in run.explainers:
        used, made = run.settings["consensus"][explainer], run.settings["settings"].get(explainer, {})
        samples = samples_in_words(made)
        if run.kind(explainer) == "superpixel":
            found.append(
                f"{title_of(explainer)}: {samples}, cosine of the {used['form']} weights; the paper does not say which "
                "form enters the cosine"
            )
        else:
            sigma = used["sigma_used"]
            how = "cosine" if sigma is None else f"RBF with sigma {number(float(sigma), 2)}"
            found.append(
                f"{title_of(explainer)}: {samples}, {how} on a grid of {used['grid_used']}; the paper gives no sigma "
                "and compares at 224, so its scores are on another scale"
            )
    return tuple(found)


def _accuracy(experiments: Experiments, explainer: str) -> ScoreCorrelation:
    return experiments.against_accuracy(explainer)


def _accuracy_masks(experiments: Experiments, explainer: str) -> ScoreCorrelation:
    return experiments.accuracy_against_masks(explainer)


def _score_masks(experiments: Experiments, explainer: str) -> ScoreCorrelation:
    return experiments.against_masks(explainer)


def _correlation(
    experiments: Experiments,
    explainer: str,
    where: str,
    what: str,
    papers: dict[str, float],
    measure: Callable[[Experiments, str], ScoreCorrelation],
) -> Line:
    paper = ", ".join(f"{number(value)} {name}" for name, value in papers.items())
    if explainer not in experiments.run.explainers:
        return Line(where, what, paper, _NOT_RUN, f"audit with {explainer}")
    found = measure(experiments, explainer)
    point = found.over_members
    if not math.isfinite(point.pearson):
        masks = measure is not _accuracy and not np.isfinite(experiments.run.mask_ap(explainer)).any()
        return Line(where, what, paper, _NOT_RUN, "needs object masks" if masks else "needs three accuracies or more")
    here = f"{signed(point.pearson)} ({point.n} members)"
    if not math.isfinite(found.both_low):
        return Line(where, what, paper, here, "one image: no interval")
    here = f"{signed(point.pearson)} [{signed(found.both_low)}, {signed(found.both_high)}] ({point.n} members)"
    values = list(papers.values())
    return Line(where, what, paper, here, _compared(found.both_low, found.both_high, min(values), max(values)))


def _compared(low: float, high: float, least: float, most: float) -> str:
    """Say where an interval lies beside the paper's values."""
    if low <= 0 <= high:
        return "undecided: the interval holds 0"
    if high < 0:
        return "contradicts: negative here"
    if high < least:
        return "same sign, weaker"
    if low > most:
        return "same sign, stronger"
    return "agrees within the interval"


def _between(experiments: Experiments) -> Line:
    where, what, paper = "Fig. 5 c, f", "LIME score and SmoothGrad score, Pearson", "0.826 ImageNet, 0.853 CUB"
    if not {_LIME, _SMOOTHGRAD} <= set(experiments.run.explainers):
        return Line(where, what, paper, _NOT_RUN, "audit with both explainers")
    found = correlate(experiments.scores(_LIME), experiments.scores(_SMOOTHGRAD))
    if not math.isfinite(found.pearson):
        return Line(where, what, paper, _NOT_RUN, "needs three members or more")
    here = f"{signed(found.pearson)} [{signed(found.ci_low)}, {signed(found.ci_high)}] ({found.n} members)"
    return Line(where, what, paper, here, _compared(found.ci_low, found.ci_high, 0.826, 0.853))


def _consensus_ap(experiments: Experiments, explainer: str, value: float) -> Line:
    what = f"mask AP of the {title_of(explainer)} consensus, and members below it"
    paper = f"{number(value)}, 85 of 85"
    if explainer not in experiments.run.explainers:
        return Line("Fig. 4", what, paper, _NOT_RUN, f"audit with {explainer}")
    found = experiments.objects(explainer)
    if not found.images:
        return Line("Fig. 4", what, paper, _NOT_RUN, "needs object masks")
    members = found.members[:, 0][np.isfinite(found.members[:, 0])]
    below = int((members < found.consensus[0]).sum())
    here = f"{number(float(found.consensus[0]))}, {below} of {members.size}"
    if below == members.size:
        return Line("Fig. 4", what, paper, here, "agrees: above every member")
    return Line("Fig. 4", what, paper, here, "above most members" if 2 * below > members.size else "contradicts")


def _ensemble(experiments: Experiments) -> Line:
    what, paper = "accuracy of the committee, averaged and voted", "85.9 %, best member 83.4 % (CUB)"
    found = experiments.ensemble
    if not found.images:
        return Line("Fig. 4", what, paper, _NOT_RUN, "needs labels")
    best = float(found.members.max())
    here = f"{percent(found.averaged)}, {percent(found.voted)}, best member {percent(best)} ({found.images} images)"
    above = "agrees: above every member" if found.averaged > best else "not above the best member"
    return Line("Fig. 4", what, paper, here, above)


def _size(experiments: Experiments, explainer: str) -> Line:
    what = f"members at which AP of the {title_of(explainer)} consensus has converged"
    paper = "about 15 of 85"
    found = experiments.convergence(explainer) if explainer in experiments.run.explainers else None
    if found is None:
        return Line("Fig. 6", what, paper, _NOT_RUN, "needs three members or more")
    full = found.sizes[-1]
    reached = converged_at(found)
    if reached is None:
        near = [size for size, value in zip(found.sizes, found.to_full.mean, strict=True) if value >= 0.95]
        here = f"r = 0.95 with the full consensus at {near[0]} of {full}" if near else _NOT_RUN
        return Line("Fig. 6", what, paper, here, "another measure: no object masks")
    verdict = "no plateau before the full committee" if reached == full else "agrees: a plateau"
    return Line("Fig. 6", what, paper, f"{reached} of {full} (within 0.01)", verdict)


def _cross(experiments: Experiments, explainer: str) -> Line:
    what = f"{title_of(explainer)} scores of one family with other members, Pearson"
    paper = "0.96 ± 0.04"
    found = experiments.cross_committee(explainer) if explainer in experiments.run.explainers else None
    if found is None or not math.isfinite(found.mean):
        return Line("4.5", what, paper, _NOT_RUN, "needs a family of four and others")
    here = f"{number(found.mean, 2)} ± {number(found.deviation, 2)} ({len(found.targets)} members)"
    return Line("4.5", what, paper, here, "agrees" if abs(found.mean - 0.96) <= 2 * 0.04 else "weaker")


def _family(experiments: Experiments, explainer: str) -> Line:
    what = f"ranking of a family by {title_of(explainer)}, by all and by itself"
    paper = "ranking agrees (16 ResNets)"
    found = experiments.by_family(explainer) if explainer in experiments.run.explainers else ()
    if not found:
        return Line("Fig. 9", what, paper, _NOT_RUN, "needs a family of four")
    here = ", ".join(f"Spearman {number(one.found.spearman, 2)} ({one.family}, {one.found.n})" for one in found[:3])
    worst = min(one.found.spearman for one in found)
    return Line(
        "Fig. 9", what, paper, here, "agrees" if worst >= 0.8 else "agrees in part" if worst > 0 else "contradicts"
    )
