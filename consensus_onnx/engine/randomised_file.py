"""Writing one model with shuffled weights, in a worker process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from consensus_onnx.engine.jobs import RandomisingJob
from consensus_onnx.engine.limits import Limits
from consensus_onnx.engine.one_answer import only_file


@dataclass(frozen=True)
class RandomisedFile:
    """Where a model without knowledge was written, and what was shuffled: tensors, and numbers in them."""

    path: Path
    tensors: int
    weights: int


def write_randomised(job: RandomisingJob, limits: Limits | None = None) -> RandomisedFile:
    """Shuffle a model's weights and write the result.

    Raises
    ------
    ModelError
        If the model cannot be read, has no weights, or the result cannot be written.
    """
    return RandomisedFile(job.out, **only_file(job, limits))
