"""Where an audit's time goes: in ONNX Runtime, and outside it before, between and after the passes.

    python tests/benchmarks/audit_shares.py MODELS --images DIR [--count 8] [--set SETTING=VALUE ...]

runs `consensus-onnx audit` on the first pictures of DIR as a user would, all of it: start, decoding, superpixels,
opening and timing the members, passes, storing, voting, report. In all its processes every session's run is watched
from outside (a `sitecustomize` module on their path); seconds are weighted by the share of the cores that the session's
threads are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# What every Python process of the audit imports first. Workers may not open files: the descriptor is open before that.
_WATCH = """
import os, sys, time
_log = os.open(os.environ["AUDIT_SHARES_LOG"], os.O_WRONLY | os.O_APPEND)

def _watch(ort):
    def timed(run):
        def timed_run(self, *given, **named):
            began = time.monotonic()
            try:
                return run(self, *given, **named)
            finally:
                threads = self.get_session_options().intra_op_num_threads
                os.write(_log, f"{os.getpid()} {threads} {began} {time.monotonic()}\\n".encode())
        return timed_run
    ort.InferenceSession.run = timed(ort.InferenceSession.run)
    ort.InferenceSession.run_with_iobinding = timed(ort.InferenceSession.run_with_iobinding)

class _Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "onnxruntime":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec
        spec = find_spec(name)
        load = spec.loader.exec_module
        def load_and_watch(module):
            load(module)
            _watch(module)
        spec.loader.exec_module = load_and_watch
        return spec

sys.meta_path.insert(0, _Finder())
"""


def main() -> None:
    """Run one audit and print where its time went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8, help="pictures, the first of the folder")
    parser.add_argument("--set", action="append", default=[], help="as of consensus-onnx audit")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        for path in sorted(path for path in options.images.iterdir() if path.is_file())[: options.count]:
            shutil.copy(path, folder / "images")
        (folder / "watch").mkdir()
        (folder / "watch" / "sitecustomize.py").write_text(_WATCH, encoding="utf-8")
        log = folder / "passes"
        log.touch()
        program = Path(sys.executable).with_name("consensus-onnx")
        command = [str(program), "audit", str(options.models), "--images", str(folder / "images")]
        command += ["--out", str(folder / "run"), *(word for one in options.set for word in ("--set", one))]
        watched = {**os.environ, "PYTHONPATH": str(folder / "watch"), "AUDIT_SHARES_LOG": str(log)}
        began = time.monotonic()
        subprocess.run(command, env=watched, check=True)
        ended = time.monotonic()
        lines = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    passes = [(int(threads) or cores, float(start), float(end)) for _, threads, start, end in lines]
    whole = ended - began
    inside = sum(threads / cores * (end - start) for threads, start, end in passes)
    first, last = min(start for _, start, _ in passes), max(end for *_, end in passes)
    parts = {
        "before the first pass": first - began,
        "between passes": last - first - inside,
        "after the last pass": ended - last,
    }
    sys.stdout.write(f"{whole:.1f} s, {len(passes)} passes: {inside / whole:.1%} in ONNX Runtime\n")
    for part, seconds in parts.items():
        sys.stdout.write(f"  {part}: {seconds:.2f} s, {seconds / whole:.1%}\n")


if __name__ == "__main__":
    main()
