"""Asking workers for one thing: the opening is the answer, and what is written comes into place whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from consensus_onnx.engine.jobs import GradientJob, Job, RandomisingJob
from consensus_onnx.engine.limits import Limits
from consensus_onnx.engine.receipts import SCRATCH
from consensus_onnx.engine.supervisor import Script, Task, WorkerError, run_tasks
from consensus_onnx.errors import ModelError, UnsupportedOperatorError


@dataclass(frozen=True)
class Opening:
    """What a worker said when it had opened its model.

    Attributes
    ----------
    header : mapping
        The answer; empty where there is none.
    problem : str
        Why there is none; empty if there is.
    kind : str
        Of the problem, as the worker named it: 'error', 'rejected', 'unsupported' or 'oom'.
    died : str
        How the worker ended without an answer, such as 'crashed(SIGSEGV)'; empty if it answered.
    """

    header: Mapping[str, Any]
    problem: str = ""
    kind: str = ""
    died: str = ""

    @property
    def in_words(self) -> str:
        """The problem, with how the worker ended if it did."""
        return f"{self.died}: {self.problem}" if self.died else self.problem


def openings(
    jobs: Mapping[str, Job],
    workers: int,
    limits: Limits,
    hear: Callable[[str, Opening], None] = lambda name, opening: None,
) -> dict[str, Opening]:
    """Start a worker for each job, and take its opening for the whole answer.

    Parameters
    ----------
    jobs : mapping of str to Job
        By any name.
    workers : int
        Processes side by side.
    limits : Limits
        Of each.
    hear : callable
        Is given the name and the opening as each comes in.

    Returns
    -------
    dict of str to Opening
        In the order of the jobs.
    """
    found: dict[str, Opening] = {}

    def script(name: str) -> Script:
        try:
            header = dict((yield {}).header)
        except WorkerError as failure:
            found[name] = Opening({}, str(failure), died=failure.status)
        else:
            header.pop("contained", None)  # every worker tells how it is contained: no part of the answer
            error = header.get("error")
            found[name] = Opening({}, error["text"], error["kind"]) if error else Opening(header)
        hear(name, found[name])

    tasks = iter([Task(job, script(name)) for name, job in jobs.items()])
    run_tasks(lambda: next(tasks, None), workers, limits)
    return {name: found[name] for name in jobs}


def only_answer(job: Job, model: Path, limits: Limits | None = None) -> Mapping[str, Any]:
    """Return what the worker of a job says of a model, by name.

    Raises
    ------
    UnsupportedOperatorError
        If operators have no gradient rule.
    ModelError
        If anything else is wrong with the model, or its worker died of it.
    """
    opening = openings({"": job}, 1, limits or Limits())[""]
    if opening.died:
        raise ModelError(f"{model}: {opening.problem}")
    if opening.problem:
        raise (UnsupportedOperatorError if opening.kind == "unsupported" else ModelError)(opening.problem)
    return opening.header


def only_file(job: GradientJob | RandomisingJob, limits: Limits | None = None) -> Mapping[str, Any]:
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
