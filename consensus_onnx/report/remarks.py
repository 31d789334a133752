"""What a reader must be told in words: a trivial property behind a score, a similarity that contradicts another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis import Confound, RankChange
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.standings import title_of
from consensus_onnx.report.templating import number, p_value, signed

_CONTRADICTS = 0.5  # Spearman's coefficient of two rankings, below which they are no longer the same statement
_TELLING = 0.5  # from here on a correlation with accuracy would be quoted
_FLATTERED = 0.5  # share of the score that shuffling leaves
_INSEPARABLE = 0.8  # correlation of a property with accuracy, from which on holding it fixed leaves little accuracy
_FEWEST = 8  # members below which none of this can be told


@dataclass(frozen=True)
class Remark:
    """A finding that changes how a score is to be read."""

    title: str
    text: str


def remarks(experiments: Experiments) -> tuple[Remark, ...]:
    """Return what this run gives reason to say, explainer by explainer."""
    found: list[Remark] = []
    for explainer in experiments.run.explainers:
        scores = experiments.scores(explainer)
        if np.count_nonzero(np.isfinite(scores)) < _FEWEST:
            continue
        found += [*_trivial(experiments, explainer), *_contradiction(experiments, explainer)]
        found += _shuffling(experiments, explainer)
    return tuple(found)


def _trivial(experiments: Experiments, explainer: str) -> list[Remark]:
    """Name the properties that go with the score more closely than accuracy, or in its place."""
    title = title_of(explainer)
    tested = experiments.confounds(explainer)
    found = []
    for one in tested.each:
        with_score = f"r = {signed(one.with_score.pearson)}, p = {p_value(one.with_score.pearson_p)}"
        with_accuracy = f"r = {signed(tested.plain.pearson)}, p = {p_value(tested.plain.pearson_p)}"
        held = f"r = {signed(one.given.coefficient)}, p = {p_value(one.given.p)}"
        if one.explains_away:
            found.append(
                Remark(
                    f"{title}: {one.name} may explain the score",
                    f"Score and accuracy go together ({with_accuracy}), but with {one.name} held fixed they no longer "
                    f"do beyond chance ({held}); score and {one.name}: {with_score}.{_kin(one)}",
                )
            )
        elif one.outdoes and math.isfinite(tested.plain.pearson):
            found.append(
                Remark(
                    f"{title}: the score follows {one.name}",
                    f"It goes with {one.name} ({with_score}) more closely than with accuracy ({with_accuracy}). "
                    f"With {one.name} held fixed, score and accuracy: {held}.",
                )
            )
    return found


def _kin(one: Confound) -> str:
    """Say when a property goes with accuracy so closely that nothing can tell the two apart."""
    if not abs(one.with_accuracy.pearson) >= _INSEPARABLE:
        return ""
    return f" It goes with accuracy at {signed(one.with_accuracy.pearson)}: these members hardly tell the two apart."


def _contradiction(experiments: Experiments, explainer: str) -> list[Remark]:
    """Say when another form of similarity on the same explanations and the same vote tells another story."""
    changes = experiments.sensitivity(explainer)
    own, title = changes[0], title_of(explainer)
    others = [one for one in changes if one.name.startswith("cosine") and math.isfinite(one.agreement.spearman)]
    other = min(others, key=lambda one: one.agreement.spearman, default=None)
    if other is None or other.agreement.spearman >= _CONTRADICTS:
        return []
    by_rbf = experiments.evidence(explainer).settings.similarity == "rbf"
    used = "RBF" if by_rbf else f"cosine of the {experiments.evidence(explainer).settings.form} weights"
    text = (
        f"The {used} that was used and the {other.name} rank the members differently on the same explanations "
        f"(Spearman {signed(other.agreement.spearman)})."
    )
    if _quotable(own) or _quotable(other):
        text += (
            f" Score and accuracy correlate at {signed(own.accuracy.pearson)} by the one and at "
            f"{signed(other.accuracy.pearson)} by the other."
        )
    if by_rbf:
        text += (
            " The RBF compares values pixel by pixel and so sees how bright and how smooth a scaled map is; the cosine "
            "sees only where it is bright."
        )
    return [Remark(f"{title}: {'RBF and cosine disagree' if by_rbf else 'the form of the cosine decides'}", text)]


def _shuffling(experiments: Experiments, explainer: str) -> list[Remark]:
    """Say when much of the score stays although the place is taken away."""
    scores, shuffled = experiments.scores(explainer), experiments.baselines(explainer).shuffled
    known = np.isfinite(scores) & np.isfinite(shuffled)
    middle, rest = float(np.median(scores[known])), float(np.median(shuffled[known]))
    if not (known.any() and middle > 0 and rest / middle >= _FLATTERED):
        return []
    return [
        Remark(
            f"{title_of(explainer)}: most of the score needs no place",
            f"With its pixels or superpixels shuffled, a member's explanation still scores {number(rest)} where its "
            f"own scores {number(middle)} (medians over members): the larger part of the number does not depend on "
            "where an explanation points.",
        )
    ]


def _quotable(change: RankChange) -> bool:
    return math.isfinite(change.accuracy.pearson) and abs(change.accuracy.pearson) >= _TELLING
