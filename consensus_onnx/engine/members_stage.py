"""Second stage: every member predicts and explains every picture; only what is missing is asked."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from consensus_onnx.committee import ModelFacts
from consensus_onnx.engine.answers import error_in, explanation_in, facts_in, probabilities_in
from consensus_onnx.engine.events import Listener, MemberFinished, MemberStarted, Planned, UnitDone
from consensus_onnx.engine.folder import explainer_identity
from consensus_onnx.engine.images_stage import PreparedImage
from consensus_onnx.engine.jobs import MemberJob
from consensus_onnx.engine.keys import unit_key
from consensus_onnx.engine.member_state import MemberState
from consensus_onnx.engine.receipts import Journal
from consensus_onnx.engine.rows import RowShapeError
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
        """Take a member's facts from an earlier opening of the same file with the same declarations.

        A model whose weights lie in other files is opened each time: only a worker can tell whether those changed.
        """
        try:
            state.file_digest = state.member.file_digest()
        except OSError as error:
            state.status, state.reason = "load_error", f"{state.member.path}: cannot be read ({error.strerror})"
            self.listen(MemberFinished(state.member.name, state.status, state.reason, 0.0))
            return
        receipt = self._journal(state).read().get(state.declared_digest)
        if receipt is not None and receipt["runtime"] == self._runtime_identity():
            state.facts, state.provider = ModelFacts.from_json(receipt["facts"]), receipt["provider"]

    def open_members(self, states: Sequence[MemberState]) -> None:
        """Open every member whose facts are not known."""
        self._run([state for state in states if state.alive and state.facts is None])

    def predict(self, states: Sequence[MemberState]) -> None:
        """Open and predict what is missing, explain nothing."""
        self.open_members(_copies(states))
        self._run([state for state in states if state.alive and not self._known(state)], predict=True)

    def explain(self, states: Sequence[MemberState], target_of: TargetOf) -> None:
        """Open, predict and explain what is missing."""
        self.open_members(_copies(states))
        whole = len(self.images) * len(self.explainers)
        known = {id(state) for state in states if state.alive and self._known(state)}
        models = _by_model([state for state in states if state.alive])
        missing = [
            len(list(self._missing_units(state, target_of))) if id(state) in known else whole for state, *_ in models
        ]
        self.listen(Planned(whole * len(models), whole * len(models) - sum(missing)))
        lacking = [
            copies
            for copies, units in zip(models, missing, strict=True)
            if units or any(id(state) not in known for state in copies)
        ]
        self._run([state for copies in lacking for state in copies], predict=True, target_of=target_of)

    def _run(self, states: Sequence[MemberState], predict: bool = False, target_of: TargetOf | None = None) -> None:
        """Give each model a worker; copies of a model take over what the first of them was told."""
        workers = self.settings.engine.workers
        threads = self.settings.runtime.threads or threads_per_worker(workers)
        runtime = replace(self.settings.runtime, threads=threads)
        limits = Limits(self.settings.engine.opening_seconds, self.settings.engine.command_seconds)
        models = _by_model(states)
        tasks = (
            Task(
                MemberJob(state.member, runtime, self.explainers, self.settings.seed, self.store.folder),
                self._script(state, predict, target_of),
            )
            for state, *_ in models
        )
        run_tasks(tasks, workers, limits)
        for state, *twins in models:
            for twin in twins:
                twin.take_from(state)
                if target_of is not None or not twin.alive:
                    self.listen(MemberFinished(twin.member.name, *twin.outcome(), 0.0))

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
        error = error_in(opening)
        if error is not None:
            state.status, state.reason = "load_error", error["text"]
            return
        state.facts, state.provider = facts_in(opening)
        if state.facts.digest != state.file_digest:
            return  # see `recall`
        receipt = {
            "facts": state.facts.to_json(),
            "provider": state.provider,
            "runtime": self._runtime_identity(),
        }
        journal, unit = self._journal(state), state.declared_digest
        before = journal.read().get(unit, {})
        if {key: before.get(key) for key in receipt} != _as_stored(receipt):
            journal.append(unit, receipt)

    def _predict(self, state: MemberState) -> Script:
        missing = self._missing_predictions(state)
        for start in range(0, len(missing), _PREDICTED_TOGETHER):
            images = missing[start : start + _PREDICTED_TOGETHER]
            answer = yield {"do": "predict", "images": [image.row for image in images]}
            error = error_in(answer)
            if error is not None:
                state.status, state.reason = "run_error", error["text"]
                return
            rows = probabilities_in(answer, len(images), state.facts.output.classes if state.facts else 0)
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
            error = error_in(answer)
            if error is not None and error["unsupported"]:
                state.unsupported[explainer.name] = error["text"]
            elif error is not None:
                state.failures[explainer.name, image.row] = error["text"]
            else:
                superpixels = image.superpixels[explainer.name] if explainer.kind == "superpixel" else None
                numbers, arrays = explanation_in(answer, explainer, superpixels)
                try:
                    self.store.commit_explanation(
                        explainer.name, state.digest, image.row, {"key": key, **numbers}, arrays
                    )
                except RowShapeError as error:
                    raise WorkerError("bad_output", f"its {explainer.name} explanation: {error}") from error
                pictures, seconds = numbers["samples"], time.monotonic() - began
                self.listen(UnitDone(state.member.name, explainer.name, image.item.name, pictures, seconds))

    # -- what is missing ------------------------------------------------------------------------------------------

    def _known(self, state: MemberState) -> bool:
        """Whether all of a member's predictions are there, so that its units can be planned without it."""
        if state.facts is None or self._missing_predictions(state):
            return False
        receipts = self.store.prediction_receipts(state.digest)
        state.predicted = {image.row: receipts[image.row]["predicted"] for image in self.images}
        return True

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

    def _journal(self, state: MemberState) -> Journal:
        """Return the journal of a member's openings: one each, so that workers side by side cannot mix their order."""
        return self.store.journal("members", state.declared_digest[:16])

    def _runtime_identity(self) -> dict[str, str]:
        runtime: RuntimeSettings = self.settings.runtime
        return {"version": runtime_version(), "provider": runtime.provider, "optimisation": runtime.optimisation}

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


def _copies(states: Sequence[MemberState]) -> list[MemberState]:
    """Return the members whose file is there twice; whether their external weights are the same, opening tells."""
    counts = Counter(state.file_digest for state in states)
    return [state for state in states if counts[state.file_digest] > 1]


def _by_model(states: Sequence[MemberState]) -> list[list[MemberState]]:
    """Group members that are one model under several names: they share their place in the store."""
    groups: dict[str | int, list[MemberState]] = {}
    for state in states:
        groups.setdefault(id(state) if state.facts is None else state.digest, []).append(state)
    return list(groups.values())


def _as_stored(receipt: dict[str, Any]) -> dict[str, Any]:
    """Return a receipt as it reads back from JSON."""
    stored: dict[str, Any] = json.loads(json.dumps(receipt))
    return stored
