"""Peak memory and time of voting and scoring: `PYTHONPATH=tests python tests/benchmarks/vote_memory.py`.

Explanations are drawn, not computed, and kept in the form asked for; each size is voted on in a process of its own.
Masks are there, so average precision is part of it. 85 members and 200 images take 1.2 GB of disk as uint8.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from telling import tell

from consensus_onnx_kernels.warming import compile_kernels
from drawn_runs import DrawnRun

SIZES = "10x50,40x50,85x50,85x100,85x200"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", default=SIZES, help=f"members x images, default {SIZES}")
    options.add_argument("--side", type=int, default=224, help="pixels of a map's side")
    options.add_argument("--maps", default="uint8", help="float32, float16 or uint8")
    options.add_argument("--work", type=Path, help="where runs are drawn; default a folder that is removed")
    options.add_argument("--one", nargs=3, metavar=("FOLDER", "MEMBERS", "IMAGES"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.one:
        _vote(DrawnRun(Path(given.one[0]), int(given.one[1]), int(given.one[2]), given.side, given.maps))
        return
    tell("| members | images | seconds | ms a map | peak MB |")
    tell("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=given.work) as work:
        for size in given.sizes.split(","):
            members, images = (int(number) for number in size.split("x"))
            # One folder for all images of a committee: what a smaller one drew is kept.
            run = DrawnRun(Path(work) / str(members), members, images, given.side, given.maps).draw()
            command = [sys.executable, __file__, "--one", str(run.folder), str(members), str(images)]
            command += ["--side", str(given.side), "--maps", given.maps]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            seconds, megabytes = float(said[0]), float(said[1])
            each = seconds / (members * images) * 1e3
            tell(f"| {members} | {images} | {seconds:.1f} | {each:.1f} | {megabytes:.0f} |")


def _vote(run: DrawnRun) -> None:
    """Vote, and print seconds and the process' peak memory in MB."""
    compile_kernels()
    began = time.perf_counter()
    run.vote()
    tell(str(time.perf_counter() - began), str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6))


if __name__ == "__main__":
    main()
