"""A worker starts soon, alone, and contained."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import consensus_onnx as co
from consensus_onnx.engine.jobs import ImageJob
from consensus_onnx.engine.limits import Limits
from consensus_onnx.engine.supervisor import Script, Task, run_tasks


def opened(seen: list[Mapping[str, Any]]) -> Script:
    opening = yield {}
    seen.append(opening.header)


def test_workers_start_soon_and_say_what_they_are_kept_from() -> None:
    seen: list[Mapping[str, Any]] = []
    seconds = []
    for _ in range(4):
        tasks = iter([Task(ImageJob((), co.CanvasSettings(), {}), opened(seen))])
        began = time.perf_counter()
        run_tasks(lambda tasks=tasks: next(tasks, None), 1, Limits(memory=10**9))  # type: ignore[misc]
        seconds.append(time.perf_counter() - began)
    print(f"first worker {seconds[0]:.2f} s, then {min(seconds[1:]):.2f} s; {seen[-1]['contained']}")  # noqa: T201
    assert [sorted(header["contained"]) for header in seen] == [["files", "memory", "network", "privileges"]] * 4
    assert len({str(header["contained"]) for header in seen}) == 1
    assert seen[0]["contained"]["memory"] == "limited"


KERNEL = """
import numpy as np, sys
from consensus_onnx_kernels.compilation import keep_compiled_in_memory
from consensus_onnx_kernels.votes import minmax
if sys.argv[1] == "keep":
    keep_compiled_in_memory()
print(minmax(np.array([1.0, 3.0])))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "written"), [("keep", False), ("store", True)])
def test_a_kernel_that_is_compiled_in_a_worker_is_not_stored(how: str, written: bool, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KERNEL, how]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[0.", "1.]"]
    assert any(tmp_path.rglob("*.nbc")) == written
