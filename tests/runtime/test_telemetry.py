"""ONNX Runtime sends nothing: no device id on disk, no thread that would look a collector up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WITH_THE_PACKAGE = """
import consensus_onnx as co, onnx
from onnx import helper, TensorProto
info = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3])
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [info("x")], [info("y")])
model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
from consensus_onnx.runtime import open_session
open_session(model, co.RuntimeSettings(provider="cpu", threads=1))
"""
BARE = "import onnxruntime\n"
WATCH = """
import os, pathlib, time
traces = pathlib.Path(os.environ["HOME"], ".cache", "Microsoft")
end = time.monotonic() + float(os.environ["SECONDS_TO_WATCH"])
while time.monotonic() < end and not traces.exists():
    time.sleep(0.05)
found = "traces" if traces.exists() else "none"
print(found, os.environ.get("ORT_DISABLE_TELEMETRY"), len(os.listdir("/proc/self/task")))
"""


def watched(code: str, home: Path, seconds: float) -> list[str]:
    """Run code in a process that nothing tells to keep quiet, and return [traces, switch, number of threads]."""
    silencers = ("CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in silencers}
    environment |= {"HOME": str(home), "SECONDS_TO_WATCH": str(seconds), "OPENBLAS_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", code + WATCH], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout.split()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_a_session_leaves_no_trace_and_no_thread(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "bare").mkdir()
    # It ends as soon as it has left a trace, long before the 30 s after which it would look its collector up.
    bare_traces, _, bare_threads = watched(BARE, tmp_path / "bare", seconds=5)
    if bare_traces == "none":
        pytest.skip("this build of ONNX Runtime leaves no traces by itself, so their absence would show nothing")
    assert int(bare_threads) > 1
    traces, switch, threads = watched(WITH_THE_PACKAGE, tmp_path / "ours", seconds=1.5)
    assert (traces, switch) == ("none", "1")
    assert int(threads) == 1


def test_the_switch_is_set_before_anything_can_import_the_runtime() -> None:
    code = "import os, sys, consensus_onnx; print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1", "False"]


def test_opening_a_session_sets_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the child processes of someone who took it out of the environment."""
    from consensus_onnx.runtime import runtime_version

    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    runtime_version()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
