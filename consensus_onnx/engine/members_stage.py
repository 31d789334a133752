"""Second stage: every member predicts and explains every picture; only what is missing is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from consensus_onnx.committee import ModelFacts
from consensus_onnx.engine.events import Listener, MemberFinished, MemberStarted, Planned, UnitDone
from consensus_onnx.engine.folder import explainer_identity
from consensus_onnx.engine.images_stage import PreparedImage
from consensus_onnx.engine.jobs import MemberJob
from consensus_onnx.engine.keys import unit_key
from consensus_onnx.engine.member_state import MemberState
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.engine.supervisor import Limits, Script, Task, WorkerError, run_tasks, threads_per_worker
from consensus_onnx.engine.wire import Message
from consensus_onnx.explainers import Explainer
from consensus_onnx.runtime import RuntimeSettings, runtime_version

TargetOf: TypeAlias = Callable[[MemberState, PreparedImage], int]

_PREDICTED_TOGETHER = 16  # pictures per command: enough to make the round trip cheap


@dataclass(frozen=True)
class MembersStage:
    """What all member scripts share.

    Attributes
    ----------
    store, settings, explainers, images, listen
        Of the audit.
    """

    store: RunStore
    settings: AuditSettings
    explainers: tuple[Explainer, ...]
    images: tuple[PreparedImage, ...]
    listen: Listener

    def recall(self, state: MemberState) -> None:
        """Take a member's facts from an earlier opening of the same file with the same declarations."""
        receipt = self.store.journal("members").read().get(self._declared_digest(state))
        if receipt is not None and receipt["runtime"] == self._runtime_identity():
            state.facts, state.provider = ModelFacts.from_json(receipt["facts"]), receipt["provider"]

    def open_members(self, states: Sequence[MemberState]) -> None:
        """Open every member whose facts are not known."""
        self._run(state for state in states if state.alive and state.facts is None)

    def predict(self, states: Sequence[MemberState]) -> None:
        """Open and predict what is missing, explain nothing."""
        self._run((state for state in states if self._lacks_predictions(state)), predict=True)

    def explain(self, states: Sequence[MemberState], target_of: TargetOf) -> None:
        """Open, predict and explain what is missing."""
        total = sum(state.alive for state in states) * len(self.images) * len(self.explainers)
        lacking = [state for state in states if state.alive]
        missing = {id(state): list(self._missing_units(state, target_of)) for state in lacking if self._known(state)}
        reused = sum(len(self.images) * len(self.explainers) - len(units) for units in missing.values())
        self.listen(Planned(total, reused))
        self._run(
            (state for state in lacking if not self._known(state) or missing[id(state)]),
            predict=True,
            target_of=target_of,
        )

    def _run(
        self, states: Iterator[MemberState] | Any, predict: bool = False, target_of: TargetOf | None = None
    ) -> None:
        workers = self.settings.engine.workers
        threads = self.settings.runtime.threads or threads_per_worker(workers)
        runtime = replace(self.settings.runtime, threads=threads)
        limits = Limits(self.settings.engine.opening_seconds, self.settings.engine.command_seconds)
        tasks = (
            Task(
                MemberJob(state.member, runtime, self.explainers, self.settings.seed, self.store.folder),
                self._script(state, predict, target_of),
            )
            for state in states
        )
        run_tasks(tasks, workers, limits)

    def _script(self, state: MemberState, predict: bool, target_of: TargetOf | None) -> Script:
        """Open, then predict and explain what is missing; any failure of the worker is the member's."""
        began = time.monotonic()
        self.listen(MemberStarted(state.member.name))
        try:
            opening = yield {}
            self._take_opening(state, opening)
            if state.alive and predict:
                yield from self._predict(state)
            if state.alive and target_of is not None:
                yield from self._explain(state, target_of)
        except WorkerError as failure:
            state.status, state.reason = failure.status, str(failure)
        if target_of is not None or not state.alive:
            self.listen(MemberFinished(state.member.name, *state.outcome(), time.monotonic() - began))

    def _take_opening(self, state: MemberState, opening: Message) -> None:
        error = opening.header.get("error")
        if error is not None:
            state.status, state.reason = "load_error", error["text"]
            return
        state.facts = ModelFacts.from_json(opening.header["facts"])
        state.provider = opening.header["provider"]
        receipt = {
            "facts": state.facts.to_json(),
            "provider": state.provider,
            "runtime": self._runtime_identity(),
        }
        journal, unit = self.store.journal("members"), self._declared_digest(state)
        before = journal.read().get(unit, {})
        if {key: before.get(key) for key in receipt} != _as_stored(receipt):
            journal.append(unit, receipt)

    def _predict(self, state: MemberState) -> Script:
        missing = self._missing_predictions(state)
        for start in range(0, len(missing), _PREDICTED_TOGETHER):
            images = missing[start : start + _PREDICTED_TOGETHER]
            answer = yield {"do": "predict", "images": [image.row for image in images]}
            error = answer.header.get("error")
            if error is not None:
                state.status, state.reason = "run_error", error["text"]
                return
            rows = answer.arrays["probabilities"]
            if (
                rows.shape != (len(images), state.facts.output.classes if state.facts else 0)
                or not np.isfinite(rows).all()
            ):
                raise WorkerError("bad_output", f"its probabilities have shape {rows.shape} or are not finite")
            for image, row in zip(images, rows, strict=True):
                self.store.commit_prediction(state.digest, image.row, self._prediction_key(state, image), row)
        receipts = self.store.prediction_receipts(state.digest)
        state.predicted = {image.row: receipts[image.row]["predicted"] for image in self.images}

    def _explain(self, state: MemberState, target_of: TargetOf) -> Script:
        for explainer, image, target, key in list(self._missing_units(state, target_of)):
            if explainer.name in state.unsupported:
                continue
            began = time.monotonic()
            answer = yield {"do": "explain", "explainer": explainer.name, "image": image.row, "target": target}
            error = answer.header.get("error")
            if error is not None and error["unsupported"]:
                state.unsupported[explainer.name] = error["text"]
            elif error is not None:
                state.failures[explainer.name, image.row] = error["text"]
            else:
                _check_explanation(explainer, answer, image)
                content = {"key": key, **answer.header}
                self.store.commit_explanation(explainer.name, state.digest, image.row, content, answer.arrays)
                pictures, seconds = answer.header["samples"], time.monotonic() - began
                self.listen(UnitDone(state.member.name, explainer.name, image.item.name, pictures, seconds))

    # -- what is missing ------------------------------------------------------------------------------------------

    def _known(self, state: MemberState) -> bool:
        """Whether all of a member's predictions are there, so that its units can be planned without it."""
        if state.facts is None or self._missing_predictions(state):
            return False
        receipts = self.store.prediction_receipts(state.digest)
        state.predicted = {image.row: receipts[image.row]["predicted"] for image in self.images}
        return True

    def _lacks_predictions(self, state: MemberState) -> bool:
        return state.alive and not self._known(state)

    def _missing_predictions(self, state: MemberState) -> list[PreparedImage]:
        receipts = self.store.prediction_receipts(state.digest)
        return [
            image
            for image in self.images
            if receipts.get(image.row, {}).get("key") != self._prediction_key(state, image)
        ]

    def _missing_units(
        self, state: MemberState, target_of: TargetOf
    ) -> Iterator[tuple[Explainer, PreparedImage, int, str]]:
        for explainer in self.explainers:
            receipts = self.store.explanation_receipts(explainer.name, state.digest)
            for image in self.images:
                target = target_of(state, image)
                key = self._explanation_key(state, explainer, image, target)
                if receipts.get(image.row, {}).get("key") != key:
                    yield explainer, image, target, key

    # -- keys -----------------------------------------------------------------------------------------------------

    def _runtime_identity(self) -> dict[str, str]:
        runtime: RuntimeSettings = self.settings.runtime
        return {"version": runtime_version(), "provider": runtime.provider, "optimisation": runtime.optimisation}

    def _declared_digest(self, state: MemberState) -> str:
        return state.member.declared_digest(state.member.file_digest())

    def _prediction_key(self, state: MemberState, image: PreparedImage) -> str:
        return unit_key({"member": state.digest, "canvas": image.digest, "runtime": self._ran_on(state)})

    def _explanation_key(self, state: MemberState, explainer: Explainer, image: PreparedImage, target: int) -> str:
        return unit_key(
            {
                "member": state.digest,
                "canvas": image.digest,
                "segments": image.array_digests.get(f"segments/{explainer.name}"),
                "explainer": explainer_identity(explainer),
                "target": target,
                "seed": self.settings.seed,
                "runtime": self._ran_on(state),
            }
        )

    def _ran_on(self, state: MemberState) -> dict[str, str]:
        return {**self._runtime_identity(), "provider": state.provider}


def _as_stored(receipt: dict[str, Any]) -> dict[str, Any]:
    """Return a receipt as it reads back from JSON."""
    import json

    stored: dict[str, Any] = json.loads(json.dumps(receipt))
    return stored


def _check_explanation(explainer: Explainer, answer: Message, image: PreparedImage) -> None:
    """Refuse a worker's explanation whose arrays are not what the explainer promises."""
    values, error = answer.arrays.get("values"), answer.arrays.get("standard_error")
    if values is None or error is None or values.shape != error.shape or not np.isfinite(values).all():
        raise WorkerError("bad_output", f"its {explainer.name} explanation is incomplete or not finite")
    if explainer.kind == "superpixel":
        expected = (image.superpixels[explainer.name],)
        if values.shape != expected:
            raise WorkerError(
                "bad_output", f"its {explainer.name} explanation has shape {values.shape}, not {expected}"
            )
    elif values.ndim != 2:
        raise WorkerError("bad_output", f"its {explainer.name} map has shape {values.shape}, not (h, w)")
