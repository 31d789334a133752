"""How long an audit takes to cut its pictures: `python tests/benchmarks/picture_workers.py IMAGES`.

Decodes, cuts (with the default settings: quickshift on 224x224) and stores the first pictures of a folder, by one
worker, two, and so on up to the cores. The numbers of workers take turns, and the least of the rounds counts. What
starts the workers is there before anything is timed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from telling import tell

import consensus_onnx as co
from consensus_onnx.engine import images_stage
from consensus_onnx.engine.events import silent
from consensus_onnx.engine.presence import FolderPresence
from consensus_onnx.engine.store import RunStore
from consensus_onnx.images import Item, read_dataset


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("images", type=Path, help="a folder of pictures")
    options.add_argument("--pictures", type=int, default=24)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    items = read_dataset(given.images, None).items[: given.pictures]
    counts = range(1, len(os.sched_getaffinity(0)) + 1)
    seconds(items[:1], 1)
    found = [[seconds(items, workers) for workers in counts] for _ in range(given.rounds)]
    for workers, times in zip(counts, zip(*found, strict=True), strict=True):
        tell(f"{len(items)} pictures, {workers} workers: {min(times):.2f} s")


def seconds(items: Sequence[Item], workers: int) -> float:
    """Return the seconds in which so many workers prepare pictures in a new folder."""
    settings = co.AuditSettings()
    asked = mock.patch.object(images_stage, "workers_for", return_value=workers)
    with tempfile.TemporaryDirectory() as folder, asked:
        store, presence = RunStore(Path(folder)), FolderPresence.of(Path(folder))
        began = time.perf_counter()
        images_stage.prepare_images(store, items, settings, settings.chosen_explainers(), silent, presence)
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
