"""Last stage: what people read of a run. Cheap, and done anew after every audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from consensus_onnx.analysis import mean_interval
from consensus_onnx.arrays import Float64Array
from consensus_onnx.committee import Committee
from consensus_onnx.config import to_mapping
from consensus_onnx.consensus import member_scores
from consensus_onnx.engine.failures import Failure
from consensus_onnx.engine.folder import write_run_file
from consensus_onnx.engine.images_stage import ImageStage, PreparedImage
from consensus_onnx.engine.member_state import MemberState
from consensus_onnx.engine.provenance import noted_containment, software_versions
from consensus_onnx.engine.records import FailureRow, ImageRecord, MemberRecord, PerImageRow, ScoreRow
from consensus_onnx.engine.scoring import ExplainerResults, score_explainer
from consensus_onnx.engine.seal import seal_folder
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.engine.tables import write_table
from consensus_onnx.explainers import Explainer
from consensus_onnx.images import Item

TABLES = ("committee.csv", "images.csv", "scores.csv", "per_image.csv", "failures.csv")


def write_results(
    store: RunStore,
    identity: Mapping[str, Any],
    committee: Committee,
    states: Sequence[MemberState],
    stage: ImageStage,
    items: Sequence[Item],
    settings: AuditSettings,
    explainers: Sequence[Explainer],
) -> None:
    """Vote, score and write everything a run folder holds beside its explanations."""
    write_run_file(store.folder, {"identity": identity})  # not finished until all of it is written
    score_rows: list[ScoreRow] = []
    unit_rows: list[Iterator[PerImageRow]] = []
    used: dict[str, Any] = {}
    precisions: dict[str, Float64Array] = {}
    for explainer in explainers:
        voting = settings.consensus.superpixel if explainer.kind == "superpixel" else settings.consensus.pixel
        receipts = [
            store.explanation_receipts(explainer.name, state.digest) if state.facts is not None else {}
            for state in states
        ]
        result = score_explainer(store, explainer, states, stage.images, receipts, voting, settings)
        used[explainer.name] = {**to_mapping(voting), "sigma_used": result.sigma, "grid_used": result.grid}
        score_rows += _score_rows(explainer.name, states, result, settings.seed)
        precisions[explainer.name] = result.consensus_ap
        unit_rows.append(_unit_rows(explainer.name, states, stage.images, receipts, result))
    predictions = _committee_predictions(store, states, stage.images)
    write_table(store.folder / "committee.csv", MemberRecord, _member_records(states, stage.images))
    write_table(store.folder / "images.csv", ImageRecord, _image_records(items, stage, predictions, precisions))
    write_table(store.folder / "scores.csv", ScoreRow, score_rows)
    write_table(store.folder / "per_image.csv", PerImageRow, chain.from_iterable(unit_rows))
    write_table(store.folder / "failures.csv", FailureRow, _failure_rows(states, stage.images))
    content = {
        "identity": identity,
        "committee": {"name": committee.name, "classes": _classes(committee, states)},
        "explainers": [explainer.name for explainer in explainers],
        "kinds": {explainer.name: explainer.kind for explainer in explainers},
        "consensus": used,
        "settings": {
            **to_mapping(settings),
            "explainers": [explainer.name for explainer in explainers],
            **{explainer.name: to_mapping(explainer) for explainer in explainers},
        },
        "versions": software_versions(),
        "containment": noted_containment(store),
    }
    write_run_file(store.folder, content)
    seal_folder(store.folder, TABLES)


def _committee_predictions(
    store: RunStore, states: Sequence[MemberState], images: Sequence[PreparedImage]
) -> dict[int, int]:
    """Return the class of the highest mean probability for every row that at least one member predicted."""
    predicting = {image.row: [state for state in states if image.row in state.predicted] for image in images}
    return {
        row: int(np.argmax(np.mean([store.probabilities(state.digest, row) for state in some], axis=0)))
        for row, some in predicting.items()
        if some
    }


def _member_records(states: Sequence[MemberState], images: Sequence[PreparedImage]) -> list[MemberRecord]:
    labelled = [image for image in images if image.item.label is not None]
    records = []
    for state in states:
        status, reason = state.outcome()
        right = [state.predicted[image.row] == image.item.label for image in labelled if image.row in state.predicted]
        facts = state.facts
        records.append(
            MemberRecord(
                name=state.member.name,
                family=state.member.family,
                digest="" if facts is None else state.digest,
                status=status,
                reason=reason,
                accuracy_declared=state.member.accuracy,
                accuracy_measured=float(np.mean(right)) if right else None,
                preprocessing="" if facts is None else facts.preprocessing_source,
                input="" if facts is None else facts.input.describe(),
                output="" if facts is None else facts.output.kind,
                parameters=0 if facts is None else facts.parameters,
                provider=state.provider,
                notices="" if facts is None else " | ".join(facts.notices),
            )
        )
    return records


def _image_records(
    items: Sequence[Item],
    stage: ImageStage,
    predictions: Mapping[int, int],
    precisions: Mapping[str, Float64Array],
) -> list[ImageRecord]:
    prepared = {image.item.name: image for image in stage.images}
    columns = {image.item.name: column for column, image in enumerate(stage.images)}
    records = []
    for item in items:
        image = prepared.get(item.name)
        failure = stage.failures.get(item.name, Failure("ok", ""))
        records.append(
            ImageRecord(
                name=item.name,
                row=-1 if image is None else image.row,
                label=item.label,
                split=item.split or "",
                mask=image is not None and "mask" in image.array_digests,
                segments=0 if image is None else next(iter(image.superpixels.values()), 0),
                committee_prediction=None if image is None else predictions.get(image.row),
                status=failure.status,
                reason=failure.reason,
                digest="" if image is None else image.digest,
                consensus_ap={
                    name: float("nan") if image is None else float(values[columns[item.name]])
                    for name, values in precisions.items()
                },
            )
        )
    return records


def _score_rows(name: str, states: Sequence[MemberState], result: ExplainerResults, seed: int) -> list[ScoreRow]:
    mean, low, high = mean_interval(result.scores, seed=seed)
    others = member_scores(result.leave_one_out)
    precision = member_scores(result.mask_ap)
    counts = np.isfinite(result.scores).sum(axis=1)
    return [
        ScoreRow(
            state.member.name,
            name,
            float(mean[index]),
            float(low[index]),
            float(high[index]),
            float(others[index]),
            float(precision[index]),
            int(counts[index]),
        )
        for index, state in enumerate(states)
    ]


def _unit_rows(
    name: str,
    states: Sequence[MemberState],
    images: Sequence[PreparedImage],
    receipts: Sequence[Mapping[int, Mapping[str, Any]]],
    result: ExplainerResults,
) -> Iterator[PerImageRow]:
    for index, state in enumerate(states):
        for column, image in enumerate(images):
            if image.row not in receipts[index]:
                continue
            receipt = receipts[index][image.row]
            yield PerImageRow(
                member=state.member.name,
                explainer=name,
                image=image.item.name,
                target=receipt["target"],
                predicted=receipt["predicted"],
                probability=receipt["probability"],
                score=float(result.scores[index, column]),
                leave_one_out=float(result.leave_one_out[index, column]),
                mask_ap=float(result.mask_ap[index, column]),
                split_half=_number(receipt["split_half"]),
                r2=_number(receipt["r2"]),
                samples=receipt["samples"],
            )


def _failure_rows(states: Sequence[MemberState], images: Sequence[PreparedImage]) -> list[FailureRow]:
    """Return what single images cost members that are otherwise of use."""
    names = {image.row: image.item.name for image in images}
    return [
        FailureRow(state.member.name, explainer, names[row], failure.status, failure.reason)
        for state in states
        for (explainer, row), failure in sorted(state.failures.items(), key=lambda item: item[0])
    ]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _classes(committee: Committee, states: Sequence[MemberState]) -> int | None:
    if committee.classes is not None:
        return committee.classes
    return next((state.facts.output.classes for state in states if state.facts is not None), None)
