"""Asking members about pictures that are on the canvas already: the stages of an audit without its consensus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from consensus_onnx.arrays import Int32Array, Int64Array, UInt8Array
from consensus_onnx.committee import Member, ModelFacts
from consensus_onnx.engine.events import Listener, silent
from consensus_onnx.engine.failures import Failure
from consensus_onnx.engine.folder import claimed_folder, run_identity
from consensus_onnx.engine.images_stage import PreparedImage, prepare_images
from consensus_onnx.engine.keys import array_digest
from consensus_onnx.engine.member_state import MemberState
from consensus_onnx.engine.members_stage import MembersStage
from consensus_onnx.engine.presence import FolderPresence
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.engine.stored import stored_explanation
from consensus_onnx.explainers import Explainer, Explanation
from consensus_onnx.images import Item, canvas_digest

Targets: TypeAlias = Literal["own", "first"] | Sequence[int | None]


@dataclass(frozen=True)
class Picture:
    """A picture on the canvas, with its superpixels.

    Attributes
    ----------
    name : str
        What to call it.
    canvas : uint8 (H, W, 3)
        RGB.
    segments : mapping of str to int32 (H, W)
        Superpixels 0..K-1 by the name of the explainer that uses them.
    """

    name: str
    canvas: UInt8Array
    segments: Mapping[str, Int32Array]


@dataclass(frozen=True)
class Answers:
    """What one member answered; explanations are read from the store, which must still be there.

    Attributes
    ----------
    member : Member
        Who was asked.
    status, reason : str
        As in committee.csv.
    facts : ModelFacts or None
        None where the model could not be opened.
    digest : str
        Of model, preprocessing and output; empty without facts.
    provider : str
        That ran it.
    predicted : int64 (I,)
        Its own top-1 of each picture; -1 where it could not tell.
    unsupported : mapping of str to str
        Explainers it cannot serve, and why.
    failures : mapping of (str, int) to Failure
        Explainer, or 'prediction', and picture that failed.
    """

    member: Member
    status: str
    reason: str
    facts: ModelFacts | None
    digest: str
    provider: str
    predicted: Int64Array
    unsupported: Mapping[str, str]
    failures: Mapping[tuple[str, int], Failure]
    _store: RunStore
    _pictures: Sequence[Picture]

    def explanation(self, explainer: str, picture: int) -> Explanation | None:
        """Return the explanation of a picture, a map at the member's own size; None where there is none."""
        receipt = self._store.explanation_receipts(explainer, self.digest).get(picture) if self.digest else None
        if receipt is None or (explainer, picture) in self.failures:
            return None
        segments = self._pictures[picture].segments.get(explainer)
        return stored_explanation(self._store, explainer, self.digest, picture, receipt, segments)


def ask_members(
    folder: Path,
    members: Sequence[Member],
    pictures: Sequence[Picture],
    *,
    explainers: Sequence[Explainer],
    settings: AuditSettings,
    targets: Targets = "own",
    listen: Listener = silent,
) -> tuple[Answers, ...]:
    """Explain pictures with members, each in a worker process of its own, exactly as an audit does.

    Parameters
    ----------
    folder : Path
        A new or empty folder that keeps the work; an interrupted one is taken up.
    members : sequence of Member
        Whom to ask.
    pictures : sequence of Picture
        About what. Nothing is decoded and no superpixel is cut: what is given is what members see.
    explainers : sequence of Explainer
        Which explanations.
    settings : AuditSettings
        Seed, runtime and limits count.
    targets : 'own', 'first' or sequence of int or None
        The class explained: each member's own top-1, the first member's top-1 for all of them, or one per picture, its
        own where that is None.
    listen : callable
        Is told `Event` objects.

    Returns
    -------
    tuple of Answers
        One per member, failed ones too, with status and reason.

    Raises
    ------
    StoreError
        If the folder cannot be used.
    """
    chosen = tuple(explainers)
    with claimed_folder(folder, run_identity(settings, chosen)):
        store = RunStore(folder)
        images = tuple(_laid_down(store, row, picture) for row, picture in enumerate(pictures))
        stage = MembersStage(store, settings, chosen, images, listen, FolderPresence.of(folder))
        states = [MemberState(member) for member in members]
        for state in states:
            stage.recall(state)
        if targets == "first":
            stage.predict(states[:1])
        stage.explain(states, _target_policy(targets, states))
        return tuple(_answers(state, store, pictures) for state in states)


def decode_pictures(
    folder: Path,
    items: Sequence[Item],
    settings: AuditSettings,
    listen: Listener = silent,
) -> tuple[UInt8Array | Failure, ...]:
    """Bring picture files to the canvas in a worker process, as an audit does.

    Parameters
    ----------
    folder : Path
        A new or empty folder that keeps the work.
    items : sequence of Item
        The files.
    settings : AuditSettings
        Canvas and limits count.
    listen : callable
        Is told `Event` objects.

    Returns
    -------
    tuple of uint8 (H, W, 3) or Failure
        One per item.
    """
    with claimed_folder(folder, run_identity(settings, ())):
        store = RunStore(folder)
        stage = prepare_images(store, items, settings, (), listen, FolderPresence.of(folder))
        rows = {image.item.name: image.row for image in stage.images}
        return tuple(
            store.canvas(rows[item.name]) if item.name in rows else stage.failures[item.name] for item in items
        )


def _laid_down(store: RunStore, row: int, picture: Picture) -> PreparedImage:
    """Put a picture where members look for it, unless it lies there."""
    arrays = {"canvas": picture.canvas}
    arrays |= {f"segments/{name}": labels.astype(np.uint16) for name, labels in picture.segments.items()}
    digests = {name: array_digest(array) for name, array in sorted(arrays.items())}
    counts = {name: int(labels.max()) + 1 for name, labels in picture.segments.items()}
    digest = canvas_digest(picture.canvas)
    if store.image_receipts().get(row, {}).get("arrays") != digests:
        store.commit_image(row, {"digest": digest, "superpixels": counts, "mask_file": None}, arrays)
    return PreparedImage(Item(picture.name, Path(picture.name)), row, digest, digests, counts)


def _target_policy(targets: Targets, states: Sequence[MemberState]) -> Callable[[MemberState, PreparedImage], int]:
    if targets == "own":
        return lambda state, image: state.predicted[image.row]
    if targets == "first":
        return lambda state, image: states[0].predicted.get(image.row, state.predicted[image.row])
    given = list(targets)

    def as_given(state: MemberState, image: PreparedImage) -> int:
        target = given[image.row]
        return state.predicted[image.row] if target is None else int(target)

    return as_given


def _answers(state: MemberState, store: RunStore, pictures: Sequence[Picture]) -> Answers:
    status, reason = state.outcome()
    predicted = np.array([state.predicted.get(row, -1) for row in range(len(pictures))], np.int64)
    digest = "" if state.facts is None else state.digest
    return Answers(
        state.member,
        status,
        reason,
        state.facts,
        digest,
        state.provider,
        predicted,
        dict(state.unsupported),
        dict(state.failures),
        store,
        tuple(pictures),
    )
