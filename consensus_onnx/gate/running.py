"""The gate from beginning to end: baseline and candidates in, one result out."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from consensus_onnx.config import to_mapping
from consensus_onnx.config.values import did_you_mean
from consensus_onnx.engine.events import Listener, silent
from consensus_onnx.engine.provenance import software_versions
from consensus_onnx.engine.questioning import Targets, ask_members
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.errors import ConfigError
from consensus_onnx.gate.baseline import Baseline, FrozenExplainer
from consensus_onnx.gate.candidates import (
    Reference,
    declared_in,
    find_reference,
    one_model,
    with_preprocessing,
)
from consensus_onnx.gate.concluding import conclude
from consensus_onnx.gate.filing import file_sha256, read_baseline
from consensus_onnx.gate.freezing import pictures_of
from consensus_onnx.gate.pictures import frozen_canvases
from consensus_onnx.gate.referring import against
from consensus_onnx.gate.request import GateRequest
from consensus_onnx.gate.results import GateResult


def gate(
    candidates: Sequence[Path], baseline: Path, request: GateRequest | None = None, *, listen: Listener = silent
) -> GateResult:
    """Hold candidates against a baseline.

    Parameters
    ----------
    candidates : sequence of Path
        ONNX files.
    baseline : Path
        What `write_baseline` wrote.
    request : GateRequest, optional
        Reference, conditions and the rest.
    listen : callable
        Is told `Event` objects as work goes on.

    Returns
    -------
    GateResult
        One entry per candidate; one that could not be explained is 'broken', with the reason.

    Raises
    ------
    BaselineError, ConfigError, ImageError
        If baseline, reference, settings or pictures cannot be used.
    ModelError
        If the reference cannot be explained.

    Notes
    -----
    Which class is explained: where the run explained the label, the majority's class or a fixed one, that; where each
    member explained its own prediction, the reference's prediction is explained to candidate and reference alike, so
    that both answer one question (whether they predict alike is a condition of its own). Without a reference the
    candidate explains its own prediction, as the members did among whom it is placed.
    """
    request = request or GateRequest()
    frozen = read_baseline(baseline)
    entries = _chosen(frozen, request.explainers)
    reference = find_reference(request.reference, frozen)
    if reference is None and request.settings.gate.min_score_percentile is None:
        raise ConfigError(
            "nothing would be judged: without --reference only gate.min_score_percentile can be, and that is null; "
            "name a reference or set a percentile"
        )
    seed = frozen.seed if request.seed is None else request.seed
    runtime = frozen.runtime if request.provider is None else replace(frozen.runtime, provider=request.provider)
    settings = AuditSettings(
        canvas=frozen.canvas, seed=seed, runtime=runtime, storage=frozen.storage, engine=request.settings.engine
    )
    before = [declared_in(one_model(path, frozen.classes), request.preprocessing) for path in candidates]
    with tempfile.TemporaryDirectory(prefix="consensus-onnx-gate-") as scratch:
        canvases = frozen_canvases(frozen, request.images, Path(scratch) / "pictures", settings, listen)
        after = with_preprocessing(before, reference, frozen, settings)
        asked = [reference.member] if reference is not None and reference.member is not None else []
        answers = ask_members(
            Path(scratch) / "answers",
            [*asked, *after],
            pictures_of(frozen, canvases),
            explainers=[entry.explainer for entry in entries],
            settings=settings,
            targets=_targets(frozen, entries, reference),
            listen=listen,
        )
        held = against(frozen, entries, reference, answers[0] if asked else None)
        found = tuple(
            conclude(frozen, entries, canvases, held, declared, answer, request)
            for declared, answer in zip(before, answers[len(asked) :], strict=True)
        )
    return GateResult(
        baseline=str(baseline),
        baseline_sha256=file_sha256(baseline),
        committee=frozen.committee,
        members=len(frozen.members),
        images=len(frozen.images),
        seed=seed,
        settings=to_mapping(request.settings.gate),
        candidates=found,
        versions=software_versions(),
    )


def _chosen(frozen: Baseline, wanted: Sequence[str]) -> tuple[FrozenExplainer, ...]:
    by_name = {entry.name: entry for entry in frozen.explainers}
    for name in wanted:
        if name not in by_name:
            raise ConfigError(
                f"--explainer: the baseline has no {name!r}{did_you_mean(name, by_name)}; it has {', '.join(by_name)}"
            )
    return tuple(by_name[name] for name in dict.fromkeys(wanted)) or frozen.explainers


def _targets(frozen: Baseline, entries: Sequence[FrozenExplainer], reference: Reference | None) -> Targets:
    shared = frozen.shared_targets
    if shared is None and reference is not None and reference.index is None:
        return "first"
    if shared is None and reference is not None:
        shared = entries[0].targets[reference.index]
        for entry in entries[1:]:  # of one member they differ only where one explanation is missing
            shared = np.maximum(shared, entry.targets[reference.index])
    if shared is None:
        return "own"
    return [None if target < 0 else int(target) for target in shared]
