"""From a finished run to a baseline."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from consensus_onnx.arrays import AnyArray
from consensus_onnx.committee import Committee, Member, ModelFacts
from consensus_onnx.config import build_settings
from consensus_onnx.config.values import did_you_mean
from consensus_onnx.consensus import ConsensusSettings
from consensus_onnx.engine.events import Listener, silent
from consensus_onnx.engine.questioning import Answers, Picture, ask_members
from consensus_onnx.engine.run import Run
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.errors import BaselineError, ConfigError
from consensus_onnx.explainers import Lime, SmoothGrad
from consensus_onnx.gate.baseline import Baseline, BuiltIn, FrozenExplainer, FrozenImage, FrozenMember, Reruns
from consensus_onnx.gate.scoring import Yardstick, on_grid
from consensus_onnx.runtime import RuntimeSettings

DRAWS = 8  # reruns drawn from the standard errors: their mean is known to a third of one rerun's spread
_BUILT_IN: dict[str, type[BuiltIn]] = {"lime": Lime, "smoothgrad": SmoothGrad}


@dataclass(frozen=True)
class FreezeOptions:
    """What goes into a baseline.

    Attributes
    ----------
    explainers : tuple of str
        Some of the run's; empty takes all.
    limit : int or None
        The first so many images.
    by_reference : bool
        Whether pictures stay outside, and only their digests go in.
    keep : tuple of str or None
        Members whose explanations go in, so that they can be a reference without their file; None keeps all.
    repeats : int
        How often members are explained again with other seeds to measure the noise; 0 predicts it from the standard
        errors of the explanations.
    """

    explainers: tuple[str, ...] = ()
    limit: int | None = None
    by_reference: bool = False
    keep: tuple[str, ...] | None = None
    repeats: int = 0


def freeze(
    run: Run,
    options: FreezeOptions | None = None,
    *,
    committee: Committee | None = None,
    engine: AuditSettings | None = None,
    listen: Listener = silent,
) -> Baseline:
    """Freeze a finished run.

    Parameters
    ----------
    run : Run
        A finished run; members that were not explained do not go in.
    options : FreezeOptions, optional
        What goes in.
    committee : Committee, optional
        The run's models, needed for `options.repeats`.
    engine : AuditSettings, optional
        Workers and limits for them.
    listen : callable
        Is told `Event` objects.

    Returns
    -------
    Baseline
        To be written by `write_baseline`.

    Raises
    ------
    ConfigError
        If explainers or members are named that the run does not have.
    BaselineError
        If the run holds nothing to freeze.
    """
    options = options or FreezeOptions()
    settings = build_settings(AuditSettings, _known_settings(run), source=str(run.path / "run.yaml"))
    chosen = _chosen(run, settings, options.explainers)
    images = run.images[: options.limit]
    members = _explained(run, [explainer.name for explainer in chosen])
    kept = _kept(options.keep, [run.members[index].name for index in members])
    frozen_images = tuple(
        FrozenImage(image.name, image.label, run.file_digest(index), image.digest) for index, image in enumerate(images)
    )
    segments = {
        explainer.name: np.stack([run.segments(explainer.name, index) for index in range(len(images))])
        for explainer in chosen
        if explainer.kind == "superpixel"
    }
    predicted = np.full((len(members), len(images)), -1, np.int64)
    explainers = tuple(_explainer(run, explainer, members, len(images), kept, predicted) for explainer in chosen)
    masks = [run.mask(index) for index in range(len(images))]
    side = settings.canvas.crop
    baseline = Baseline(
        committee=run.name,
        classes=int(run.settings["committee"]["classes"]),
        target=settings.target,
        seed=settings.seed,
        canvas=settings.canvas,
        runtime=RuntimeSettings(settings.runtime.provider, optimisation=settings.runtime.optimisation),
        storage=settings.storage,
        members=tuple(_member(run, index, frozen_images, row) for index, row in zip(members, predicted, strict=True)),
        images=frozen_images,
        predicted=predicted,
        canvases=np.stack([run.canvas(index) for index in range(len(images))]),
        masks=np.stack([np.zeros((side, side), np.bool_) if mask is None else mask for mask in masks])
        if any(mask is not None for mask in masks)
        else None,
        segments=segments,
        explainers=explainers,
        versions={str(name): str(version) for name, version in run.settings.get("versions", {}).items()},
    )
    if options.repeats:
        baseline = _measured(baseline, run, members, committee, options.repeats, engine or AuditSettings(), listen)
    return replace(baseline, canvases=None) if options.by_reference else baseline


def pictures_of(baseline: Baseline, canvases: AnyArray) -> tuple[Picture, ...]:
    """Return the frozen pictures with their superpixels, as members are asked about them."""
    return tuple(
        Picture(image.name, canvases[index], {name: labels[index] for name, labels in baseline.segments.items()})
        for index, image in enumerate(baseline.images)
    )


def inheritable(facts: ModelFacts) -> dict[str, dict[str, Any]]:
    """Return what a new export of a model keeps: preprocessing, colour order, class offset, size where it is open.

    Layout, names and kind of output are left to each file: an export may change them, and shows them.
    """
    scaling = facts.preprocessing
    return {
        "input": {"color": facts.input.color, "size": list(facts.input.size)},
        "preprocess": {"scale": scaling.scale, "mean": list(scaling.mean), "std": list(scaling.std)},
        "output": {"class_offset": facts.output.class_offset},
    }


def _known_settings(run: Run) -> dict[str, Any]:
    """Return the run's settings without those of explainers that are not ours."""
    settings = dict(run.settings["settings"])
    settings["explainers"] = [name for name in settings["explainers"] if name in _BUILT_IN] or ["lime"]
    return {name: value for name, value in settings.items() if name in AuditSettings.__dataclass_fields__}


def _chosen(run: Run, settings: AuditSettings, wanted: Sequence[str]) -> tuple[BuiltIn, ...]:
    for name in wanted:
        if name not in run.explainers:
            hint = did_you_mean(name, run.explainers)
            raise ConfigError(f"--explainer: {run.path} has no {name!r}{hint}; it has {', '.join(run.explainers)}")
    names = tuple(dict.fromkeys(wanted)) or run.explainers
    identities = run.settings["identity"]["explainers"]
    foreign = [
        name
        for name in names
        if name not in _BUILT_IN or not str(identities[name]["class"]).startswith("consensus_onnx.explainers.")
    ]
    if foreign:
        raise ConfigError(
            f"{run.path}: a baseline holds lime and smoothgrad, not {foreign[0]!r}; freeze with --explainer lime"
        )
    return tuple(settings.lime if name == "lime" else settings.smoothgrad for name in names)


def _explained(run: Run, explainers: Sequence[str]) -> list[int]:
    """Return the indices of the members that have at least one score."""
    found = np.any([np.isfinite(run.scores(name)).any(axis=1) for name in explainers], axis=0)
    if not found.any():
        raise BaselineError(f"{run.path}: no member has a score; there is nothing to freeze")
    return [int(index) for index in np.flatnonzero(found)]


def _kept(keep: Sequence[str] | None, names: Sequence[str]) -> set[str]:
    for name in keep or ():
        if name not in names:
            raise ConfigError(
                f"--keep: no explained member {name!r}{did_you_mean(name, names)}; there are: {', '.join(names)}"
            )
    return set(names if keep is None else keep)


def _member(run: Run, index: int, images: Sequence[FrozenImage], predicted: AnyArray) -> FrozenMember:
    record = run.members[index]
    right = [
        int(own == image.label)
        for own, image in zip(predicted, images, strict=True)
        if image.label is not None and own >= 0
    ]
    return FrozenMember(
        record.name,
        record.family,
        record.digest,
        record.provider,
        float(np.mean(right)) if right else None,
        inheritable(run.facts(index)),
    )


def _explainer(
    run: Run, explainer: BuiltIn, members: Sequence[int], images: int, kept: set[str], predicted: AnyArray
) -> FrozenExplainer:
    """Freeze one explainer's part; fills in what members predict on the way."""
    name = explainer.name
    used = dict(run.settings["consensus"][name])
    sigma, grid = used.pop("sigma_used"), used.pop("grid_used")
    voting = build_settings(ConsensusSettings, used, source=str(run.path / "run.yaml"))
    consensus = tuple(run.consensus(name, index) for index in range(images))
    shape = (len(members), images)
    split_half, targets = np.full(shape, np.nan), np.full(shape, -1, np.int64)
    reruns = Reruns("predicted", *(np.full((DRAWS, *shape), np.nan) for _ in range(3)))
    explanations: dict[str, tuple[AnyArray, ...]] = {}
    for row, index in enumerate(members):
        member, channels = run.members[index].name, run.facts(index).input.channels
        mine: list[AnyArray] = []
        for column in range(images):
            try:
                found = run.native_explanation(name, index, column)
            except KeyError:  # it has none
                mine.append(np.zeros(0))
                continue
            split_half[row, column], targets[row, column] = found.error.split_half, found.target
            predicted[row, column] = found.predicted
            values = on_grid(found.values, grid)
            mine.append(values)
            yardstick = Yardstick(consensus[column], voting, sigma, grid, run.mask(column))
            # Each picture and member draws its own numbers, whoever else is in the run.
            numbers = yardstick.drawn(found, DRAWS, row * 100_003 + column, channels)
            reruns.scores[:, row, column], reruns.similarities[:, row, column], reruns.mask_ap[:, row, column] = numbers
        if member in kept:
            explanations[member] = tuple(mine)
    return FrozenExplainer(
        explainer,
        voting,
        sigma,
        grid,
        consensus,
        run.scores(name)[members][:, :images],
        run.leave_one_out(name)[members][:, :images],
        run.mask_ap(name)[members][:, :images],
        split_half,
        targets,
        run.consensus_ap(name)[:images],
        explanations,
        reruns,
    )


def _measured(
    baseline: Baseline,
    run: Run,
    rows: Sequence[int],
    committee: Committee | None,
    repeats: int,
    engine: AuditSettings,
    listen: Listener,
) -> Baseline:
    """Put reruns that were made in place of those drawn from the standard errors."""
    members = _same_models(baseline, committee)
    assert baseline.canvases is not None
    pictures = pictures_of(baseline, baseline.canvases)
    shared = baseline.shared_targets
    shape = (repeats, len(members), len(pictures))
    found = {e.name: Reruns("measured", *(np.full(shape, np.nan) for _ in range(3))) for e in baseline.explainers}
    with tempfile.TemporaryDirectory(prefix="consensus-onnx-freeze-") as scratch:
        for repeat in range(repeats):
            settings = replace(
                engine,
                seed=baseline.seed + 1 + repeat,
                runtime=baseline.runtime,
                storage=baseline.storage,
            )
            answers = ask_members(
                Path(scratch) / str(repeat),
                members,
                pictures,
                explainers=[entry.explainer for entry in baseline.explainers],
                settings=settings,
                targets="own" if shared is None else shared.tolist(),
                listen=listen,
            )
            for row, (index, answer) in enumerate(zip(rows, answers, strict=True)):
                _check_same(baseline.members[row], answer)
                for entry in baseline.explainers:
                    _fill(found[entry.name], repeat, row, entry, answer, run, index, baseline)
    return replace(
        baseline, explainers=tuple(replace(entry, reruns=found[entry.name]) for entry in baseline.explainers)
    )


def _fill(
    reruns: Reruns,
    repeat: int,
    row: int,
    entry: FrozenExplainer,
    answer: Answers,
    run: Run,
    index: int,
    baseline: Baseline,
) -> None:
    for column in range(len(baseline.images)):
        found = answer.explanation(entry.name, column)
        if found is None or entry.targets[row, column] != found.target:
            continue
        frozen = on_grid(run.native_explanation(entry.name, index, column).values, entry.grid)
        numbers = entry.yardstick(column, baseline.mask(column)).rerun(found.values, frozen, found.segments)
        place = repeat, row, column
        reruns.scores[place], reruns.similarities[place], reruns.mask_ap[place] = numbers


def _same_models(baseline: Baseline, committee: Committee | None) -> list[Member]:
    if committee is None:
        raise ConfigError("--repeats: explains the run's members again: give their folder with --models")
    names = [member.name for member in committee]
    missing = [name for name in baseline.names if name not in names]
    if missing:
        raise ConfigError(f"--models: {committee.folder} holds no member {missing[0]!r}, which the run has explained")
    return [replace(committee.member(name), classes=baseline.classes) for name in baseline.names]


def _check_same(member: FrozenMember, answer: Answers) -> None:
    if answer.facts is None:
        raise BaselineError(f"--repeats: {member.name} cannot be explained again: {answer.status}: {answer.reason}")
    if answer.digest != member.digest:
        raise BaselineError(
            f"{answer.member.path}: is not the {member.name} of the run (model or preprocessing differ); "
            "give the folder that was audited with --models"
        )
