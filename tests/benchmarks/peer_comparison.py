"""Compare LIME and SmoothGrad with the lime package, dianna, captum on PyTorch, and bare forward passes: in one run.

    python tests/benchmarks/peer_comparison.py --peers PEERS_PYTHON --models FOLDER [--rows 500] [--draws 50]
        [--rounds 3] [--threads 2] [--networks mobilenetv2_100 resnet50 vit_tiny_patch16_224] [--json FILE]

prints Markdown: seconds, multiples of the bare passes, peak memory, whether the explanations are the same, and where a
peer wins. FOLDER/NETWORK/model.onnx are as tests/references/timm_export.py writes them: seeded random weights, which
the PyTorch tools make again; a run stops where any tool does not give the same logit for the clean picture.

The peers live in an environment of their own, never in the project's:

    python -m venv peers
    peers/bin/pip install torch==2.13.0+cpu                # PyTorch's CPU build
    peers/bin/pip install --no-deps timm==1.0.31           # it would bring torchvision and a GPU build
    peers/bin/pip install captum==0.9.0 lime==0.2.0.1 dianna==1.8.1 huggingface_hub safetensors pyyaml \
        onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6 scikit-image==0.26.0 scikit-learn==1.9.1

with the project's own versions of what both use.

Every tool waits in its own process; in a round they take turns, each round begins with another, and the rest sleep. The
superpixels are made once and given to all, so no time counts them. Batches are chosen by a few samples in a process
that is thrown away, so that a large one that was tried does not count as memory. Explanation number r of every tool has
seed r; correlations between seeds tell whether two tools estimate the same thing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from peer_process import Tool
from peer_table import comparison_page

import consensus_onnx as co
from consensus_onnx.images.canvas import canvas_of

_HERE = Path(__file__).parent
_TITLES = {"mobilenetv2_100": "MobileNetV2", "resnet50": "ResNet-50", "vit_tiny_patch16_224": "ViT-Ti/16"}
# Any normalisation would do; this is the one that most ImageNet models were trained with.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# What each tool explains; bare passes are the floor of both.
_OURS = {"onnxruntime": ("lime", "smoothgrad"), "ours, lime": ("lime",), "ours, smoothgrad": ("smoothgrad",)}
_THEIRS = {
    "lime": ("lime",),
    "lime, best batch": ("lime",),
    "dianna": ("lime",),
    "captum, lime": ("lime",),
    "captum, lime as ours": ("lime",),
    "captum, smoothgrad": ("smoothgrad",),
    "pytorch": ("lime", "smoothgrad"),
}
_TASKS_OF = {**_OURS, **_THEIRS}

# Threads of the run before wait actively for a moment and would take half of a small machine.
_PAUSE = 0.2
_FEW = 32  # samples that find out the best batch
_SAME_LOGIT = 1e-3
_WARM_UP_SEED = 10_000


def main() -> None:
    """Measure, print the page, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, metavar="PYTHON", help="interpreter of the peers' environment")
    parser.add_argument("--models", required=True, type=Path, help="folder of NETWORK/model.onnx")
    parser.add_argument("--networks", nargs="+", default=list(_TITLES))
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--picture", type=Path, help="the photo that is explained; default: scikit-image's cat")
    parser.add_argument("--json", type=Path, help="write all numbers to this file, too")
    options = parser.parse_args()
    document: dict[str, Any] = {"machine": machine(), "versions": {}, "networks": []}
    document["options"] = {key: value for key, value in vars(options).items() if isinstance(value, int)}
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.networks:
            found, versions = compare(name, options, Path(scratch))
            document["networks"].append(found)
            document["versions"] |= versions
    if options.json:
        options.json.write_text(json.dumps(document, indent=1))
    sys.stdout.write(comparison_page(document))


def machine() -> dict[str, Any]:
    """Return what the numbers were measured on."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return {
        "processor": processor[1] if processor else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": int(memory[1]) * 1024 / 1e9 if memory else float("nan"),
        "system": platform.system(),
    }


def compare(name: str, options: argparse.Namespace, scratch: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was measured on one network, and the versions of both sides."""
    job = make_job(name, options, scratch)
    tools, batches = open_tools(job, options.peers, scratch)
    versions = {"our": tools["ours, lime"].opened["versions"], "peers'": tools["lime"].opened["versions"]}
    turns = [(tool, task) for tool in tools for task in _TASKS_OF[tool]]
    entries = {
        (tool, task): {"task": task, "tool": tool, "batch": batches[tool], "open_mb": tools[tool].opened["mb"]}
        | {"seconds": [], "cpu_seconds": [], "maps": []}
        for tool, task in turns
    }
    loads = []
    for number in range(-1, options.rounds):
        if number >= 0:
            loads.append(os.getloadavg()[0])
        for tool, task in turns[number % len(turns) :] + turns[: number % len(turns)] if number >= 0 else turns:
            time.sleep(_PAUSE)
            into = scratch / "values.npy"
            seed = number if number >= 0 else _WARM_UP_SEED
            answer = tools[tool].ask("run", seed=seed, samples=job["samples"][task], into=str(into))
            sys.stderr.write(f"{name}, round {number}: {tool}, {task}: {answer['seconds']:.2f} s\n")
            if number >= 0:
                entries[tool, task]["seconds"].append(answer["seconds"])
                entries[tool, task]["cpu_seconds"].append(answer["cpu_seconds"])  # tells a busy machine
                entries[tool, task]["maps"].append(np.load(into).ravel())
            entries[tool, task]["peak_mb"] = answer["peak_mb"]
    for tool in tools.values():
        tool.close()
    add_agreement(list(entries.values()))
    found = {"title": _TITLES.get(name, name), "superpixels": job["superpixels"], "loads": loads}
    return {**found, "entries": list(entries.values())}, versions


def make_job(name: str, options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Write what all tools read, and return what they are told."""
    if options.picture:
        canvas = co.load_canvas(options.picture)
    else:
        from skimage.data import chelsea

        canvas = canvas_of(np.ascontiguousarray(chelsea()))
    segments = co.Superpixels().segment(canvas)
    np.save(scratch / "canvas.npy", canvas)
    np.save(scratch / "segments.npy", segments)
    return {
        "network": name,
        "model": str(options.models.resolve() / name / "model.onnx"),
        "canvas": str(scratch / "canvas.npy"),
        "segments": str(scratch / "segments.npy"),
        "superpixels": int(segments.max()) + 1,
        "mean": _MEAN,
        "std": _STD,
        "threads": options.threads,
        "samples": {"lime": options.rows, "smoothgrad": options.draws},
    }


def open_tools(job: dict[str, Any], peers: str, scratch: Path) -> tuple[dict[str, Tool], dict[str, int]]:
    """Start every tool at its best batch, and make sure that all mean the same network."""
    commands = {name: [sys.executable, str(_HERE / "peer_ours.py")] for name in _OURS}
    commands |= {name: [peers, str(_HERE / "peer_theirs.py")] for name in _THEIRS}
    first = Tool(commands["onnxruntime"], {**job, "tool": "onnxruntime", "target": 0}, scratch / "log")
    job["target"] = first.opened["predicted"]
    first.close()
    tools, batches = {}, {}
    for name, command in commands.items():
        log = scratch / f"{name}.log"
        tool = Tool(command, {**job, "tool": name}, log)
        batches[name] = 0
        if tool.opened["batches"]:
            batches[name] = tool.ask("tune", samples=min(_FEW, job["samples"][_TASKS_OF[name][0]]))["batch"]
            tool.close()
            tool = Tool(command, {**job, "tool": name, "batch": batches[name]}, log)
        tools[name] = tool
        sys.stderr.write(f"{job['network']}: {name} is open{f', batch {batches[name]}' if batches[name] else ''}\n")
    logits = {name: tool.opened["target"] for name, tool in tools.items()}
    if np.ptp(list(logits.values())) > _SAME_LOGIT * max(1, *map(abs, logits.values())):
        sys.exit(f"{job['model']}: the tools do not run the same network: {logits}")
    return tools, batches


def add_agreement(entries: Sequence[dict[str, Any]]) -> None:
    """Replace the explanations by their correlations with ours and among themselves, over different seeds."""
    maps = {(entry["task"], entry["tool"]): entry.pop("maps") for entry in entries}
    for entry in entries:
        theirs, ours = maps[entry["task"], entry["tool"]], maps[entry["task"], f"ours, {entry['task']}"]
        if theirs is not ours and len(ours) > 1 and theirs[0].size:
            entry["with_ours"] = correlation(theirs, ours)
            entry["with_itself"], entry["ours_with_itself"] = correlation(theirs, theirs), correlation(ours, ours)


def correlation(first: Sequence[Any], second: Sequence[Any]) -> float:
    """Return the mean correlation of explanations by different seeds."""
    pairs = itertools.permutations(range(len(first)), 2)
    return float(np.mean([np.corrcoef(first[a], second[b])[0, 1] for a, b in pairs]))


if __name__ == "__main__":
    main()
