"""Time gradient passes against forward passes: alternating, in one process, minima of several rounds.

    python tests/benchmarks/gradient_ratios.py [--batch 8] [--rounds 15] [--threads 2] MODEL.onnx ...

prints one line per model. With --torch, PyTorch's eager autograd takes its turn between the two, in a process of its
own; TORCH_PYTHON needs torch and timm, and the file's folder names the timm architecture (resnet50/model.onnx, as
tests/references/timm_export.py writes it):

    python tests/benchmarks/gradient_ratios.py --torch TORCH_PYTHON resnet50/model.onnx

The gradient is of the logits by the input; the pass computes the outputs too. With --pieces 1 2 4, all three also deal
with the same number of pictures in passes of these sizes, and each is told at its quickest: how SmoothGrad makes them.
--against GRADIENT.onnx lets the gradient model of one network, as another version wrote it, take its turn. --profile
adds where the time goes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from consensus_onnx.arrays import AnyArray
from consensus_onnx.gradients import gradient_model
from consensus_onnx.runtime import RuntimeSettings, open_session
from consensus_onnx.runtime.telemetry import disable_telemetry

# Threads of the run before, ORT's and OpenMP's, wait actively for a moment and would take half of a small machine.
_PAUSE = 0.05


def main() -> None:
    """Print one line per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch", metavar="TORCH_PYTHON")
    parser.add_argument("--against", type=Path, metavar="GRADIENT.onnx")
    parser.add_argument("--profile", action="store_true", help="milliseconds per picture of each kind of operator")
    parser.add_argument("--pieces", type=int, nargs="+", default=[], help="sizes of smaller passes to try, too")
    options = parser.parse_args()
    for path in options.models:
        forward, gradient = onnx.load(path), gradient_model(path)
        settings = RuntimeSettings(threads=options.threads)
        models = {"forward": forward, "gradient": gradient}
        if options.against:
            models["other"] = onnx.load(options.against)
        passes: dict[tuple[str, int], Callable[[], float]] = {}
        for size in (options.batch, *options.pieces):
            feeds = random_feeds(gradient, size)
            passes |= {(name, size): session_pass(model, feeds, settings) for name, model in models.items()}
            if options.torch:
                passes["torch", size] = torch_pass(options.torch, path.parent.name, size, options.threads)
        best = least_milliseconds(passes, options.batch, options.rounds)
        sys.stdout.write(f"{path.parent.name}/{path.name}: {told(best, options.batch)}\n")
        if options.pieces:
            sys.stdout.write(f"  each in its quickest passes: {told(best)}\n")
        if options.profile:
            feeds = random_feeds(gradient, options.batch)
            for name, model in models.items():
                spent = profile(model, feeds, options.threads)
                whole = sum(spent.values())
                shares = ", ".join(f"{kind} {ms / options.batch:.2f}" for kind, ms in spent.most_common(14))
                sys.stdout.write(f"  {name} {whole / options.batch:.2f}: {shares}\n")


def least_milliseconds(
    passes: dict[tuple[str, int], Callable[[], float]], pictures: int, rounds: int
) -> dict[tuple[str, int], float]:
    """Return the milliseconds of a picture in passes of each kind and size, when there are so many pictures."""
    best = dict.fromkeys(passes, np.inf)
    for _ in range(rounds):
        for (name, size), once in passes.items():
            time.sleep(_PAUSE)
            seconds = sum(once() for _ in range(pictures // size))
            best[name, size] = min(best[name, size], seconds / (pictures // size * size) * 1e3)
    return best


def told(best: dict[tuple[str, int], float], batch: int | None = None) -> str:
    """Return times and ratios in words: of passes of one size, or of each kind at its quickest."""
    sizes = {
        name: min((size for kind, size in best if kind == name), key=lambda size: best[name, size]) for name, _ in best
    }
    if batch is not None:
        sizes = dict.fromkeys(sizes, batch)
    least = {name: best[name, size] for name, size in sizes.items()}
    of = {name: f" (by {size})" if batch is None else "" for name, size in sizes.items()}
    one, both = least["forward"], least["gradient"]
    line = f"forward {one:.2f} ms{of['forward']}, with gradient {both:.2f} ms{of['gradient']} per picture"
    line += f", ratio {both / one:.2f}"
    if "other" in least:
        line += f"; the other {least['other']:.2f} ms{of['other']}, ratio {least['other'] / one:.2f}"
    if "torch" in least:
        line += f"; PyTorch {least['torch']:.2f} ms{of['torch']}, {least['torch'] / both:.2f} times ours"
    return line


def random_feeds(gradient: onnx.ModelProto, batch: int) -> dict[str, AnyArray]:
    """Return normal noise for every input of a gradient model."""
    rng = np.random.default_rng(0)
    feeds = {}
    for info in gradient.graph.input:
        sizes = [dim.dim_value or batch for dim in info.type.tensor_type.shape.dim]
        feeds[info.name] = rng.standard_normal(sizes).astype(np.float32)
    return feeds


def session_pass(model: onnx.ModelProto, feeds: dict[str, AnyArray], settings: RuntimeSettings) -> Callable[[], float]:
    """Return a function that runs a model once and tells how many seconds it took."""
    session = open_session(model, settings)
    given = feeds_of(session, feeds)

    def once() -> float:
        start = time.perf_counter()
        session.run(None, given)
        return time.perf_counter() - start

    return once


def feeds_of(session: object, feeds: dict[str, AnyArray]) -> dict[str, AnyArray]:
    names = {info.name for info in session.get_inputs()}  # type: ignore[attr-defined]
    return {name: value for name, value in feeds.items() if name in names}


def torch_pass(python: str, architecture: str, batch: int, threads: int) -> Callable[[], float]:
    """Return a function that lets PyTorch compute the same gradient once, in its own process."""
    command = [python, str(Path(__file__).with_name("torch_gradient.py")), architecture, str(batch), str(threads)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    asking, answering = child.stdin, child.stdout

    def once() -> float:
        asking.write("\n")
        asking.flush()
        line = next(line for line in answering if line.startswith("seconds "))  # libraries print, too
        return float(line.removeprefix("seconds "))

    return once


def profile(model: onnx.ModelProto, feeds: dict[str, AnyArray], threads: int, runs: int = 5) -> Counter[str]:
    """Return the milliseconds of one run by operator: for every node the least of several runs."""
    disable_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = False
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = os.path.join(folder, "profile")
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for _ in range(runs):
            session.run(None, feeds_of(session, feeds))
        events = json.loads(Path(session.end_profiling()).read_text())
    least: dict[tuple[str, str], float] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            key = event["args"]["op_name"], event["name"]
            least[key] = min(least.get(key, np.inf), event["dur"] / 1e3)
    spent: Counter[str] = Counter()
    for (kind, _), milliseconds in least.items():
        spent[kind] += milliseconds
    return spent


if __name__ == "__main__":
    main()
