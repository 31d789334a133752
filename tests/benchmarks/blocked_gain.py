"""What a gradient gains by staying in the blocked layout of the CPU's convolutions.

    python tests/benchmarks/blocked_gain.py [--batch 4] [--sessions 6] MODEL.onnx ...

builds each model's gradient graph with and without it, and lets the two and the forward pass take turns. Where a
session finds its memory moves a small network's time by 10 %, so each is opened anew several times; medians over
sessions of the least of ten passes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from gradient_ratios import random_feeds, session_pass
from onnx import NodeProto

from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.lowering import CpuLowering
from consensus_onnx.gradients.writer import GraphWriter
from consensus_onnx.runtime import RuntimeSettings
from consensus_onnx.runtime.telemetry import disable_telemetry


class Plain(CpuLowering):
    """The CPU's lowering as it was before."""

    def one_minus(self, emit: GraphWriter, share: str) -> str:
        return emit.op("Sub", emit.scalar(1, share), share)

    def arrange(self, nodes: Sequence[NodeProto], emit: GraphWriter) -> list[NodeProto]:
        return list(nodes)


def main() -> None:
    """Print one line per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--sessions", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    disable_telemetry()
    settings = RuntimeSettings(threads=options.threads)
    for path in options.models:
        models = {
            "forward": onnx.load(path),
            "plain": gradient_model(path, lowering=Plain()),
            "blocked": gradient_model(path),
        }
        feeds = random_feeds(models["plain"], options.batch)
        found: dict[str, list[float]] = {name: [] for name in models}
        for _ in range(options.sessions):
            for name, model in models.items():
                once = session_pass(model, feeds, settings)
                found[name].append(min(once() for _ in range(10)))
        forward, plain, blocked = (statistics.median(found[name]) for name in models)
        entered = [sum(node.op_type == "Conv" for node in models[name].graph.node) for name in ("plain", "blocked")]
        sys.stdout.write(
            f"{path.parent.name}/{path.stem}: {int(np.diff(entered)[0])} tensors brought into it, gradient / forward "
            f"{plain / forward:.2f} -> {blocked / forward:.2f} ({blocked / plain - 1:+.1%})\n"
        )


if __name__ == "__main__":
    main()
