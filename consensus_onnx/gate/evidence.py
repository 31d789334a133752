"""Everything measured of one candidate and one explainer, image by image; nothing is judged yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array, Int64Array
from consensus_onnx.engine.questioning import Answers
from consensus_onnx.gate.baseline import Baseline, FrozenExplainer, Reruns
from consensus_onnx.gate.freezing import DRAWS
from consensus_onnx.gate.scoring import likeness, on_grid, precision


@dataclass(frozen=True)
class Explained:
    """One model's explanations against what is frozen.

    Attributes
    ----------
    values : tuple of arrays (K,) or (g, g)
        On the grid, one per picture; None where there is none.
    scores, mask_ap, split_half : float64 (I,)
        nan where there is none.
    targets, predicted : int64 (I,)
        Class explained, own top-1; -1 where unknown.
    """

    values: tuple[AnyArray | None, ...]
    scores: Float64Array
    mask_ap: Float64Array
    split_half: Float64Array
    targets: Int64Array
    predicted: Int64Array


@dataclass(frozen=True)
class Noise:
    """Reruns of an unchanged model: what it would show with other random numbers.

    Attributes
    ----------
    source : str
        'measured' or 'predicted'.
    scores, similarities, mask_ap : float64 (R, I)
        Of each rerun on each picture.
    """

    source: str
    scores: Float64Array
    similarities: Float64Array
    mask_ap: Float64Array


@dataclass(frozen=True)
class Evidence:
    """A candidate, its reference and the noise, for one explainer.

    Attributes
    ----------
    frozen : FrozenExplainer
        What they are held against.
    candidate : Explained
        The candidate.
    reference : Explained or None
        The reference, where there is one.
    noise : Noise or None
        Of the reference.
    similarities : float64 (I,)
        Cosine of both explanations; nan where one is missing, or they explain different classes.
    committee : float64 (M', I)
        Scores of the members the candidate's are placed among.
    """

    frozen: FrozenExplainer
    candidate: Explained
    reference: Explained | None
    noise: Noise | None
    similarities: Float64Array
    committee: Float64Array


def explained(answers: Answers, entry: FrozenExplainer, baseline: Baseline) -> Explained:
    """Hold a model's answers against the frozen consensus and masks."""
    count = len(baseline.images)
    values: list[AnyArray | None] = []
    numbers = np.full((3, count), np.nan)
    targets = np.full(count, -1, np.int64)
    for column in range(count):
        found = answers.explanation(entry.name, column)
        if found is None:
            values.append(None)
            continue
        one = on_grid(found.values, entry.grid)
        values.append(one)
        targets[column] = found.target
        yardstick = entry.yardstick(column, baseline.mask(column))
        precise = precision(one, found.segments, yardstick.mask)
        numbers[:, column] = yardstick.score(one), precise, found.error.split_half
    scores, mask_ap, split_half = numbers
    return Explained(tuple(values), scores, mask_ap, split_half, targets, answers.predicted)


def frozen_reference(index: int, entry: FrozenExplainer, baseline: Baseline) -> Explained:
    """Return a member of the baseline as a reference; what was not kept of it is None."""
    count = len(baseline.images)
    kept = entry.explanations.get(baseline.members[index].name, (np.zeros(0),) * count)
    scores = entry.scores[index].copy()
    for column, values in enumerate(kept):
        if values.size:  # anew, so that an unchanged candidate's score is the same to the last bit
            scores[column] = entry.yardstick(column, None).score(values)
    return Explained(
        tuple(values if values.size else None for values in kept),
        scores,
        entry.mask_ap[index],
        entry.split_half[index],
        entry.targets[index],
        baseline.predicted[index],
    )


def frozen_noise(index: int, reruns: Reruns) -> Noise:
    """Return the reruns of a member of the baseline."""
    return Noise(reruns.source, reruns.scores[:, index], reruns.similarities[:, index], reruns.mask_ap[:, index])


def predicted_noise(answers: Answers, entry: FrozenExplainer, reference: Explained, baseline: Baseline) -> Noise:
    """Draw reruns of a reference file from its explanations' own standard errors."""
    found = np.full((3, DRAWS, len(baseline.images)), np.nan)
    channels = 3 if answers.facts is None else answers.facts.input.channels
    for column, values in enumerate(reference.values):
        explanation = answers.explanation(entry.name, column)
        if explanation is None or values is None:
            continue
        yardstick = entry.yardstick(column, baseline.mask(column))
        found[:, :, column] = yardstick.drawn(explanation, DRAWS, column, channels)
    scores, similarities, mask_ap = found
    return Noise("predicted", scores, similarities, mask_ap)


def compared(
    entry: FrozenExplainer,
    candidate: Explained,
    reference: Explained | None,
    noise: Noise | None,
    member: int | None,
) -> Evidence:
    """Put candidate and reference side by side.

    Parameters
    ----------
    entry : FrozenExplainer
        What both were held against.
    candidate, reference, noise
        As in `Evidence`.
    member : int, optional
        Index of the reference among the members. The candidate then stands in its place: it is placed among the
        others by scores against the vote of all, in which each has its own share. Without, the members' scores
        against the votes of the others are compared with, since the candidate has no share in the vote either.
    """
    count = len(entry.consensus)
    similarities = np.full(count, np.nan)
    if reference is not None:
        for column, (own, other) in enumerate(zip(candidate.values, reference.values, strict=True)):
            same = candidate.targets[column] == reference.targets[column]
            if own is not None and other is not None and same:
                similarities[column] = likeness(own, other)
    committee = entry.leave_one_out if member is None else np.delete(entry.scores, member, axis=0)
    return Evidence(entry, candidate, reference, noise, similarities, committee)
