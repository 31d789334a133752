"""From one candidate's answers to its result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consensus_onnx.analysis import bounded_mean, committee_place
from consensus_onnx.arrays import Int64Array, UInt8Array
from consensus_onnx.committee import Member
from consensus_onnx.engine.questioning import Answers
from consensus_onnx.gate.baseline import Baseline, FrozenExplainer
from consensus_onnx.gate.candidates import Reference, preprocessing_source
from consensus_onnx.gate.evidence import Evidence, compared, explained
from consensus_onnx.gate.judging import (
    accuracy_check,
    agreement_check,
    place_check,
    precision_check,
    score_check,
    similarity_check,
)
from consensus_onnx.gate.notices import notices_of
from consensus_onnx.gate.referring import Against
from consensus_onnx.gate.request import GateRequest
from consensus_onnx.gate.results import CandidateResult, Check, Failed, ImageDrift, Standing, Verdict

_WORST = 4  # pictures shown for each explainer


def conclude(
    frozen: Baseline,
    entries: Sequence[FrozenExplainer],
    canvases: UInt8Array,
    against: Against,
    declared: Member,
    answers: Answers,
    request: GateRequest,
) -> CandidateResult:
    """Hold one candidate's answers against the baseline and the reference.

    Parameters
    ----------
    frozen : Baseline
        What was frozen.
    entries : sequence of FrozenExplainer
        The explainers that were asked.
    canvases : uint8 (I, H, W, 3)
        The pictures.
    against : Against
        The reference.
    declared : Member
        The candidate as it was declared, before it inherited anything.
    answers : Answers
        What it answered.
    request : GateRequest
        Conditions, and where its preprocessing was given.
    """
    reference = against.reference
    member = None if reference is None else reference.index
    evidence = []
    for entry in entries:
        mine = explained(answers, entry, frozen)
        if (mine.targets >= 0).any():
            theirs = against.explained.get(entry.name)
            evidence.append(compared(entry, mine, theirs, against.noise.get(entry.name), member))
    source = ""
    if answers.facts is not None:
        source = preprocessing_source(declared, answers.member, answers.facts.sources, reference, request.preprocessing)
    labels = frozen.labels
    checks = _checks(evidence, answers.predicted, against.predicted, labels, request)
    missing = [entry.name for entry in entries if entry.name not in {one.frozen.name for one in evidence}]
    failures = _failed("candidate", answers, frozen)
    if against.answers is not None:
        failures += _failed("reference", against.answers, frozen)
    verdict, reason = _verdict(checks, failures, missing, answers)
    return CandidateResult(
        candidate=declared.name,
        path=str(declared.path),
        digest=answers.digest,
        verdict=verdict,
        reason=reason,
        reference="" if reference is None else reference.name,
        preprocessing=source,
        targets=_targets_in_words(frozen, reference),
        checks=checks if verdict != "broken" else (),
        standings=tuple(_standing(one, request) for one in evidence),
        agreement=_share_equal(answers.predicted, against.predicted),
        accuracy=_share_equal(answers.predicted, labels),
        reference_accuracy=_share_equal(labels, against.predicted),
        worst=tuple(drift for one in evidence for drift in _worst(one, frozen, canvases, against.predicted)),
        failures=failures,
        notices=tuple(notices_of(frozen, evidence, missing, answers, against, request)),
    )


def _checks(
    evidence: Sequence[Evidence],
    predicted: Int64Array,
    reference: Int64Array | None,
    labels: Int64Array,
    request: GateRequest,
) -> tuple[Check, ...]:
    settings = request.settings.gate
    found = [
        *(place_check(one, settings) for one in evidence),
        *(score_check(one, settings) for one in evidence),
        *(similarity_check(one, settings) for one in evidence),
        agreement_check(predicted, reference, settings),
        accuracy_check(predicted, reference, labels, settings),
        *(precision_check(one, settings) for one in evidence),
    ]
    return tuple(check for check in found if check is not None)


def _verdict(
    checks: Sequence[Check], failures: Sequence[Failed], missing: Sequence[str], answers: Answers
) -> tuple[Verdict, str]:
    if answers.facts is None or not checks:
        return "broken", f"{answers.status}: {answers.reason}"
    if any(check.status == "failed" for check in checks):
        return "failed", ""
    if failures or missing or answers.status != "ok" or any(check.status == "unjudged" for check in checks):
        return "incomplete", answers.reason
    return "passed", ""


def _standing(evidence: Evidence, request: GateRequest) -> Standing:
    level = request.settings.gate.level
    score = bounded_mean(evidence.candidate.scores, level=level)
    place = committee_place(evidence.candidate.scores, evidence.committee, level=level)
    reference = evidence.reference
    return Standing(
        explainer=evidence.frozen.name,
        score=score.mean,
        score_low=score.low,
        score_high=score.high,
        percentile=place.percentile,
        percentile_low=place.low,
        percentile_high=place.high,
        members=place.members,
        reference_score=float("nan") if reference is None else bounded_mean(reference.scores).mean,
        similarity=bounded_mean(evidence.similarities).mean,
        mask_ap=bounded_mean(evidence.candidate.mask_ap).mean,
        reference_mask_ap=float("nan") if reference is None else bounded_mean(reference.mask_ap).mean,
        split_half=bounded_mean(evidence.candidate.split_half).mean,
        reference_split_half=float("nan") if reference is None else bounded_mean(reference.split_half).mean,
        reruns="" if evidence.noise is None else evidence.noise.source,
    )


def _worst(
    evidence: Evidence, frozen: Baseline, canvases: UInt8Array, reference_predicted: Int64Array | None
) -> list[ImageDrift]:
    """Return the pictures on which both are furthest apart; without a reference, those with the lowest score."""
    reference, mine = evidence.reference, evidence.candidate
    order = evidence.similarities if reference is not None else mine.scores
    drifts: list[ImageDrift] = []
    for column in np.argsort(order, kind="stable").tolist():
        own = mine.values[column]
        if len(drifts) == _WORST or own is None or not np.isfinite(order[column]):
            break
        segments = frozen.segments.get(evidence.frozen.name)
        drifts.append(
            ImageDrift(
                image=frozen.images[column].name,
                explainer=evidence.frozen.name,
                similarity=float(evidence.similarities[column]),
                score=float(mine.scores[column]),
                reference_score=float("nan") if reference is None else float(reference.scores[column]),
                target=int(mine.targets[column]),
                predicted=int(mine.predicted[column]),
                reference_predicted=-1 if reference_predicted is None else int(reference_predicted[column]),
                canvas=canvases[column],
                segments=None if segments is None else segments[column],
                candidate=own,
                reference=None if reference is None else reference.values[column],
                consensus=evidence.frozen.consensus[column],
            )
        )
    return drifts


def _failed(model: str, answers: Answers, frozen: Baseline) -> tuple[Failed, ...]:
    return tuple(
        Failed(model, explainer, frozen.images[row].name, failure.status, failure.reason)
        for (explainer, row), failure in sorted(answers.failures.items(), key=lambda item: item[0])
        if row >= 0
    )


def _share_equal(first: Int64Array, second: Int64Array | None) -> float:
    """Return how often two classes are the same where both are known (not -1); nan where none are."""
    if second is None:
        return float("nan")
    known = (first >= 0) & (second >= 0)
    return float(np.mean(first[known] == second[known])) if known.any() else float("nan")


def _targets_in_words(frozen: Baseline, reference: Reference | None) -> str:
    if frozen.target == "predicted":
        return "its own prediction" if reference is None else "the reference's prediction"
    if isinstance(frozen.target, int):
        return f"class {frozen.target}"
    return {"label": "the label", "majority": "the class most members predict"}[frozen.target]
