"""Asking a worker for one thing: its opening is the answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consensus_onnx.engine.jobs import Job
from consensus_onnx.engine.limits import Limits
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
