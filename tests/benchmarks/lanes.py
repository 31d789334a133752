"""Forward passes one at a time on all threads, and side by side on one thread each: pictures a second, in turn.

`python tests/benchmarks/lanes.py MODELS [MEMBER ...]` prints one line of Markdown per member of a folder of models: the
most of several rounds at the pictures per pass that an audit would take, and which way it would go.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import consensus_onnx as co
from consensus_onnx.committee.lanes import Lanes
from consensus_onnx.runtime import open_session

ROUNDS, SECONDS = 5, 0.7


def main() -> None:
    """Time every member."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("members", nargs="*")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    print("| | one at a time | side by side | an audit's choice |\n|---|---|---|---|")  # noqa: T201
    for member in co.load_committee(given.models):
        if not given.members or member.name in given.members:
            print(line(member, given.threads), flush=True)  # noqa: T201


def line(member: co.Member, threads: int) -> str:
    """Return a member's line."""
    runtime = co.RuntimeSettings(provider="cpu", threads=threads)
    opened = replace(member.open(runtime), paces={})
    single = replace(runtime, threads=1)
    thread = replace(opened, runtime=single, session=open_session(opened.load(), single), _derived={})
    ways = {"one": Lanes(opened, opened), "several": Lanes(opened, thread, runtime.all_threads)}
    paces = {name: way.pace() for name, way in ways.items()}
    best = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            best[name] = max(best[name], rate(way, paces[name].seconds))
    chosen = "side by side" if ways["several"].beats(ways["one"]) else "one at a time"
    cells = [f"{best[name]:,.0f} (by {paces[name].batch})" for name in ways]
    return f"| {member.name} | {cells[0]} | {cells[1]} | {chosen} |"


def rate(lanes: Lanes, seconds: float) -> float:
    """Return the pictures a second of about 0.7 s of passes."""
    blank = lanes.member.blank(lanes.member.batch)

    def ask(member: co.Classifier, pieces: Iterator[slice]) -> None:
        for _ in pieces:
            member.raw(blank)

    total = max(4, round(SECONDS / seconds / len(blank) / lanes.count)) * len(blank) * lanes.count
    began = time.perf_counter()
    lanes.over(total, ask)
    return total / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
