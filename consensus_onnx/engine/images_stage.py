"""First stage: every picture becomes a canvas with its superpixels, once for the whole committee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consensus_onnx.engine.answers import containment_in, image_in, trouble_in
from consensus_onnx.engine.events import ImagePrepared, Listener
from consensus_onnx.engine.failures import FAILURES, Failure, Quarantine, held_in
from consensus_onnx.engine.jobs import ImageJob
from consensus_onnx.engine.keys import file_digest, unit_key
from consensus_onnx.engine.limits import limits_of
from consensus_onnx.engine.presence import FolderPresence
from consensus_onnx.engine.provenance import note_containment
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.engine.supervisor import Script, Task, WorkerError, run_tasks
from consensus_onnx.errors import ImageError
from consensus_onnx.explainers import Explainer, SuperpixelExplainer
from consensus_onnx.images import Item


@dataclass(frozen=True)
class PreparedImage:
    """A picture of this audit and where the run keeps it.

    Attributes
    ----------
    item : Item
        Name, path, label, mask.
    row : int
        Its row in every array of the run.
    digest : str
        Of the canvas.
    array_digests : mapping of str to str
        Of canvas, mask and superpixels ('segments/<explainer>').
    superpixels : mapping of str to int
        Number of superpixels by explainer.
    """

    item: Item
    row: int
    digest: str
    array_digests: dict[str, str]
    superpixels: dict[str, int]


@dataclass(frozen=True)
class ImageStage:
    """The pictures that can be used, in the dataset's order, and why the others cannot."""

    images: tuple[PreparedImage, ...]
    failures: Mapping[str, Failure]


def prepare_images(
    store: RunStore,
    items: Sequence[Item],
    settings: AuditSettings,
    explainers: Sequence[Explainer],
    listen: Listener,
    presence: FolderPresence,
    retry_failed: bool = False,
) -> ImageStage:
    """Decode and cut what the run does not hold yet.

    A picture is known by name and file digest. Rows are given in the dataset's order before any work starts, and in
    a journal of their own, so that a run that is interrupted or grows is laid out like one made at once.
    """
    superpixels = {e.name: e.superpixels for e in explainers if isinstance(e, SuperpixelExplainer)}
    failures: dict[str, Failure] = {}
    files = _read_digests(items, failures)
    rows = _register(store, files)
    receipts = store.image_receipts()
    quarantine = Quarantine(store.journal(FAILURES, "images"))
    held = {} if retry_failed else quarantine.read()
    readable = [item for item in items if item.name in files]
    for item in readable:
        failure = held_in(held, str(rows[item.name]), files[item.name].key)
        if failure is not None:
            failures[item.name] = failure

    def complete(item: Item) -> bool:
        receipt = receipts.get(rows[item.name], {})
        wanted = {"canvas", *(f"segments/{name}" for name in superpixels)}
        return wanted <= set(receipt.get("arrays", {})) and files[item.name].mask in (None, receipt.get("mask_file"))

    missing = [item for item in readable if item.name not in failures and not complete(item)]
    for item in items:
        if item.name in failures:
            told = _in_words(failures[item.name])
            listen(ImagePrepared(item.name, len(items) - len(missing), len(items), told))
    job = ImageJob(tuple(missing), settings.canvas, superpixels)
    stage = _Stage(store, job, rows, files, failures, listen, len(items), presence, quarantine)
    run_tasks(stage.next_task, 1, limits_of(settings.engine))
    receipts = store.image_receipts()
    prepared = [
        _prepared(item, rows[item.name], receipts[rows[item.name]]) for item in readable if item.name not in failures
    ]
    return ImageStage(tuple(prepared), failures)


@dataclass(frozen=True)
class _Files:
    """Digests of a picture's file and of its mask's."""

    picture: str
    mask: str | None

    @property
    def key(self) -> str:
        """Of both."""
        return unit_key({"picture": self.picture, "mask": self.mask})


def _read_digests(items: Sequence[Item], failures: dict[str, Failure]) -> dict[str, _Files]:
    """Return the digests of every picture whose files can be read, by its name."""
    files: dict[str, _Files] = {}
    for item in items:
        try:
            files[item.name] = _Files(file_digest(item.path), None if item.mask is None else file_digest(item.mask))
        except OSError as error:
            problem = f"{error.filename}: cannot be read ({error.strerror}); check the file"
            failures[item.name] = Failure("load_error", problem)
    return files


def _register(store: RunStore, files: Mapping[str, _Files]) -> dict[str, int]:
    """Return the row of every picture, giving new rows to those the run has not met."""
    journal = store.journal("rows")
    known = {(entry["name"], entry["file"]): int(unit) for unit, entry in journal.read().items()}
    following = max(known.values(), default=-1) + 1
    rows = {}
    for name, digests in files.items():
        identity = (name, digests.picture)
        if identity not in known:
            known[identity] = following
            journal.append(str(following), {"name": name, "file": digests.picture})
            following += 1
        rows[name] = known[identity]
    return rows


class _Stage:
    """Hands the pictures to one worker after another: one that kills its worker costs itself, on the second try."""

    def __init__(
        self,
        store: RunStore,
        job: ImageJob,
        rows: Mapping[str, int],
        files: Mapping[str, _Files],
        failures: dict[str, Failure],
        listen: Listener,
        total: int,
        presence: FolderPresence,
        quarantine: Quarantine,
    ) -> None:
        self._store, self._job, self._rows, self._files = store, job, rows, files
        self._failures, self._listen, self._total = failures, listen, total
        self._presence, self._quarantine = presence, quarantine
        self._left = list(range(len(job.items)))
        self._tried_before = False  # whether the first of those left has cost a worker

    def next_task(self) -> Task | None:
        """Return the task of a worker for what is left."""
        return Task(self._job, self._script()) if self._left else None

    def _script(self) -> Script:
        """Work off what is left from the front; a picture leaves it whether it succeeded or failed."""
        opened = False
        try:
            opening = yield {}
            trouble = trouble_in(opening)
            if trouble is not None:
                raise WorkerError("load_error", trouble.text)
            note_containment(self._store, "images", containment_in(opening), self._listen)
            opened = True
            while self._left:
                item = self._job.items[self._left[0]]
                answer = yield {"do": "prepare", "item": self._left[0]}
                trouble = trouble_in(answer)
                if trouble is None:
                    content, arrays = image_in(answer, self._job.canvas.crop, self._job.superpixels, bool(item.mask))
                    content["mask_file"] = self._files[item.name].mask
                    self._presence.check()
                    self._store.commit_image(self._rows[item.name], content, arrays)
                    self._done(None)
                else:
                    self._done(Failure("oom" if trouble.kind == "oom" else "rejected", trouble.text))
        except WorkerError as failure:
            if not opened:  # no picture's fault: every other worker would fare alike
                raise ImageError(f"no worker for the pictures could start: {failure.status}: {failure}") from failure
            if not self._tried_before:
                self._tried_before = True
                return
            item, found = self._job.items[self._left[0]], Failure(failure.status, str(failure))
            if found.status != "bad_output":
                self._quarantine.hold(str(self._rows[item.name]), self._files[item.name].key, found)
            self._done(found)

    def _done(self, failure: Failure | None) -> None:
        """Take the first picture off the list."""
        item = self._job.items[self._left.pop(0)]
        self._tried_before = False
        if failure is not None:
            self._failures[item.name] = failure
        told = None if failure is None else _in_words(failure)
        self._listen(ImagePrepared(item.name, self._total - len(self._left), self._total, told))


def _in_words(failure: Failure) -> str:
    """Return a failure as one line; what a message says of a file by itself needs no status before it."""
    return failure.reason if failure.status in ("rejected", "load_error") else f"{failure.status}: {failure.reason}"


def _prepared(item: Item, row: int, receipt: Mapping[str, Any]) -> PreparedImage:
    digests = {name: digest for name, digest in receipt["arrays"].items() if name != "mask" or item.mask is not None}
    return PreparedImage(item, row, receipt["digest"], digests, receipt["superpixels"])
