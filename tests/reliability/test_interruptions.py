"""Killed at any moment, an audit goes on to the bytes of an unbroken one; told to stop, it stops soon and whole."""

from __future__ import annotations

import json
import os
import random
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hostile import SETTINGS, write_models, write_pictures

import consensus_onnx as co
from consensus_onnx.engine.events import Event, UnitDone
from consensus_onnx.errors import StoreError
from worlds import ENTRANCE, tree

PICTURES = 6


@dataclass(frozen=True)
class Scene:
    """Models and pictures, what an unbroken audit of them leaves, and how long it took."""

    models: Path
    pictures: Path
    whole: dict[str, str]
    seconds: float

    def command(self, out: Path) -> list[str]:
        sets = ["canvas.resize=8", "canvas.crop=8", "lime.samples=20", "lime.superpixels.method=grid"]
        sets += ["lime.superpixels.segments=4", "smoothgrad.samples=2"]
        entrance = [sys.executable, "-c", ENTRANCE, "audit", str(self.models)]
        rest = ["--images", str(self.pictures), "--out", str(out), "--provider", "cpu", "--workers", "2"]
        return [*entrance, *rest, *(part for key in sets for part in ("--set", key))]

    def start(self, out: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("scene")
    models, pictures = write_models(folder / "models", {}), write_pictures(folder / "pictures", PICTURES)
    made = Scene(models, pictures, {}, 0.0)
    began = time.monotonic()
    subprocess.run(made.command(folder / "run"), check=True, capture_output=True)
    return Scene(models, pictures, tree(folder / "run"), time.monotonic() - began)


def descendants(of: int) -> list[int]:
    """Return the processes that a process, or one of these, has started."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(entry.parent.name)] = int(fields[1])
    found, look = [], [of]
    while look:
        parent = look.pop()
        children = [child for child, its in parents.items() if its == parent]
        found += children
        look += children
    return found


def gone(processes: list[int], seconds: float = 20.0) -> bool:
    """Wait until none of some processes is alive."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(alive(process) for process in processes):
            return True
        time.sleep(0.05)
    return False


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def units_done_twice(out: Path) -> list[str]:
    """Return units that have two receipts: what has one is never computed again."""
    twice = []
    for journal in (out / "receipts").rglob("*.jsonl"):
        if journal.parent.name in ("members",) or journal.name in ("workers.jsonl",):
            continue
        lines = [line.partition(b" ")[2] for line in journal.read_bytes().split(b"\n")[:-1]]
        units = [json.loads(line)["unit"] for line in lines]
        twice += [f"{journal.name}:{unit}" for unit in set(units) if units.count(unit) > 1]
    return twice


def kill_and_go_on(scene: Scene, out: Path, kills: int, seed: int) -> dict[str, int]:
    """Start and kill again and again, then let it end; returns how often who was killed."""
    dice = random.Random(seed)
    counts = {"supervisor": 0, "worker": 0, "both": 0}
    while sum(counts.values()) < kills:
        shutil.rmtree(out, ignore_errors=True) if dice.random() < 0.3 else None
        process = scene.start(out)
        time.sleep(dice.uniform(0.3, 1.1) * scene.seconds * dice.random())
        victim = dice.choice(sorted(counts))
        workers = descendants(process.pid)
        killed = (workers and dice.choice(workers), process.pid)
        for number in killed[:1] if victim == "worker" else killed[1:] if victim == "supervisor" else killed:
            if number:
                os.kill(number, signal.SIGKILL)
        if victim == "worker":
            process.communicate(timeout=600)
        process.kill()
        process.communicate()
        assert gone(workers), "a worker outlived its supervisor"
        counts[victim] += 1
    subprocess.run(scene.command(out), check=True, capture_output=True)
    return counts


@pytest.mark.slow
def test_killed_at_random_it_goes_on_to_the_same_bytes(scene: Scene, tmp_path: Path) -> None:
    counts = kill_and_go_on(scene, tmp_path / "run", kills=8, seed=0)
    print("killed:", counts)  # noqa: T201
    assert tree(tmp_path / "run") == scene.whole
    assert units_done_twice(tmp_path / "run") == []


@pytest.mark.endurance
@pytest.mark.parametrize("seed", range(1, 14))
def test_killed_a_hundred_times(seed: int, scene: Scene, tmp_path: Path) -> None:
    counts = kill_and_go_on(scene, tmp_path / "run", kills=8, seed=seed)
    print("killed:", counts)  # noqa: T201
    assert tree(tmp_path / "run") == scene.whole
    assert units_done_twice(tmp_path / "run") == []


def stop(scene: Scene, out: Path, number: signal.Signals, delay: float) -> None:
    process = scene.start(out)
    lock = out / ".lock"
    # Not while Python starts: before its first line the signal ends it without a word, and nothing has begun.
    while process.poll() is None and not (lock.exists() and f"process {process.pid} " in lock.read_text()):
        time.sleep(0.01)
    time.sleep(delay)
    workers = descendants(process.pid)
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    seconds = time.monotonic() - began
    # Before the signal came, or all was done and Python was leaving, where nobody can catch it.
    ended = process.returncode == 0 or (process.returncode == -number and (out / "report.html").exists())
    assert ended or process.returncode == 128 + number, said
    assert ended or "run the same command again" in said
    assert "Traceback" not in said, said
    crowd = max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))  # others may want the cores too
    assert seconds < 5 * crowd
    assert gone(workers)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_it_stops(number: signal.Signals, scene: Scene, tmp_path: Path) -> None:
    dice = random.Random(int(number))
    for _ in range(2):
        stop(scene, tmp_path / "run", number, dice.random() * scene.seconds / 2)
    subprocess.run(scene.command(tmp_path / "run"), check=True, capture_output=True)
    assert tree(tmp_path / "run") == scene.whole


@pytest.mark.endurance
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_at_twenty_points(number: signal.Signals, scene: Scene, tmp_path: Path) -> None:
    for point in range(20):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        stop(scene, tmp_path / "run", number, point / 20 * scene.seconds / 2)
    subprocess.run(scene.command(tmp_path / "run"), check=True, capture_output=True)
    assert tree(tmp_path / "run") == scene.whole


def limited(which: int, value: int) -> Callable[[Path], Callable[[], None]]:
    def apply(out: Path) -> Callable[[], None]:
        before = resource.getrlimit(which)
        resource.setrlimit(which, (value, before[1]))
        return lambda: resource.setrlimit(which, before)

    return apply


def removed(out: Path) -> Callable[[], None]:
    shutil.rmtree(out)
    return lambda: None


def replaced(out: Path) -> Callable[[], None]:
    out.rename(out.with_name("elsewhere"))
    out.mkdir()
    return lambda: (shutil.rmtree(out), out.with_name("elsewhere").rename(out), None)[-1]


def no_folder(out: Path) -> Callable[[], None]:
    """A file where a folder belongs, which stops root too, whom permissions do not."""
    receipts = out / "receipts" / "lime"
    shutil.rmtree(receipts)
    receipts.write_text("in the way", encoding="utf-8")
    return receipts.unlink


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (limited(resource.RLIMIT_FSIZE, 10), "File too large"),
        (limited(resource.RLIMIT_NOFILE, 3), "Too many open files"),
        (removed, "is gone"),
        (replaced, "was replaced by another folder"),
        (no_folder, "in the way|Not a directory|exists"),
    ],
    ids=["no space", "no descriptors", "removed", "replaced", "no folder"],
)
def test_a_disk_that_fails_is_told_in_a_line_and_what_is_stored_stays(
    trouble: Callable[[Path], Callable[[], None]], says: str, scene: Scene, tmp_path: Path
) -> None:
    out, mend, seen = tmp_path / "run", [], 0

    def listen(event: Event) -> None:
        nonlocal seen
        seen += isinstance(event, UnitDone)
        if seen == 3 and not mend:
            mend.append(trouble(out))

    committee = co.load_committee(scene.models)
    try:
        with pytest.raises(StoreError, match=says) as caught:
            co.audit(committee, scene.pictures, settings=SETTINGS, out=out, listen=listen)
    finally:
        mend[0]()
    assert "\n" not in str(caught.value)
    run = co.audit(committee, scene.pictures, settings=SETTINGS, out=out)
    assert {member.status for member in run.members} == {"ok"}
    whole = co.audit(committee, scene.pictures, settings=SETTINGS, out=tmp_path / "whole")
    ours, theirs = tree(out), tree(whole.path)
    assert {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)} == set()


MOUNTED = """
mount -t tmpfs -o {first} none "$OUT" || exit 99
{before}
{audit} 2>"$SAID"; echo $? >"$CODE"
mount -o remount,{then} "$OUT" && {audit} && cp -r "$OUT"/. "$KEPT"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "before", "then", "says"),
    [
        ("size=160k", "", "size=64m", "No space left on device"),
        ("size=64m", '{audit} --limit 2 && mount -o remount,ro "$OUT"', "rw", "Read-only file system"),
    ],
    ids=["full", "read-only"],
)
def test_a_file_system_that_is_full_or_read_only(
    first: str, before: str, then: str, says: str, scene: Scene, tmp_path: Path
) -> None:
    paths = {name.upper(): tmp_path / name for name in ("out", "said", "code", "kept")}
    paths["OUT"].mkdir()
    paths["KEPT"].mkdir()
    audit = shlex.join(scene.command(paths["OUT"]))
    script = MOUNTED.format(first=first, before=before.format(audit=audit), then=then, audit=audit)
    environment = {**os.environ, **{name: str(path) for name, path in paths.items()}}
    # Mounts of its own, which end with it: real ones of a real file system, without touching the machine's.
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
    )
    if not paths["CODE"].exists():
        pytest.skip(f"no mounts of one's own here: {done.stderr.strip()[:200]}")
    told = paths["SAID"].read_text(encoding="utf-8")
    assert paths["CODE"].read_text(encoding="utf-8").strip() == "2", told
    assert says in told
    assert "Traceback" not in told
    assert done.returncode == 0, done.stderr
    assert tree(paths["KEPT"]) == scene.whole
