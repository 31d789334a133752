"""The gate from beginning to end: baseline and candidates in, one result out."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from consensus_onnx.analysis import bounded_mean, committee_place
from consensus_onnx.arrays import Int64Array, UInt8Array
from consensus_onnx.committee import Member
from consensus_onnx.config import to_mapping
from consensus_onnx.config.values import did_you_mean
from consensus_onnx.engine.events import Listener, silent
from consensus_onnx.engine.provenance import software_versions
from consensus_onnx.engine.questioning import Answers, Targets, ask_members
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.errors import ConfigError, ModelError
from consensus_onnx.gate.baseline import Baseline, FrozenExplainer
from consensus_onnx.gate.candidates import (
    Reference,
    declared_in,
    find_reference,
    one_model,
    preprocessing_source,
    with_preprocessing,
)
from consensus_onnx.gate.evidence import (
    Evidence,
    Explained,
    Noise,
    compared,
    explained,
    frozen_noise,
    frozen_reference,
    predicted_noise,
)
from consensus_onnx.gate.filing import file_sha256, read_baseline
from consensus_onnx.gate.freezing import pictures_of
from consensus_onnx.gate.judging import (
    accuracy_check,
    agreement_check,
    place_check,
    precision_check,
    score_check,
    similarity_check,
)
from consensus_onnx.gate.pictures import frozen_canvases
from consensus_onnx.gate.results import CandidateResult, Check, Failed, GateResult, ImageDrift, Standing, Verdict
from consensus_onnx.gate.settings import GateFile
from consensus_onnx.runtime.providers import Provider

_WORST = 4  # pictures shown for each explainer


@dataclass(frozen=True)
class GateRequest:
    """What is asked of the gate beside candidates and baseline.

    Attributes
    ----------
    reference : str or None
        A member of the baseline, or an ONNX file.
    images : Path or None
        Folder of pictures that were frozen by reference.
    preprocessing : Path or None
        YAML that declares the candidates' preprocessing.
    explainers : tuple of str
        Some of the baseline's; empty takes all.
    seed : int or None
        None takes the baseline's: an unchanged model then gives the frozen explanations again.
    provider : str or None
        None takes the baseline's.
    settings : GateFile
        Conditions, processes and limits.
    """

    reference: str | None = None
    images: Path | None = None
    preprocessing: Path | None = None
    explainers: tuple[str, ...] = ()
    seed: int | None = None
    provider: Provider | None = None
    settings: GateFile = field(default_factory=GateFile)


def gate(
    candidates: Sequence[Path], baseline: Path, request: GateRequest | None = None, *, listen: Listener = silent
) -> GateResult:
    """Hold candidates against a baseline.

    Parameters
    ----------
    candidates : sequence of Path
        ONNX files.
    baseline : Path
        What `write_baseline` wrote.
    request : GateRequest, optional
        Reference, conditions and the rest.
    listen : callable
        Is told `Event` objects as work goes on.

    Returns
    -------
    GateResult
        One entry per candidate; one that could not be explained is 'broken', with the reason.

    Raises
    ------
    BaselineError, ConfigError, ImageError
        If baseline, reference, settings or pictures cannot be used.
    ModelError
        If the reference cannot be explained.

    Notes
    -----
    Which class is explained: where the run explained the label, the majority's class or a fixed one, that; where each
    member explained its own prediction, the reference's prediction is explained to candidate and reference alike, so
    that both answer one question (whether they predict alike is a condition of its own). Without a reference the
    candidate explains its own prediction, as the members did among whom it is placed.
    """
    request = request or GateRequest()
    frozen = read_baseline(baseline)
    entries = _chosen(frozen, request.explainers)
    reference = find_reference(request.reference, frozen)
    if reference is None and request.settings.gate.min_score_percentile is None:
        raise ConfigError(
            "nothing would be judged: without --reference only gate.min_score_percentile can be, and that is null; "
            "name a reference or set a percentile"
        )
    seed = frozen.seed if request.seed is None else request.seed
    runtime = frozen.runtime if request.provider is None else replace(frozen.runtime, provider=request.provider)
    settings = AuditSettings(canvas=frozen.canvas, seed=seed, runtime=runtime, engine=request.settings.engine)
    before = [declared_in(one_model(path, frozen.classes), request.preprocessing) for path in candidates]
    with tempfile.TemporaryDirectory(prefix="consensus-onnx-gate-") as scratch:
        canvases = frozen_canvases(frozen, request.images, Path(scratch) / "pictures", settings, listen)
        after = with_preprocessing(before, reference, frozen, settings)
        asked = [reference.member] if reference is not None and reference.member is not None else []
        answers = ask_members(
            Path(scratch) / "answers",
            [*asked, *after],
            pictures_of(frozen, canvases),
            explainers=[entry.explainer for entry in entries],
            settings=settings,
            targets=_targets(frozen, entries, reference),
            listen=listen,
        )
        against = _against(frozen, entries, reference, answers[0] if asked else None)
        found = tuple(
            _one(frozen, entries, canvases, against, old, new, answer, request)
            for old, new, answer in zip(before, after, answers[len(asked) :], strict=True)
        )
    return GateResult(
        baseline=str(baseline),
        baseline_sha256=file_sha256(baseline),
        committee=frozen.committee,
        members=len(frozen.members),
        images=len(frozen.images),
        seed=seed,
        settings=to_mapping(request.settings.gate),
        candidates=found,
        versions=software_versions(),
    )


@dataclass(frozen=True)
class _Against:
    """The reference, explained: by explainer, with its noise, and what it predicts."""

    reference: Reference | None
    explained: dict[str, Explained]
    noise: dict[str, Noise]
    predicted: Int64Array | None
    answers: Answers | None


def _chosen(frozen: Baseline, wanted: Sequence[str]) -> tuple[FrozenExplainer, ...]:
    by_name = {entry.name: entry for entry in frozen.explainers}
    for name in wanted:
        if name not in by_name:
            raise ConfigError(
                f"--explainer: the baseline has no {name!r}{did_you_mean(name, by_name)}; it has {', '.join(by_name)}"
            )
    return tuple(by_name[name] for name in dict.fromkeys(wanted)) or frozen.explainers


def _targets(frozen: Baseline, entries: Sequence[FrozenExplainer], reference: Reference | None) -> Targets:
    shared = frozen.shared_targets
    if shared is None and reference is not None and reference.index is None:
        return "first"
    if shared is None and reference is not None:
        shared = entries[0].targets[reference.index]
        for entry in entries[1:]:  # of one member they differ only where one explanation is missing
            shared = np.maximum(shared, entry.targets[reference.index])
    if shared is None:
        return "own"
    return [None if target < 0 else int(target) for target in shared]


def _against(
    frozen: Baseline, entries: Sequence[FrozenExplainer], reference: Reference | None, answers: Answers | None
) -> _Against:
    found: dict[str, Explained] = {}
    noise: dict[str, Noise] = {}
    predicted = None
    if reference is not None and reference.index is not None:
        index = reference.index
        predicted = frozen.predicted[index]
        for entry in entries:
            if (entry.targets[index] >= 0).any():
                found[entry.name] = frozen_reference(index, entry, frozen)
                noise[entry.name] = frozen_noise(index, entry.reruns)
    elif reference is not None and answers is not None:
        predicted = answers.predicted
        for entry in entries:
            mine = explained(answers, entry, frozen)
            if (mine.targets >= 0).any():
                found[entry.name] = mine
                noise[entry.name] = predicted_noise(answers, entry, mine, frozen)
    if reference is not None and not found:
        why = f": {answers.status}: {answers.reason}" if answers is not None else ""
        raise ModelError(f"--reference {reference.name}: cannot be explained{why}")
    return _Against(reference, found, noise, predicted, answers)


def _one(
    frozen: Baseline,
    entries: Sequence[FrozenExplainer],
    canvases: UInt8Array,
    against: _Against,
    before: Member,
    after: Member,
    answers: Answers,
    request: GateRequest,
) -> CandidateResult:
    reference = against.reference
    member = None if reference is None else reference.index
    evidence = []
    for entry in entries:
        mine = explained(answers, entry, frozen)
        if (mine.targets >= 0).any():
            theirs = against.explained.get(entry.name)
            evidence.append(compared(entry, mine, theirs, against.noise.get(entry.name), member))
    name = str(before.path)
    source = ""
    if answers.facts is not None:
        source = preprocessing_source(before, after, answers.facts.sources, reference, request.preprocessing)
    labels = frozen.labels
    checks = _checks(evidence, answers.predicted, against.predicted, labels, request)
    missing = [entry.name for entry in entries if entry.name not in {one.frozen.name for one in evidence}]
    failures = (*_failed("candidate", answers, frozen), *_failed_reference(against, frozen))
    known = (answers.predicted >= 0) & (labels >= 0)
    verdict, reason = _verdict(checks, failures, missing, answers)
    return CandidateResult(
        candidate=before.name,
        path=name,
        digest=answers.digest,
        verdict=verdict,
        reason=reason,
        reference="" if reference is None else reference.name,
        preprocessing=source,
        targets=_targets_in_words(frozen, reference),
        checks=checks if verdict != "broken" else (),
        standings=tuple(_standing(one, request) for one in evidence),
        agreement=_agreement(answers.predicted, against.predicted),
        accuracy=float(np.mean(answers.predicted[known] == labels[known])) if known.any() else float("nan"),
        reference_accuracy=_accuracy(against.predicted, labels),
        worst=tuple(drift for one in evidence for drift in _worst(one, frozen, canvases, against.predicted)),
        failures=failures,
        notices=tuple(_notices(frozen, evidence, missing, answers, against, request)),
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


def _failed_reference(against: _Against, frozen: Baseline) -> tuple[Failed, ...]:
    return () if against.answers is None else _failed("reference", against.answers, frozen)


def _agreement(predicted: Int64Array, reference: Int64Array | None) -> float:
    if reference is None:
        return float("nan")
    known = (predicted >= 0) & (reference >= 0)
    return float(np.mean(predicted[known] == reference[known])) if known.any() else float("nan")


def _accuracy(predicted: Int64Array | None, labels: Int64Array) -> float:
    known = np.zeros(len(labels), np.bool_) if predicted is None else (predicted >= 0) & (labels >= 0)
    return float(np.mean(predicted[known] == labels[known])) if predicted is not None and known.any() else float("nan")


def _targets_in_words(frozen: Baseline, reference: Reference | None) -> str:
    if frozen.target == "predicted":
        return "its own prediction" if reference is None else "the reference's prediction"
    if isinstance(frozen.target, int):
        return f"class {frozen.target}"
    return {"label": "the label", "majority": "the class most members predict"}[frozen.target]


def _notices(
    frozen: Baseline,
    evidence: Sequence[Evidence],
    missing: Sequence[str],
    answers: Answers,
    against: _Against,
    request: GateRequest,
) -> list[str]:
    notices = []
    for name in missing:
        why = answers.unsupported.get(name, answers.reason)
        notices.append(f"{name}: the candidate has no explanation ({why}); --explainer leaves it out")
    for one in evidence:
        if against.reference is not None and one.frozen.name not in against.explained:
            notices.append(f"{one.frozen.name}: the reference has no explanation; nothing can be compared")
        elif one.reference is not None and all(values is None for values in one.reference.values):
            notices.append(
                f"{one.frozen.name}: the baseline does not hold the reference's explanations; freeze with "
                f"--keep {against.reference.name if against.reference else ''}, or give its file"
            )
    if len(frozen.members) == 1:
        notices.append("the baseline's committee is one model: neither place nor score drop are judged")
    if against.reference is not None and not (frozen.labels >= 0).any():
        notices.append("the baseline's pictures have no labels: accuracy is not judged")
    if request.seed is not None and request.seed != frozen.seed:
        notices.append(f"seed {request.seed}, the baseline's is {frozen.seed}: differences hold the noise of both")
    before, now = frozen.versions, software_versions()
    runtimes = [(name, before.get(name), now.get(name)) for name in ("onnxruntime-gpu", "onnxruntime", "machine")]
    changed = [f"{name} {old or 'none'} then, {new or 'none'} now" for name, old, new in runtimes if old != new]
    if changed:
        notices.append(f"explained by other software than the baseline: {'; '.join(changed)}")
    providers = {member.provider for member in frozen.members}
    if answers.provider and answers.provider not in providers:
        notices.append(f"ran on {answers.provider}, the baseline's members on {', '.join(sorted(providers))}")
    notices += [] if answers.facts is None else answers.facts.notices
    return notices
