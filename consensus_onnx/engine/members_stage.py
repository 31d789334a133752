"""Second stage: every member predicts and explains every picture; only what is missing is asked."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from consensus_onnx.committee import ModelFacts
from consensus_onnx.engine.answers import (
    containment_in,
    explanation_in,
    facts_in,
    paces_in,
    probabilities_in,
    trouble_in,
)
from consensus_onnx.engine.events import Listener, MemberFinished, MemberStarted, Notice, Planned, UnitDone
from consensus_onnx.engine.failures import MOST_LOST, PREDICTION, Failure, Quarantine, held_in
from consensus_onnx.engine.folder import explainer_identity
from consensus_onnx.engine.images_stage import PreparedImage
from consensus_onnx.engine.jobs import MemberJob
from consensus_onnx.engine.keys import unit_key
from consensus_onnx.engine.limits import limits_of
from consensus_onnx.engine.map_coding import UncodableError
from consensus_onnx.engine.member_state import OPENING, MemberState, UnitName, by_model, copies_among
from consensus_onnx.engine.pace_memory import PaceMemory
from consensus_onnx.engine.presence import FolderPresence
from consensus_onnx.engine.provenance import note_containment
from consensus_onnx.engine.receipts import Journal
from consensus_onnx.engine.rows import RowShapeError
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.engine.supervisor import Script, Task, WorkerError, run_tasks, threads_per_worker
from consensus_onnx.engine.wire import Message
from consensus_onnx.explainers import Explainer
from consensus_onnx.runtime import RuntimeSettings, runtime_version
from consensus_onnx_kernels.warming import compile_kernels

TargetOf: TypeAlias = Callable[[MemberState, PreparedImage], int]

_PREDICTED_TOGETHER = 16  # pictures per command: enough to make the round trip cheap
_TRIES = 2  # workers that one unit may cost


@dataclass(frozen=True)
class _Work:
    """What is to be done with some members, and who waits for a worker; a member whose worker died waits again."""

    waiting: deque[MemberState]
    predict: bool
    target_of: TargetOf | None


@dataclass(frozen=True)
class MembersStage:
    """What all member scripts share.

    Attributes
    ----------
    store, settings, explainers, images, listen
        Of the audit.
    presence : FolderPresence
        Of the run folder.
    retry_failed : bool
        Whether to ask again what earlier audits gave up.
    """

    store: RunStore
    settings: AuditSettings
    explainers: tuple[Explainer, ...]
    images: tuple[PreparedImage, ...]
    listen: Listener
    presence: FolderPresence
    retry_failed: bool = False

    def recall(self, state: MemberState) -> None:
        """Take a member's facts from an earlier opening of the same file with the same declarations.

        A model whose weights lie in other files is opened each time: only a worker can tell whether those changed.
        """
        try:
            state.file_digest = state.member.file_digest()
        except OSError as error:
            self._finish(state, Failure("load_error", f"{state.member.path}: cannot be read ({error.strerror})"))
            return
        receipt = self._journal(state).read().get(state.declared_digest)
        if receipt is not None and receipt["runtime"] == self._runtime_identity():
            state.facts, state.provider = ModelFacts.from_json(receipt["facts"]), receipt["provider"]
        if not self.retry_failed:
            state.quarantined = self._quarantine(state).read()
            held = held_in(state.quarantined, _written(OPENING), self._opening_key())
            if held is not None and state.facts is None:
                self._finish(state, held)

    def open_members(self, states: Sequence[MemberState]) -> None:
        """Open every member whose facts are not known."""
        self._run([state for state in states if state.alive and state.facts is None])

    def predict(self, states: Sequence[MemberState]) -> None:
        """Open and predict what is missing, explain nothing."""
        self.open_members(copies_among(states))
        self._run([state for state in states if state.alive and not self._known(state)], predict=True)

    def explain(self, states: Sequence[MemberState], target_of: TargetOf) -> None:
        """Open, predict and explain what is missing."""
        self.open_members(copies_among(states))
        whole = len(self.images) * len(self.explainers)
        known = {id(state) for state in states if state.alive and self._known(state)}
        models = by_model([state for state in states if state.alive])
        missing = [
            len(list(self._missing_units(state, target_of))) if id(state) in known else whole for state, *_ in models
        ]
        for state in states:
            if id(state) in known and not state.alive:  # by what earlier audits had given up
                self.listen(MemberFinished(state.member.name, *state.outcome(), 0.0))
        self.listen(Planned(whole * len(models), whole * len(models) - sum(missing)))
        lacking = [
            copies
            for copies, units in zip(models, missing, strict=True)
            if units or any(id(state) not in known for state in copies)
        ]
        left = [state for copies in lacking for state in copies if state.alive]
        self._run(left, predict=True, target_of=target_of)

    def _run(self, states: Sequence[MemberState], predict: bool = False, target_of: TargetOf | None = None) -> None:
        """Give each model a worker; copies of a model take over what the first of them was told."""
        if not states:
            return
        compile_kernels()  # here, since a worker may not write Numba's cache
        models = by_model(states)
        work = _Work(deque(state for state, *_ in models), predict, target_of)
        engine = self.settings.engine
        run_tasks(lambda: self._next_task(work), engine.workers, limits_of(engine))
        for state, *twins in models:
            for twin in twins:
                twin.take_from(state)
                if target_of is not None or not twin.alive:
                    self.listen(MemberFinished(twin.member.name, *twin.outcome(), 0.0))

    def _next_task(self, work: _Work) -> Task | None:
        if not work.waiting:
            return None
        state = work.waiting.popleft()
        runtime: RuntimeSettings = self.settings.runtime
        threads = runtime.threads or threads_per_worker(self.settings.engine.workers)
        runtime = replace(runtime, threads=threads, batch=state.batch or runtime.batch)
        state.paces = PaceMemory.of(state.declared_digest, runtime, self.settings.engine.workers)
        job = MemberJob(
            state.member, runtime, self.explainers, self.settings.seed, self.store.folder, state.paces.known
        )
        return Task(job, self._script(state, work))

    def _script(self, state: MemberState, work: _Work) -> Script:
        """Open, then predict and explain what is missing; any failure of the worker is the unit's or the member's."""
        if state.started is None:
            state.started = time.monotonic()
            self.listen(MemberStarted(state.member.name))
        state.asked = {OPENING: self._opening_key()}
        try:
            opening = yield {}
            self._take_opening(state, opening)
            if state.alive and work.predict:
                yield from self._predict(state)
            if state.alive and work.target_of is not None:
                yield from self._explain(state, work.target_of)
        except WorkerError as failure:
            self._lose(state, Failure(failure.status, str(failure)))
            if state.alive and self._left(state, work):
                work.waiting.appendleft(state)
                return
        if work.target_of is not None or not state.alive:
            self.listen(MemberFinished(state.member.name, *state.outcome(), time.monotonic() - state.started))

    def _take_opening(self, state: MemberState, opening: Message) -> None:
        note_containment(self.store, "members", containment_in(opening), self.listen)
        trouble = trouble_in(opening)
        if trouble is not None:
            if trouble.kind == "oom":
                raise WorkerError("oom", trouble.text)
            state.status = "rejected" if trouble.kind == "rejected" else "load_error"
            state.reason = trouble.text
            return
        state.facts, state.provider = facts_in(opening)
        self.presence.check()
        self._quarantine(state).forgive(_written(OPENING))
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
        waiting = self._missing_predictions(state)
        while waiting:
            images = waiting[: 1 if state.one_by_one else _PREDICTED_TOGETHER]
            state.asked = {(PREDICTION, image.row): self._prediction_key(state, image) for image in images}
            answer = yield {"do": "predict", "images": [image.row for image in images]}
            trouble = trouble_in(answer)
            if trouble is not None and trouble.kind == "oom":
                raise WorkerError("oom", trouble.text)
            if trouble is not None and not state.one_by_one:
                state.one_by_one = True  # to find out which of them it is
                continue
            del waiting[: len(images)]
            if trouble is not None:
                state.failures[PREDICTION, images[0].row] = Failure("run_error", trouble.text)
                continue
            rows = probabilities_in(answer, len(images), state.facts.output.classes if state.facts else 0)
            self.presence.check()
            for image, row in zip(images, rows, strict=True):
                self.store.commit_prediction(state.digest, image.row, self._prediction_key(state, image), row)
        self._known(state)

    def _explain(self, state: MemberState, target_of: TargetOf) -> Script:
        for explainer, image, target, key in list(self._missing_units(state, target_of)):
            if explainer.name in state.unsupported:
                continue
            began, unit = time.monotonic(), (explainer.name, image.row)
            state.asked = {unit: key}
            answer = yield {"do": "explain", "explainer": explainer.name, "image": image.row, "target": target}
            trouble = trouble_in(answer)
            if trouble is not None and trouble.kind == "oom":
                raise WorkerError("oom", trouble.text)
            if trouble is not None and trouble.kind == "unsupported":
                state.unsupported[explainer.name] = trouble.text
            elif trouble is not None:
                state.failures[unit] = Failure("run_error", trouble.text)
            else:
                superpixels = image.superpixels[explainer.name] if explainer.kind == "superpixel" else None
                self.presence.check()
                try:
                    numbers, arrays = explanation_in(answer, explainer, superpixels)
                    state.paces.learn(paces_in(answer))
                    content, maps = {"key": key, **numbers}, self.settings.storage.maps
                    self.store.commit_explanation(explainer.name, state.digest, image.row, content, arrays, maps)
                except (WorkerError, RowShapeError, UncodableError) as error:  # the worker can still answer for others
                    what = "" if isinstance(error, WorkerError) else f"its {explainer.name} explanation: "
                    state.failures[unit] = Failure("bad_output", f"{what}{error}")
                    continue
                pictures, seconds = numbers["samples"], time.monotonic() - began
                self.listen(UnitDone(state.member.name, explainer.name, image.item.name, pictures, seconds))

    # -- what cost a worker ---------------------------------------------------------------------------------------

    def _lose(self, state: MemberState, failure: Failure) -> None:
        """Decide what a dead worker costs: another try, the unit it was at, or the member."""
        for unit in state.asked:
            state.lost[unit] = state.lost.get(unit, 0) + 1
        if failure.status in ("oom", "crashed(SIGKILL)"):  # the system ends with SIGKILL who takes too much
            pictures = state.batch or self.settings.runtime.batch_for(state.provider)
            state.batch = max(1, pictures // 2)
        unit, key = next(iter(state.asked.items()))
        worth_another = unit != OPENING or failure.status.startswith(("crashed", "oom"))
        if len(state.asked) > 1:
            state.one_by_one = True
        elif state.lost[unit] >= _TRIES or not worth_another:
            self._give_up(state, unit, key, failure)
            return
        what = ", ".join(_written(unit) for unit in list(state.asked)[:1])
        self.listen(Notice(f"{state.member.name}: {failure.status} at {what}: {failure.reason}; once more, afresh"))

    def _give_up(self, state: MemberState, unit: UnitName, key: str, failure: Failure) -> None:
        if failure.status != "bad_output":
            self.presence.check()
            self._quarantine(state).hold(_written(unit), key, failure)
        if unit == OPENING:
            state.status, state.reason = failure.status, failure.reason
            return
        state.failures[unit] = failure
        self._end_if_hopeless(state)

    def _end_if_hopeless(self, state: MemberState) -> None:
        """Give the member up once too many of its units have cost their workers."""
        costly = [
            failure
            for unit, failure in state.failures.items()
            if unit in state.lost or failure.status not in ("run_error", "bad_output")
        ]
        if state.alive and len(costly) >= MOST_LOST:
            state.status = costly[-1].status
            state.reason = f"given up after {len(costly)} images, the last: {costly[-1].reason}"

    def _left(self, state: MemberState, work: _Work) -> bool:
        """Whether anything is still to be asked of a member."""
        if state.facts is None or (work.predict and not self._known(state)):
            return True
        return work.target_of is not None and any(self._missing_units(state, work.target_of))

    def _finish(self, state: MemberState, failure: Failure) -> None:
        """End a member before it was given a worker."""
        state.status, state.reason = failure.status, failure.reason
        self.listen(MemberFinished(state.member.name, state.status, state.reason, 0.0))

    # -- what is missing ------------------------------------------------------------------------------------------

    def _known(self, state: MemberState) -> bool:
        """Whether all of a member's predictions that can be had are there, so that its units can be planned."""
        if state.facts is None or self._missing_predictions(state):
            return False
        receipts = self.store.prediction_receipts(state.digest)
        state.predicted = {
            image.row: receipts[image.row]["predicted"]
            for image in self.images
            if (PREDICTION, image.row) not in state.failures
        }
        return True

    def _missing_predictions(self, state: MemberState) -> list[PreparedImage]:
        receipts = self.store.prediction_receipts(state.digest)
        return [
            image
            for image in self.images
            if receipts.get(image.row, {}).get("key") != (key := self._prediction_key(state, image))
            and not self._given_up(state, (PREDICTION, image.row), key)
        ]

    def _missing_units(
        self, state: MemberState, target_of: TargetOf
    ) -> Iterator[tuple[Explainer, PreparedImage, int, str]]:
        for explainer in self.explainers:
            receipts = self.store.explanation_receipts(explainer.name, state.digest)
            for image in self.images:
                if image.row not in state.predicted:
                    continue  # what it cannot even predict
                target = target_of(state, image)
                key = self._explanation_key(state, explainer, image, target)
                if receipts.get(image.row, {}).get("key") != key and not self._given_up(
                    state, (explainer.name, image.row), key
                ):
                    yield explainer, image, target, key

    def _given_up(self, state: MemberState, unit: UnitName, key: str) -> bool:
        """Whether a unit cannot be had, as this audit or an earlier one found; the latter's finding is taken over."""
        held = held_in(state.quarantined, _written(unit), key)
        if held is not None and unit not in state.failures:
            state.failures[unit] = held
            self._end_if_hopeless(state)
        return unit in state.failures or not state.alive

    # -- keys -----------------------------------------------------------------------------------------------------

    def _journal(self, state: MemberState) -> Journal:
        """Return the journal of a member's openings: one each, so that workers side by side cannot mix their order."""
        return self.store.journal("members", state.declared_digest[:16])

    def _quarantine(self, state: MemberState) -> Quarantine:
        return Quarantine.of(self.store, state.declared_digest)

    def _runtime_identity(self) -> dict[str, str]:
        runtime: RuntimeSettings = self.settings.runtime
        return {"version": runtime_version(), "provider": runtime.provider, "optimisation": runtime.optimisation}

    def _opening_key(self) -> str:
        return unit_key({"runtime": self._runtime_identity()})

    def _prediction_key(self, state: MemberState, image: PreparedImage) -> str:
        return unit_key({"member": state.digest, "canvas": image.digest, "runtime": self._ran_on(state)})

    def _explanation_key(self, state: MemberState, explainer: Explainer, image: PreparedImage, target: int) -> str:
        return unit_key(
            {
                "member": state.digest,
                "canvas": image.digest,
                "segments": image.array_digests.get(f"segments/{explainer.name}"),
                "explainer": explainer_identity(explainer),
                "storage": self.settings.storage.maps if explainer.kind == "pixel" else None,
                "target": target,
                "seed": self.settings.seed,
                "runtime": self._ran_on(state),
            }
        )

    def _ran_on(self, state: MemberState) -> dict[str, str]:
        return {**self._runtime_identity(), "provider": state.provider}


def _written(unit: UnitName) -> str:
    """Return a unit's name as it stands in a journal and in a message: 'lime/3', 'opening'."""
    what, row = unit
    return what if unit == OPENING else f"{what}/{row}"


def _as_stored(receipt: dict[str, Any]) -> dict[str, Any]:
    """Return a receipt as it reads back from JSON."""
    stored: dict[str, Any] = json.loads(json.dumps(receipt))
    return stored
