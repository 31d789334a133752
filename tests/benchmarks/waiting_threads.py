"""What it costs that an idle session's threads look out for work: SmoothGrad with and without their being told to stop.

    python tests/benchmarks/waiting_threads.py MODELS [--draws 50] [--rounds 5]

prints, for each model of a folder, milliseconds a draw and a bare picture, the medians of processes that take turns.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from telling import tell

import consensus_onnx as co
from consensus_onnx.runtime import session

_ENTRY, _REPEATS = "session.force_spinning_stop", 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", choices=("0", "1"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        session._SESSION_ENTRIES[_ENTRY] = given.child
        for member in co.load_committee(given.models):
            tell(" ".join(map(str, (member.name, *timed(member, given.draws)))))
        return
    tell("| | a draw of SmoothGrad, ms: waiting, stopped | a bare picture, ms: waiting, stopped |", "|---|---|---|")
    found: dict[str, dict[str, list[list[float]]]] = {}
    for _ in range(given.rounds):
        for way in ("0", "1"):
            command = [sys.executable, __file__, str(given.models), "--draws", str(given.draws), "--child", way]
            for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
                name, *numbers = line.rsplit(" ", 2)
                found.setdefault(name, {"0": [], "1": []})[way].append([float(number) for number in numbers])
    for name, ways in found.items():
        waiting, stopped = (np.median(ways[way], axis=0) for way in ("0", "1"))
        cells = [f"{waiting[at]:.2f}, {stopped[at]:.2f}" for at in range(2)]
        tell(f"| {name} | {cells[0]} | {cells[1]} |")


def timed(member: co.Member, draws: int) -> tuple[float, float]:
    """Return milliseconds a draw and a bare picture, in passes of four pictures on all threads."""
    paces = {"lanes": 1, "batch": 4, "gradient_batch": 4}
    classifier = replace(member.open(co.RuntimeSettings(provider="cpu")), paces=paces)
    canvas = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    explainer, batch = co.SmoothGrad(samples=draws), classifier.blank(4)
    draw = least(lambda: explainer.explain(classifier, canvas)) / draws
    return draw, least(lambda: [classifier.raw(batch) for _ in range(50)]) / 200


def least(work: Callable[[], object]) -> float:
    """Return the least milliseconds of a few times, after one that does not count."""
    seconds = []
    for _ in range(_REPEATS + 1):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:]) * 1e3


if __name__ == "__main__":
    main()
