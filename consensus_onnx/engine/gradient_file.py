"""Writing one model's gradient graph to a file, in a worker process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from consensus_onnx.engine.jobs import GradientJob
from consensus_onnx.engine.limits import Limits
from consensus_onnx.engine.one_answer import only_file


@dataclass(frozen=True)
class GradientFile:
    """What was written, and how it compares with differences of the model.

    Attributes
    ----------
    path : Path
        The gradient model.
    output, gradient : str
        Tensor that is differentiated, output that holds the gradient.
    seed : str or None
        Input that weighs the differentiated tensor; None where the target is fixed.
    nodes_before, nodes_after : int
        Of the model and of the gradient model.
    max_relative_error : float or None
        Largest disagreement with directional differences, of the largest derivative; None if not checked.
    resolution : float or None
        What such differences can decide for this model.
    """

    path: Path
    output: str
    gradient: str
    seed: str | None
    nodes_before: int
    nodes_after: int
    max_relative_error: float | None
    resolution: float | None


def write_gradient(job: GradientJob, limits: Limits | None = None) -> GradientFile:
    """Make a gradient model, write it, and check it if the job says so.

    Raises
    ------
    UnsupportedOperatorError
        If operators on the way have no rule.
    ModelError
        If the model cannot be loaded, differentiated or written, or its worker died of it.
    """
    return GradientFile(job.out, **only_file(job, limits))
