"""Compare one exported model's gradient graph with the reference beside it, and print the numbers as JSON.

python tests/references/timm_measure.py FOLDER      (what timm_export.py wrote; needs consensus_onnx, not torch)
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from consensus_onnx.arrays import AnyArray
from consensus_onnx.errors import ConsensusError
from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.float64 import run_in_float64
from consensus_onnx.gradients.graphs import LARGEST_MESSAGE, weight_bytes
from consensus_onnx.gradients.model import OF_KEY, SEED, WRT_KEY
from consensus_onnx.gradients.saving import save_model
from consensus_onnx.runtime import RuntimeSettings, open_session

TARGET = 3
LARGE = 3 * 512 * 512  # timm_export.py: such samples one at a time


def relative(found: AnyArray, expected: AnyArray) -> float:
    """Return the largest error as a share of the largest entry."""
    return float(np.abs(found.astype(np.float64) - expected).max() / np.abs(expected).max())


def pictures(feeds: dict[str, AnyArray]) -> list[dict[str, AnyArray]]:
    """Return the feeds of each picture alone."""
    return [{name: value[at : at + 1] for name, value in feeds.items()} for at in range(len(feeds[SEED]))]


def session_of(model: ModelProto, folder: Path) -> Any:
    """Open a model of any size, those that no message can hold by way of files."""
    if weight_bytes(model) <= LARGEST_MESSAGE:
        return open_session(model, RuntimeSettings(threads=2))
    return open_session(save_model(model, folder / "gradient.onnx")[0], RuntimeSettings(threads=2))


def measure(folder: Path) -> dict[str, object]:
    start = time.perf_counter()
    try:
        model = gradient_model(folder / "model.onnx")
    except ConsensusError as error:
        return {"status": "unsupported", "message": str(error)}
    built = time.perf_counter() - start
    properties = {entry.key: entry.value for entry in model.metadata_props}
    stored = np.load(folder / "reference.npz")
    seed = np.zeros(stored["logits"].shape, np.float32)
    seed[:, TARGET] = 1
    wanted = [properties[OF_KEY], f"grad/{properties[WRT_KEY]}"]
    feeds = {properties[WRT_KEY]: stored["input"], SEED: seed}
    nodes = len(model.graph.node)
    session = session_of(model, folder)
    del model
    start = time.perf_counter()
    large = stored["input"][0].size > LARGE
    logits, found = (
        np.concatenate(y)
        for y in zip(*(session.run(wanted, part) for part in (pictures(feeds) if large else [feeds])), strict=True)
    )
    error = relative(found, stored["gradient"])
    numbers: dict[str, object] = {
        "status": "done",
        "nodes": nodes,
        "build_seconds": round(built, 2),
        "run_seconds": round(time.perf_counter() - start, 2),
        "logits_error": relative(logits, stored["logits"]),
        "error": error,
    }
    if "passed" in stored:
        numbers["passed"] = int(stored["passed"])
    if "gradient64" in stored:
        numbers["error64"] = relative(found, stored["gradient64"])
        numbers["torch_error64"] = relative(stored["gradient"], stored["gradient64"])
        wide = run_in_float64(gradient_model(folder / "model64.onnx"))
        # One at a time: half the memory.
        exact = np.concatenate([wide(part)[wanted[1]] for part in pictures(feeds)])
        numbers["error_in_float64"] = relative(exact, stored["gradient64"])
    return numbers


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]))) + "\n")
