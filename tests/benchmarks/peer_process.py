"""Tools that wait in processes of their own and are asked in turn: a line of JSON in, a line of JSON out.

The parent's side is `Tool`, the child's is `serve`. Needs nothing but NumPy: it runs in the project's Python and in the
peers'. A process holds one tool, so that its peak memory is the tool's.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Explaining(Protocol):
    """What is timed: explanations of the job's picture for its target, opened and ready."""

    batches: Sequence[int]
    """Batch sizes to choose among; empty where the tool's own way is taken."""
    batch: int

    def explain(self, seed: int, samples: int) -> Any:
        """Return superpixel weights (K,) or a map (H, W); an empty array where there is nothing to compare."""

    def clean(self) -> Any:
        """Return the target's logit, the largest logit's class: all tools must mean the same network."""


class Tool:
    """A child process that holds one tool."""

    def __init__(self, command: Sequence[str], job: Mapping[str, Any], log: Path) -> None:
        threads = str(job["threads"])
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, threads), "ORT_DISABLE_TELEMETRY": "1"}
        self.log = log
        with log.open("w") as errors:
            pipe = subprocess.PIPE
            self.child = subprocess.Popen(
                list(command), stdin=pipe, stdout=pipe, stderr=errors, text=True, env=environment
            )
        self.opened = self.ask("open", job=dict(job))

    def ask(self, do: str, **given: Any) -> dict[str, Any]:
        """Let the child do one thing and return what it answers; exits with what it wrote where it fails."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(json.dumps({"do": do, **given}) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": self.log.read_text()}
        if "error" in answer:
            sys.exit(f"{' '.join(self.child.args)}: {do} failed\n{answer['error']}")  # type: ignore[arg-type]
        return answer

    def close(self) -> None:
        """End the child: it stops where its input does."""
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait()


def serve(tools: Mapping[str, Callable[[Mapping[str, Any]], Explaining]], packages: Sequence[str]) -> None:
    """Answer the parent until its end; `packages` are those whose versions matter."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print
    tool: Any = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if asked["do"] == "open":
                _confine(asked["job"]["threads"])
                tool = tools[asked["job"]["tool"]](asked["job"])
                tool.batch = asked["job"].get("batch") or tool.batch
                target, predicted = tool.clean()
                versions = {name: _version(name) for name in packages}
                versions["python"] = sys.version.split()[0]
                answer = {"target": target, "predicted": predicted, "batches": list(tool.batches)}
                answer |= {"versions": versions, "mb": resident("VmRSS")}
            elif asked["do"] == "tune":
                answer = {"batch": _best_batch(tool, asked["samples"])}
            else:
                answer = _timed(tool, asked)
        except Exception:  # whatever fails, the parent tells
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def resident(what: str) -> float:
    """Return MB (10^6 bytes) of this process: VmRSS now, VmHWM at most.

    Not resource's ru_maxrss, which begins with the size of the parent that forked.
    """
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"{what}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def _confine(threads: int) -> None:
    """Leave this process as many cores as it has threads: dianna's sessions take all there are."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _best_batch(tool: Explaining, samples: int) -> int:
    """Return the batch size at which few samples take the least time, of three tries each."""
    least = dict.fromkeys(tool.batches, np.inf)
    for _ in range(3):  # the first warms up
        for batch in least:
            tool.batch = batch
            began = time.perf_counter()
            tool.explain(0, samples)
            least[batch] = min(least[batch], time.perf_counter() - began)
    return min(least, key=lambda batch: least[batch])


def _timed(tool: Explaining, asked: Mapping[str, Any]) -> dict[str, Any]:
    began, cpu_began = time.perf_counter(), time.process_time()
    values = tool.explain(asked["seed"], asked["samples"])
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    np.save(asked["into"], np.asarray(values, np.float64))
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": resident("VmHWM")}
