"""Time gradient passes against forward passes, alternating in one process; minima of several rounds.

python tests/gradients/measure.py [--batch 8] [--rounds 15] MODEL.onnx ...
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import onnx

from consensus_onnx.gradients import gradient_model
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import open_session


def main() -> None:
    """Print one line per model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    for path in options.models:
        gradient = gradient_model(path)
        sessions = {"forward": open_session(onnx.load(path)), "gradient": open_session(gradient)}
        rng = np.random.default_rng(0)
        feeds = {}
        for info in gradient.graph.input:
            sizes = [dim.dim_value or options.batch for dim in info.type.tensor_type.shape.dim]
            feeds[info.name] = rng.standard_normal(sizes).astype(np.float32)
        best = dict.fromkeys(sessions, np.inf)
        for _ in range(options.rounds):
            for name, session in sessions.items():
                given = {key: value for key, value in feeds.items() if name == "gradient" or key != SEED}
                start = time.perf_counter()
                session.run(None, given)
                best[name] = min(best[name], (time.perf_counter() - start) / options.batch * 1e3)
        forward, backward = best["forward"], best["gradient"]
        line = f"{path}: forward {forward:.2f} ms, with gradient {backward:.2f} ms per picture, ratio {backward / forward:.2f}\n"
        sys.stdout.write(line)


if __name__ == "__main__":
    main()
