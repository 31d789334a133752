"""First stage: every picture becomes a canvas with its superpixels, once for the whole committee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consensus_onnx.engine.events import ImagePrepared, Listener
from consensus_onnx.engine.jobs import ImageJob
from consensus_onnx.engine.keys import file_digest
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.engine.supervisor import Limits, Script, Task, WorkerError, run_tasks
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

    A picture is known by name and file digest. Rows are given in the dataset's order before any work starts, so that
    an interrupted run that is taken up again is laid out like an unbroken one.
    """
    superpixels = {e.name: e.superpixels for e in explainers if isinstance(e, SuperpixelExplainer)}
    rows = _register(store, items)
    receipts = store.journal("images").read()
    wanted = {"canvas", *(f"segments/{name}" for name in superpixels)}

    def complete(item: Item, row: int) -> bool:
        needed = wanted | {"mask"} if item.mask is not None else wanted
        return needed <= set(receipts[str(row)].get("arrays", {}))

    missing = [index for index, item in enumerate(items) if not complete(item, rows[index])]
    failures: dict[str, str] = {}
    job = ImageJob(tuple(items), settings.canvas, superpixels)
    limits = Limits(settings.engine.opening_seconds, settings.engine.command_seconds)
    while missing:
        # One picture that kills its worker costs itself: what is left goes to a fresh worker.
        script = _script(store, items, rows, missing, failures, listen, len(items))
        run_tasks([Task(job, script)], 1, limits)
    receipts = store.journal("images").read()
    prepared = [
        _prepared(item, row, receipts[str(row)])
        for item, row in zip(items, rows, strict=True)
        if item.name not in failures
    ]
    return ImageStage(tuple(prepared), failures)


def _register(store: RunStore, items: Sequence[Item]) -> list[int]:
    """Return the row of every item, giving new rows to pictures the run has not met."""
    journal = store.journal("images")
    known = {(entry["name"], entry["file"]): int(unit) for unit, entry in journal.read().items()}
    following = max(known.values(), default=-1) + 1
    rows = []
    for item in items:
        identity = (item.name, file_digest(item.path))
        if identity not in known:
            known[identity] = following
            journal.append(str(following), {"name": identity[0], "file": identity[1]})
            following += 1
        rows.append(known[identity])
    return rows


def _script(
    store: RunStore,
    items: Sequence[Item],
    rows: Sequence[int],
    missing: list[int],
    failures: dict[str, str],
    listen: Listener,
    total: int,
) -> Script:
    """Work off `missing` from the front; an item leaves it whether it succeeded or failed."""
    known = store.journal("images").read()
    try:
        opening = yield {}
        if "error" in opening.header:
            raise WorkerError("load_error", opening.header["error"]["text"])
        while missing:
            item, row = items[missing[0]], rows[missing[0]]
            answer = yield {"do": "prepare", "item": missing[0]}
            error = answer.header.get("error", {}).get("text")
            if error is None:
                content: dict[str, Any] = {key: known[str(row)][key] for key in ("name", "file")}
                content["digest"] = answer.header["digest"]
                content["superpixels"] = {
                    name.removeprefix("segments/"): int(array.max()) + 1
                    for name, array in answer.arrays.items()
                    if name.startswith("segments/")
                }
                store.commit_image(row, content, answer.arrays)
            else:
                failures[item.name] = error
            missing.pop(0)
            listen(ImagePrepared(item.name, total - len(missing), total, error))
    except WorkerError as failure:
        item = items[missing.pop(0)]
        failures[item.name] = f"{failure.status}: {failure}"
        listen(ImagePrepared(item.name, total - len(missing), total, failures[item.name]))


def _prepared(item: Item, row: int, receipt: dict[str, Any]) -> PreparedImage:
    return PreparedImage(item, row, receipt["digest"], receipt["arrays"], receipt["superpixels"])
