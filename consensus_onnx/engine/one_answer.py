"""Asking a worker for one thing: its opening is the answer, and what it writes comes into place whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from consensus_onnx.engine.jobs import GradientJob, Job, RandomisingJob
from consensus_onnx.engine.limits import Limits
from consensus_onnx.engine.receipts import SCRATCH
from consensus_onnx.engine.supervisor import Script, Task, WorkerError, run_tasks
from consensus_onnx.errors import ModelError, UnsupportedOperatorError


def only_answer(job: Job, model: Path, limits: Limits | None = None) -> dict[str, Any]:
    """Return what the worker of a job says of a model, by name.

    Raises
    ------
    UnsupportedOperatorError
        If operators have no gradient rule.
    ModelError
        If anything else is wrong with the model, or its worker died of it.
    """
    answers: list[Mapping[str, Any]] = []

    def script() -> Script:
        try:
            opening = yield {}
            answers.append(opening.header)
        except WorkerError as failure:
            answers.append({"error": {"text": f"{model}: {failure}", "kind": "error"}})

    tasks = iter([Task(job, script())])
    run_tasks(lambda: next(tasks, None), 1, limits or Limits())
    header = answers[0]
    if "error" in header:
        error = header["error"]
        raise (UnsupportedOperatorError if error["kind"] == "unsupported" else ModelError)(error["text"])
    # Every worker's opening also tells how it is contained, which is no part of the answer.
    return {name: value for name, value in header.items() if name != "contained"}


def only_file(job: GradientJob | RandomisingJob, limits: Limits | None = None) -> dict[str, Any]:
    """Let a worker write `job.out`, and weights beside it, in a folder of its own; put them into place when it is done.

    However the worker ends, no half a file is left and no older one is lost.

    Raises
    ------
    UnsupportedOperatorError, ModelError
        As `only_answer`, or if the place cannot be written to.
    """
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{job.out.name}.", suffix=SCRATCH, dir=job.out.parent))
    except OSError as error:
        raise ModelError(f"{job.out}: cannot be written ({error.strerror}); choose another place") from error
    try:
        answer = only_answer(replace(job, out=staging / job.out.name), job.model, limits)
        # The weights first: the file that names them is the one that people look for.
        for path in sorted(staging.iterdir(), key=lambda path: path.name == job.out.name):
            path.replace(job.out.with_name(path.name))
    except ModelError as error:
        raise type(error)(str(error).replace(str(staging / job.out.name), str(job.out))) from error
    except OSError as error:
        raise ModelError(f"{job.out}: cannot be written ({error.strerror}); choose another place") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return answer
