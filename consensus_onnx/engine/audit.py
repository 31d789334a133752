"""An audit from beginning to end: pictures, members, consensus, scores, tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from consensus_onnx.committee import Committee
from consensus_onnx.engine.events import Listener, Notice, silent
from consensus_onnx.engine.folder import claimed_folder, run_identity
from consensus_onnx.engine.images_stage import ImageStage, PreparedImage, prepare_images
from consensus_onnx.engine.member_state import MemberState
from consensus_onnx.engine.members_stage import MembersStage
from consensus_onnx.engine.presence import FolderPresence
from consensus_onnx.engine.results import write_results
from consensus_onnx.engine.run import Run
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.errors import ConfigError, ImageError, ModelError, StoreError
from consensus_onnx.explainers import Explainer
from consensus_onnx.images import Dataset, read_dataset


def audit(
    committee: Committee,
    images: str | Path | Dataset,
    *,
    out: str | Path,
    labels: str | Path | None = None,
    explainers: Sequence[Explainer] | None = None,
    settings: AuditSettings | None = None,
    listen: Listener = silent,
    retry_failed: bool = False,
) -> Run:
    """Explain every member on every image, vote, score, and leave a run folder.

    Parameters
    ----------
    committee : Committee
        From `load_committee`.
    images : path or Dataset
        A folder of pictures, or what `read_dataset` made of one.
    out : path
        The run folder. One that an audit with the same settings left is taken up: only what is missing is done.
    labels : path, optional
        labels.csv beside the images.
    explainers : sequence of Explainer, optional
        Default: the ones `settings` names.
    settings : AuditSettings, optional
        Everything else; default as in configs/default.yaml.
    listen : callable
        Is told `Event` objects as work goes on.
    retry_failed : bool
        Ask again what crashed, hung or ran out of memory in an earlier audit of this run folder.

    Returns
    -------
    Run
        The opened run folder. Members and images that failed are in it with status and reason.

    Raises
    ------
    ConfigError
        If settings, labels and committee do not fit together.
    ImageError
        If the folder holds no usable picture.
    ModelError
        If not one member could be used.
    StoreError
        If the run folder cannot be used.

    Notes
    -----
    Models and pictures are read in worker processes: call this under ``if __name__ == "__main__":`` in a script.
    """
    settings = settings or AuditSettings()
    chosen = tuple(explainers) if explainers is not None else settings.chosen_explainers()
    _check_names(chosen)
    dataset = images if isinstance(images, Dataset) else read_dataset(Path(images), labels, classes=committee.classes)
    items = dataset.items[: settings.limit]
    for text in dataset.notices:
        listen(Notice(text))
    if settings.target == "label" and any(item.label is None for item in items):
        missing = next(item.name for item in items if item.label is None)
        raise ConfigError(f"target label needs a label for every image; {missing} has none: add it to --labels")
    folder = Path(out)
    try:
        with claimed_folder(folder, run_identity(settings, chosen)) as identity:
            store = RunStore(folder)
            presence = FolderPresence.of(folder)
            stage = prepare_images(store, items, settings, chosen, listen, presence, retry_failed)
            if not stage.images:
                first = next((failure.reason for failure in stage.failures.values()), "none given")
                raise ImageError(f"none of the {len(items)} images can be used; the first: {first}")
            members = MembersStage(store, settings, chosen, stage.images, listen, presence, retry_failed)
            states = _ask_members(members, committee, stage)
            presence.check()
            write_results(store, identity, committee, states, stage, items, settings, chosen)
    except BrokenPipeError:  # of a listener that prints
        raise
    except OSError as error:
        raise StoreError(
            f"{folder}: the audit cannot go on: {error}; what is stored stays valid, run the same command again once "
            "that is mended"
        ) from error
    return Run.open(folder)


def _ask_members(members: MembersStage, committee: Committee, stage: ImageStage) -> list[MemberState]:
    store, settings = members.store, members.settings
    states = [MemberState(member) for member in committee]
    for state in states:
        members.recall(state)
    if committee.classes is None:
        # Nobody declared the label space: every model must be seen before any work is spent on it.
        members.open_members(states)
    _check_labels(stage.images, settings, committee.classes or _common_classes(states))
    if settings.target == "majority":
        members.predict(states)
    members.explain(states, _target_policy(settings, store, states))
    if not any(_explained(store, state, stage, members.explainers) for state in states):
        reasons = "; ".join(f"{state.member.name}: {state.outcome()[1]}" for state in states[:3])
        raise ModelError(f"none of the {len(states)} members can be used: {reasons}")
    return states


def _explained(store: RunStore, state: MemberState, stage: ImageStage, explainers: tuple[Explainer, ...]) -> bool:
    """Whether there is a single explanation of a member."""
    rows = {image.row for image in stage.images}
    return state.facts is not None and any(
        rows & store.explanation_receipts(explainer.name, state.digest).keys() for explainer in explainers
    )


def _target_policy(
    settings: AuditSettings, store: RunStore, states: Sequence[MemberState]
) -> Callable[[MemberState, PreparedImage], int]:
    """Return which class is explained to whom."""
    target = settings.target
    if target == "predicted":
        return lambda state, image: state.predicted[image.row]
    if target == "label":
        return lambda state, image: int(image.item.label or 0)
    if isinstance(target, int):
        return lambda state, image: target
    majority: dict[int, int] = {}

    def most_voted(state: MemberState, image: PreparedImage) -> int:
        if image.row not in majority:
            majority[image.row] = _majority(store, [s for s in states if image.row in s.predicted], image.row)
        return majority[image.row]

    return most_voted


def _majority(store: RunStore, states: Sequence[MemberState], row: int) -> int:
    """Return the class most members predict; of several, the one with the highest mean probability."""
    votes = np.bincount([state.predicted[row] for state in states])
    tied = np.flatnonzero(votes == votes.max())
    if len(tied) == 1:
        return int(tied[0])
    mean = np.mean([store.probabilities(state.digest, row) for state in states], axis=0)
    return int(tied[np.argmax(mean[tied])])


def _common_classes(states: Sequence[MemberState]) -> int | None:
    """Return the number of classes that all opened members share.

    Raises
    ------
    ConfigError
        If they differ: nothing then says which label space is meant.
    """
    by_count: dict[int, str] = {}
    for state in states:
        if state.facts is not None:
            by_count.setdefault(state.facts.output.classes, state.member.path.name)
    if len(by_count) > 1:
        listing = ", ".join(f"{name} has {count}" for count, name in sorted(by_count.items()))
        raise ConfigError(
            f"the members' class counts differ: {listing}; declare `classes` in committee.yaml (and "
            "output.class_offset where a model has a background class), or leave models out"
        )
    return next(iter(by_count), None)


def _check_labels(images: Sequence[PreparedImage], settings: AuditSettings, classes: int | None) -> None:
    if classes is None:
        return
    if isinstance(settings.target, int) and settings.target >= classes:
        raise ConfigError(f"target: must be a class in 0..{classes - 1}, got {settings.target}")
    outside = [image.item for image in images if image.item.label is not None and image.item.label >= classes]
    if outside:
        raise ConfigError(
            f"{len(outside)} labels lie outside the committee's classes 0..{classes - 1}, the first: "
            f"{outside[0].name} has {outside[0].label}; check that labels and models number classes alike"
        )


def _check_names(explainers: Sequence[Explainer]) -> None:
    names = [explainer.name for explainer in explainers]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"explainers must have names that differ, got {names}; give one of them another name")
    reserved = {"images", "rows", "superpixels", "predictions", "results", "members", "failures", "workers"} & set(
        names
    )
    if reserved:
        raise ConfigError(f"explainer name {reserved.pop()!r} is reserved for the run folder; choose another")
    odd = next((name for name in names if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name, re.ASCII)), None)
    if odd is not None:  # it names folders and columns
        raise ConfigError(f"explainer name {odd!r} must be letters, digits, _ and - only; choose another")
