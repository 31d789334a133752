"""First stage: every picture becomes a canvas with its superpixels, once for the whole committee."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consensus_onnx.arrays import AnyArray
from consensus_onnx.engine.answers import containment_in, image_in, trouble_in
from consensus_onnx.engine.events import ImagePrepared, Listener
from consensus_onnx.engine.failures import FAILURES, Failure, Quarantine, held_in
from consensus_onnx.engine.jobs import ImageJob
from consensus_onnx.engine.keys import file_digest, unit_key
from consensus_onnx.engine.limits import limits_of, workers_that_fit
from consensus_onnx.engine.presence import FolderPresence
from consensus_onnx.engine.provenance import note_containment
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.engine.supervisor import Script, Task, WorkerError, run_tasks, threads_per_worker
from consensus_onnx.engine.wire import Message
from consensus_onnx.errors import ImageError
from consensus_onnx.explainers import Explainer, SuperpixelExplainer
from consensus_onnx.images import CanvasSettings, Item

_TRIES = 2  # workers that one picture may cost
_WORTH_A_WORKER = 2  # pictures: quickshift takes 0.33 s of one of 224x224, a worker 0.13 s to start
_DECODING = 1_000_000_000  # bytes: a picture of 50 million pixels, the most that are decoded, takes 0.65 GB
_PER_PIXEL = 350  # bytes per pixel of the canvas: quickshift and slic take 130, felzenszwalb 330
_AHEAD = 64_000_000  # bytes of finished pictures that may wait for a slow one before them


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

    Several workers do it side by side, each on one core: as many as there are cores, but no more than half the
    pictures, nor than memory holds when every picture is of the largest size: 1 GB and 350 bytes per pixel of the
    canvas each. Cutting photographs on 224x224, each takes 50 MB of its own.
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
    workers = workers_for(len(missing), settings.canvas)
    ahead = max(2 * workers, _AHEAD // _bytes_of(job))
    stage = _Stage(store, job, rows, files, failures, listen, len(items), presence, quarantine, ahead)
    run_tasks(stage.next_task, workers, limits_of(settings.engine, workers))
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


def workers_for(pictures: int, canvas: CanvasSettings) -> int:
    """Return how many workers that many pictures on such canvases get."""
    worth = -(-pictures // _WORTH_A_WORKER)
    return max(1, min(threads_per_worker(1), worth, workers_that_fit(_DECODING + _PER_PIXEL * canvas.crop**2)))


def _bytes_of(job: ImageJob) -> int:
    """Return the bytes of one picture's arrays: canvas, mask, superpixels."""
    return job.canvas.crop**2 * (3 + 1 + 2 * len(job.superpixels))


@dataclass(frozen=True)
class _Cut:
    """A picture as its receipt describes it, and its arrays."""

    content: Mapping[str, Any]
    arrays: Mapping[str, AnyArray]


@dataclass
class _Stage:
    """Hands the pictures to workers side by side: one that kills its worker costs itself, on the second try.

    Pictures are finished in any order and taken in in the dataset's, so that journals and progress are those of one
    worker alone. None is begun that is `ahead` or more behind the first that is not taken in.
    """

    store: RunStore
    job: ImageJob
    rows: Mapping[str, int]
    files: Mapping[str, _Files]
    failures: dict[str, Failure]
    listen: Listener
    total: int
    presence: FolderPresence
    quarantine: Quarantine
    ahead: int

    def __post_init__(self) -> None:
        self._waiting = deque(range(len(self.job.items)))  # to be asked; first of all those that have cost a worker
        self._lost = Counter[int]()  # workers that a picture has cost
        self._finished: dict[int, _Cut | Failure] = {}
        self._taken = 0  # so many, from the front, are stored or have failed

    def next_task(self) -> Task | None:
        """Return the task of a worker, if there is a picture for it."""
        first = self._next()
        return None if first is None else Task(self.job, self._script(first))

    def _next(self) -> int | None:
        """Return the picture that is to be asked next, if one may be now."""
        if not self._waiting or self._waiting[0] >= self._taken + self.ahead:
            return None
        return self._waiting.popleft()

    def _script(self, first: int) -> Script:
        """Ask for one picture after the other as long as there are any."""
        asked, opened = first, False
        try:
            opening = yield {}
            trouble = trouble_in(opening)
            if trouble is not None:
                raise WorkerError("load_error", trouble.text)
            note_containment(self.store, "images", containment_in(opening), self.listen)
            opened = True
            while True:
                answer = yield {"do": "prepare", "item": asked}
                self._finish(asked, self._outcome(asked, answer))
                following = self._next()
                if following is None:
                    return
                asked = following
        except WorkerError as failure:
            if not opened:  # no picture's fault: every other worker would fare alike
                raise ImageError(f"no worker for the pictures could start: {failure.status}: {failure}") from failure
            self._lose(asked, Failure(failure.status, str(failure)))

    def _outcome(self, index: int, answer: Message) -> _Cut | Failure:
        """Return what a worker made of a picture."""
        trouble = trouble_in(answer)
        if trouble is not None:
            return Failure("oom" if trouble.kind == "oom" else "rejected", trouble.text)
        item = self.job.items[index]
        content, arrays = image_in(answer, self.job.canvas.crop, self.job.superpixels, bool(item.mask))
        return _Cut({**content, "mask_file": self.files[item.name].mask}, arrays)

    def _lose(self, index: int, failure: Failure) -> None:
        """Try a picture that cost its worker once more, before all others, or give it up."""
        self._lost[index] += 1
        if self._lost[index] < _TRIES:
            self._waiting.appendleft(index)
        else:
            self._finish(index, failure)

    def _finish(self, index: int, outcome: _Cut | Failure) -> None:
        """Take in what is finished, up to the first picture that is not."""
        self._finished[index] = outcome
        while self._taken in self._finished:
            self._take_in(self._taken, self._finished.pop(self._taken))

    def _take_in(self, index: int, outcome: _Cut | Failure) -> None:
        """Store a picture, or why there is none, and tell of it."""
        item, told = self.job.items[index], None
        if isinstance(outcome, _Cut):
            self.presence.check()
            self.store.commit_image(self.rows[item.name], outcome.content, outcome.arrays)
        else:
            if self._lost[index] == _TRIES and outcome.status != "bad_output":
                self.quarantine.hold(str(self.rows[item.name]), self.files[item.name].key, outcome)
            self.failures[item.name] = outcome
            told = _in_words(outcome)
        self._taken += 1
        done = self.total - len(self.job.items) + self._taken
        self.listen(ImagePrepared(item.name, done, self.total, told))


def _in_words(failure: Failure) -> str:
    """Return a failure as one line; what a message says of a file by itself needs no status before it."""
    return failure.reason if failure.status in ("rejected", "load_error") else f"{failure.status}: {failure.reason}"


def _prepared(item: Item, row: int, receipt: Mapping[str, Any]) -> PreparedImage:
    digests = {name: digest for name, digest in receipt["arrays"].items() if name != "mask" or item.mask is not None}
    return PreparedImage(item, row, receipt["digest"], digests, receipt["superpixels"])
