"""An audit that is interrupted, repeated or enlarged does what is missing and leaves the bytes of an unbroken one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import consensus_onnx as co
from consensus_onnx.engine.events import MemberStarted, UnitDone
from consensus_onnx.errors import StoreError
from miniature import SIDE
from worlds import ENTRANCE, SETTINGS, World, tree


def test_a_second_audit_asks_nobody_and_changes_nothing(world: World, finished: co.Run, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "run")
    before = tree(tmp_path / "run")
    _, events = world.audit(tmp_path / "run")
    assert not [event for event in events if isinstance(event, MemberStarted | UnitDone)]
    assert tree(tmp_path / "run") == before


def test_a_larger_limit_reuses_the_smaller_ones_work(world: World, finished: co.Run, tmp_path: Path) -> None:
    world.audit(tmp_path / "run", limit=2)
    _, events = world.audit(tmp_path / "run")
    asked = [event.image for event in events if isinstance(event, UnitDone)]
    assert set(asked) == {image.name for image in finished.images[2:]}
    grown, whole = tree(tmp_path / "run"), tree(finished.path)
    differing = {name for name in grown.keys() | whole.keys() if grown.get(name) != whole.get(name)}
    # The journals are in the order of the work; run.yaml holds `limit`. Results and explanations are the same bytes.
    assert not [name for name in differing if name.startswith("explanations.zarr") or name.endswith(".csv")]


def test_another_model_costs_only_that_model(world: World, finished: co.Run, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(world.models, models)
    manifest = (models / "committee.yaml").read_text(encoding="utf-8")
    (models / "committee.yaml").write_text(manifest.split("- file: depthwise.onnx")[0], encoding="utf-8")
    smaller = World(models, world.pictures, world.labels)
    smaller.audit(tmp_path / "run")
    run, events = world.audit(tmp_path / "run")
    assert {event.member for event in events if isinstance(event, UnitDone)} == {"depthwise"}
    assert (run.scores("lime") == finished.scores("lime")).all()


def test_workers_side_by_side_give_the_same_bytes(world: World, finished: co.Run, tmp_path: Path) -> None:
    settings = replace(SETTINGS, engine=replace(SETTINGS.engine, workers=2))
    world.audit(tmp_path / "run", settings=settings)
    ours, theirs = tree(tmp_path / "run"), tree(finished.path)
    assert ours.keys() == theirs.keys()
    # run.yaml holds `workers`, the seal a copy of it.
    assert {name for name in ours if ours[name] != theirs[name]} == {"run.yaml", "seal.json"}


def command(world: World, out: Path) -> list[str]:
    options = [
        f"canvas.resize={SIDE}",
        f"canvas.crop={SIDE}",
        "lime.samples=80",
        "lime.superpixels.method=grid",
        "lime.superpixels.segments=25",
        "smoothgrad.samples=4",
    ]
    sets = [part for option in options for part in ("--set", option)]
    entrance = [sys.executable, "-c", ENTRANCE, "audit", str(world.models)]
    rest = ["--images", str(world.pictures), "--labels", str(world.labels), "--out", str(out), "--provider", "cpu"]
    return [*entrance, *rest, *sets]


def receipts(out: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in out.glob("receipts/**/*.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize("lines", [3, 9, 15, 22])
def test_a_killed_audit_goes_on_to_the_same_bytes(lines: int, world: World, finished: co.Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(command(world, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and receipts(out) < lines:
        time.sleep(0.005)
    process.kill()
    process.wait()
    subprocess.run(command(world, out), check=True, capture_output=True)
    ours, theirs = tree(out), tree(finished.path)
    for name in ("report.html", "seal.json"):  # the command writes a report too, and the seal speaks of it
        assert ours.pop(name)
        theirs.pop(name, "")
    assert ours == theirs


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_soon_and_leaves_no_process(
    number: signal.Signals, code: int, world: World, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(command(world, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while receipts(out) < 12:
        time.sleep(0.005)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == code
    assert time.monotonic() - began < 5
    assert "run the same command again" in said
    assert "Traceback" not in said
    time.sleep(0.2)
    for child in children:
        state = Path(f"/proc/{child}/stat")
        assert not state.exists() or state.read_text(encoding="utf-8").split()[2] == "Z"


def test_settings_that_differ_are_all_named(world: World, finished: co.Run, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "run")
    settings = replace(SETTINGS, seed=5, lime=replace(SETTINGS.lime, samples=90))
    with pytest.raises(StoreError, match=r"belongs to another audit.*lime.samples.*80.*90.*seed.*choose a new folder"):
        world.audit(tmp_path / "run", settings=settings)


def test_a_foreign_folder_is_left_alone(world: World, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match=r"is not empty.*letter.txt"):
        world.audit(tmp_path)


def test_a_damaged_chunk_is_told_not_used(world: World, finished: co.Run, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "run")
    digest = finished.members[0].digest[:16]
    chunk = next(path for path in (tmp_path / "run/explanations.zarr/lime" / digest / "values").glob("c.*.0"))
    os.remove(chunk)
    with pytest.raises(StoreError, match="differ from their receipt"):
        world.audit(tmp_path / "run")
