"""First stage: every picture becomes a canvas with its superpixels, once for the whole committee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consensus_onnx.engine.answers import error_in, image_in
from consensus_onnx.engine.events import ImagePrepared, Listener
from consensus_onnx.engine.jobs import ImageJob
from consensus_onnx.engine.keys import file_digest
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.engine.supervisor import Limits, Script, Task, WorkerError, run_tasks
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
    failures: dict[str, str]


def prepare_images(
    store: RunStore,
    items: Sequence[Item],
    settings: AuditSettings,
    explainers: Sequence[Explainer],
    listen: Listener,
) -> ImageStage:
    """Decode and cut what the run does not hold yet.

    A picture is known by name and file digest. Rows are given in the dataset's order before any work starts, and in
    a journal of their own, so that a run that is interrupted or grows is laid out like one made at once.
    """
    superpixels = {e.name: e.superpixels for e in explainers if isinstance(e, SuperpixelExplainer)}
    failures: dict[str, str] = {}
    files = _read_digests(items, failures)
    rows = _register(store, files)
    receipts = store.image_receipts()

    def complete(item: Item) -> bool:
        receipt = receipts.get(rows[item.name], {})
        wanted = {"canvas", *(f"segments/{name}" for name in superpixels)}
        return wanted <= set(receipt.get("arrays", {})) and files[item.name].mask in (None, receipt.get("mask_file"))

    readable = [item for item in items if item.name in files]
    missing = [item for item in readable if not complete(item)]
    for item in items:
        if item.name in failures:
            listen(ImagePrepared(item.name, len(items) - len(missing), len(items), failures[item.name]))
    job = ImageJob(tuple(missing), settings.canvas, superpixels)
    limits = Limits(settings.engine.opening_seconds, settings.engine.command_seconds)
    left = list(range(len(missing)))
    while left:
        # One picture that kills its worker costs itself: what is left goes to a fresh worker.
        script = _script(store, job, left, rows, files, failures, listen, len(items))
        run_tasks([Task(job, script)], 1, limits)
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


def _read_digests(items: Sequence[Item], failures: dict[str, str]) -> dict[str, _Files]:
    """Return the digests of every picture whose files can be read, by its name."""
    files: dict[str, _Files] = {}
    for item in items:
        try:
            files[item.name] = _Files(file_digest(item.path), None if item.mask is None else file_digest(item.mask))
        except OSError as error:
            failures[item.name] = f"{error.filename}: cannot be read ({error.strerror}); check the file"
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


def _script(
    store: RunStore,
    job: ImageJob,
    left: list[int],
    rows: Mapping[str, int],
    files: Mapping[str, _Files],
    failures: dict[str, str],
    listen: Listener,
    total: int,
) -> Script:
    """Work off the items in `left` from the front; one leaves it whether it succeeded or failed."""
    opened = False
    try:
        opening = yield {}
        error = error_in(opening)
        if error is not None:
            raise WorkerError("load_error", error["text"])
        opened = True
        while left:
            item = job.items[left[0]]
            answer = yield {"do": "prepare", "item": left[0]}
            error = error_in(answer)
            if error is None:
                content, arrays = image_in(answer, job.canvas.crop, job.superpixels, item.mask is not None)
                content["mask_file"] = files[item.name].mask
                store.commit_image(rows[item.name], content, arrays)
            else:
                failures[item.name] = error["text"]
            left.pop(0)
            listen(ImagePrepared(item.name, total - len(left), total, failures.get(item.name)))
    except WorkerError as failure:
        if not opened:  # no picture's fault: every other worker would fare alike
            raise ImageError(f"no worker for the pictures could start: {failure.status}: {failure}") from failure
        item = job.items[left.pop(0)]
        failures[item.name] = f"{failure.status}: {failure}"
        listen(ImagePrepared(item.name, total - len(left), total, failures[item.name]))


def _prepared(item: Item, row: int, receipt: dict[str, Any]) -> PreparedImage:
    digests = {name: digest for name, digest in receipt["arrays"].items() if name != "mask" or item.mask is not None}
    return PreparedImage(item, row, receipt["digest"], digests, receipt["superpixels"])
