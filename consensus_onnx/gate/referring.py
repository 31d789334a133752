"""What candidates are held against beside the committee: the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consensus_onnx.arrays import Int64Array
from consensus_onnx.engine.questioning import Answers
from consensus_onnx.errors import ModelError
from consensus_onnx.gate.baseline import Baseline, FrozenExplainer
from consensus_onnx.gate.candidates import Reference
from consensus_onnx.gate.evidence import (
    Explained,
    Noise,
    explained,
    frozen_noise,
    frozen_reference,
    predicted_noise,
)


@dataclass(frozen=True)
class Against:
    """The reference, explained: by explainer, with its noise, and what it predicts."""

    reference: Reference | None
    explained: dict[str, Explained]
    noise: dict[str, Noise]
    predicted: Int64Array | None
    answers: Answers | None


def against(
    frozen: Baseline, entries: Sequence[FrozenExplainer], reference: Reference | None, answers: Answers | None
) -> Against:
    """Return a reference's explanations and their noise, from the baseline or from what its file answered.

    Raises
    ------
    ModelError
        If it has no explanation at all.
    """
    found: dict[str, Explained] = {}
    noise: dict[str, Noise] = {}
    predicted = None
    if reference is not None and reference.index is not None:
        index = reference.index
        predicted = frozen.predicted[index]
        for entry in entries:
            if (entry.targets[index] >= 0).any():
                found[entry.name] = frozen_reference(index, entry, frozen)
                noise[entry.name] = frozen_noise(index, entry.reruns)
    elif reference is not None and answers is not None:
        predicted = answers.predicted
        for entry in entries:
            mine = explained(answers, entry, frozen)
            if (mine.targets >= 0).any():
                found[entry.name] = mine
                noise[entry.name] = predicted_noise(answers, entry, mine, frozen)
    if reference is not None and not found:
        why = f": {answers.status}: {answers.reason}" if answers is not None else ""
        raise ModelError(f"--reference {reference.name}: cannot be explained{why}")
    return Against(reference, found, noise, predicted, answers)
