"""How time and memory of an audit grow: `PYTHONPATH=tests python tests/benchmarks/growth.py`.

Takes some minutes on two idle cores. Short sweeps of members, images, LIME rows, SmoothGrad draws, superpixels, picture
size, and of voting alone, the other knobs small. Each point is an audit in a process of its own. Writes Markdown: the
points, the exponent of each curve, and what follows for the paper's largest audit. Members are small networks: what
their passes cost says nothing of others (`consensus-onnx bench` does), what grows around them does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from telling import tell

import consensus_onnx as co
from consensus_onnx.engine.events import Event, UnitDone
from consensus_onnx_kernels.warming import compile_kernels
from consensus_onnx_zoo.committee import FOLDER
from consensus_onnx_zoo.scenes import CLASSES, SIDE, write_scenes
from drawn_runs import DrawnRun
from tiny_models import TinyNet, write_committee

LARGEST_MEMBERS, LARGEST_IMAGES = 85, 5794
EMBEDDED = ("resnet", "mobilenet", "squeezenet", "vgg", "googlenet", "shufflenet", "xception", "efficientnet")


@dataclass(frozen=True)
class Point:
    """One audit, or one vote: what is swept, and all knobs."""

    sweep: str
    members: int = 1
    images: int = 4
    rows: int = 0
    draws: int = 0
    segments: int = 36
    side: int = SIDE

    @property
    def size(self) -> int:
        """The knob that is swept."""
        return int(getattr(self, _KNOBS[self.sweep]))


_KNOBS = {
    "members": "members",
    "images": "images",
    "LIME rows": "rows",
    "SmoothGrad draws": "draws",
    "superpixels": "segments",
    "pixels a side": "side",
    "voting: members": "members",
    "voting: images": "images",
}

POINTS = (
    *(Point("members", members=members, rows=200, draws=8) for members in (1, 2, 4, 8)),
    *(Point("images", images=images, rows=200, draws=8) for images in (4, 8, 16, 32)),
    *(Point("LIME rows", rows=rows) for rows in (500, 1000, 2000, 4000)),
    *(Point("SmoothGrad draws", draws=draws) for draws in (25, 50, 100, 200)),
    *(Point("superpixels", rows=1000, segments=segments) for segments in (25, 50, 100, 200, 400)),
    *(Point("pixels a side", rows=200, draws=16, side=side) for side in (64, 128, 256, 512)),
    *(Point("voting: members", members=members, images=16, side=224) for members in (10, 20, 40, 80)),
    *(Point("voting: images", members=20, images=images, side=224) for images in (10, 20, 40, 80)),
)


@dataclass(frozen=True)
class Measured:
    """Seconds of the whole, of its explanations, and of what follows them; peak MB of the process and of a worker."""

    seconds: float
    explaining: float
    voting: float
    own: float
    worker: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", choices=tuple(_KNOBS), help="one sweep")
    options.add_argument("--work", type=Path, help="where runs are made; default a folder that is removed")
    options.add_argument("--one", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.one:
        asked = json.loads(given.one)
        tell(json.dumps(_measure(Path(asked.pop("folder")), Point(**asked))))
        return
    compile_kernels()
    with tempfile.TemporaryDirectory(dir=given.work) as work:
        write_scenes(Path(work) / "scenes", max(point.images for point in POINTS if point.side == SIDE))
        points = [point for point in POINTS if given.only in (None, point.sweep)]
        tell("| sweep | size | seconds | explaining | voting and tables | own peak MB | worker's peak MB |")
        tell("|---|---|---|---|---|---|---|")
        found: dict[str, list[tuple[Point, Measured]]] = {}
        for point in points:
            one = _apart(Path(work), point)
            found.setdefault(point.sweep, []).append((point, one))
            cells = (f"{value:.2f}" for value in (one.seconds, one.explaining, one.voting))
            memory = f"{one.own:.0f} | {one.worker:.0f}"
            tell(f"| {point.sweep} | {point.size} | {' | '.join(cells)} | {memory} |")
    _tell_exponents(found)
    if given.only is None:
        _tell_largest(found)


# -- one point -----------------------------------------------------------------------------------------------------


def _apart(work: Path, point: Point) -> Measured:
    """Measure a point in a process of its own, and that process' and its workers' memory from here."""
    folder = work / "-".join(str(value) for value in (point.sweep.replace(" ", "_"), point.size))
    if point.sweep.startswith("voting"):
        folder = work / f"voting-{point.members}"
        DrawnRun(folder, point.members, point.images, point.side, "uint8").draw()
    asked = json.dumps({"folder": str(folder), **asdict(point)})
    process = subprocess.Popen([sys.executable, __file__, "--one", asked], stdout=subprocess.PIPE, text=True)
    own = worker = 0.0
    while process.poll() is None:
        own = max(own, _peak(process.pid))
        worker = max([worker, *(_peak(pid) for pid in _below(process.pid))])
        time.sleep(0.01)
    if process.returncode or process.stdout is None:
        raise SystemExit(f"{point}: the audit failed")
    return Measured(**json.loads(process.stdout.read()), own=own, worker=worker)


def _measure(folder: Path, point: Point) -> dict[str, float]:
    """Audit or vote; return seconds by what they went into."""
    compile_kernels()
    began = time.perf_counter()
    if point.sweep.startswith("voting"):
        DrawnRun(folder, point.members, point.images, point.side, "uint8").vote()
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "explaining": 0.0, "voting": seconds}
    told: list[tuple[float, Event]] = []
    names = [name for name, asked in (("lime", point.rows), ("smoothgrad", point.draws)) if asked]
    settings = co.AuditSettings(
        explainers=tuple(names),  # type: ignore[arg-type]
        canvas=co.CanvasSettings(resize=point.side, crop=point.side),
        lime=co.Lime(samples=max(point.rows, 2), superpixels=co.Superpixels(method="grid", segments=point.segments)),
        smoothgrad=co.SmoothGrad(samples=max(point.draws, 2)),
        limit=point.images,
        runtime=co.RuntimeSettings(provider="cpu"),
    )
    scenes = folder.parent / "scenes"
    co.audit(
        _committee(folder, point),
        scenes / "pictures",
        labels=scenes / "labels.csv",
        settings=settings,
        out=folder / "run",
        listen=lambda event: told.append((time.perf_counter(), event)),
    )
    ended = time.perf_counter()
    explaining = sum(event.seconds for _, event in told if isinstance(event, UnitDone))
    return {"seconds": ended - began, "explaining": explaining, "voting": ended - told[-1][0]}


def _committee(folder: Path, point: Point) -> co.Committee:
    """Return embedded members, or for another side than theirs a net that has it."""
    if point.side != SIDE or point.sweep == "pixels a side":
        net = TinyNet(size=(point.side, point.side), classes=len(CLASSES))
        return co.load_committee(write_committee(folder / "models", {"net": net}, net.declaration()))
    embedded = co.load_committee(FOLDER)
    chosen = tuple(embedded.member(name) for name in EMBEDDED[: point.members])
    return co.Committee(embedded.name, chosen, embedded.classes)


def _peak(pid: int) -> float:
    """Return the most memory that a process has had, in MB; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return found[0] * 1024 / 1e6 if found else 0.0


def _below(pid: int) -> Iterator[int]:
    """Yield the processes that a process has started, and theirs."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _below(child)


# -- what follows --------------------------------------------------------------------------------------------------


def _tell_exponents(found: Mapping[str, Sequence[tuple[Point, Measured]]]) -> None:
    tell("", "Exponents: slope of the logarithm over that of the size. Whole seconds hold what a start costs.", "")
    tell("| sweep | seconds | explaining | voting and tables | own peak memory | worker's |")
    tell("|---|---|---|---|---|---|")
    for name, rows in found.items():
        sizes = [point.size for point, _ in rows]
        columns = ("seconds", "explaining", "voting", "own", "worker")
        slopes = [_slope(sizes, [getattr(one, column) for _, one in rows]) for column in columns]
        tell(f"| {name} | " + " | ".join(slopes) + " |")


def _slope(sizes: Sequence[int], values: Sequence[float]) -> str:
    if min(values) <= 0:
        return ""
    return f"{np.polyfit(np.log(sizes), np.log(values), 1)[0]:.2f}"


def _tell_largest(found: Mapping[str, Sequence[tuple[Point, Measured]]]) -> None:
    """Go on along straight lines from the last two points of each sweep."""
    maps = LARGEST_MEMBERS * LARGEST_IMAGES
    lime, draws = _last(found["LIME rows"]), _last(found["SmoothGrad draws"])
    by_image, by_member = found["voting: images"], found["voting: members"]
    (before, small), (after, large) = by_image[-2:]
    added = (after.images - before.images) * after.members
    each = (large.seconds - small.seconds) / added
    # Memory: what the process has at the largest committee, and what each further unit adds.
    unit = max(0.0, (large.own - small.own) / added)
    (fewer, low), (more, high) = by_member[-2:]
    member = max(0.0, (high.own - low.own) / (more.members - fewer.members) - unit * more.images)
    memory = high.own + member * (LARGEST_MEMBERS - more.members) + unit * (maps - more.members * more.images)
    tell("", f"{LARGEST_MEMBERS} members x {LARGEST_IMAGES:,} images, by these lines:", "")
    tell("| what | takes |")
    tell("|---|---|")
    tell(f"| LIME of an embedded member, 1,000 rows, beside a real one's passes | {lime * 1000 * maps / 3600:.0f} h |")
    tell(f"| SmoothGrad of an embedded member, 50 draws, likewise | {draws * 50 * maps / 3600:.0f} h |")
    tell(f"| voting, scores and mask AP of maps of 224 x 224 ({each * 1e3:.1f} ms each) | {each * maps / 3600:.1f} h |")
    tell(f"| peak memory of the auditing process meanwhile ({unit * 1e3:.1f} kB a map) | {memory / 1e3:.2f} GB |")


def _last(rows: Sequence[tuple[Point, Measured]]) -> float:
    """Return the seconds of explaining that one more row or draw of one image takes."""
    (before, small), (after, large) = rows[-2:]
    return (large.explaining - small.explaining) / ((after.size - before.size) * after.images)


if __name__ == "__main__":
    main()
