"""A plan from a pilot: three audits of few pictures, and what is made of them."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import consensus_onnx as co
from consensus_onnx.analysis.planning import ErrorSources
from consensus_onnx.cli import main
from consensus_onnx.cli.plan import lines_of, splits_of
from consensus_onnx.engine.events import UnitDone
from consensus_onnx.engine.pilot import Pilot, run_pilot
from consensus_onnx.images import read_dataset
from miniature import SIDE
from worlds import SETTINGS, World

SMALL = [
    *("--set", f"canvas.resize={SIDE}", "--set", f"canvas.crop={SIDE}", "--provider", "cpu"),
    *("--set", "lime.superpixels.method=grid", "--set", "lime.superpixels.segments=9"),
    *("--pilot", "3", "--rows", "40", "--draws", "2"),
]


def plan(world: World, *more: str, models: Path | None = None) -> Result:
    command = ["plan", str(models or world.models), "--images", str(world.pictures), *SMALL, *more]
    return CliRunner().invoke(main, command)


def test_a_pilot_asks_three_times_and_the_whole_twice_as_much(world: World, tmp_path: Path) -> None:
    asked: list[UnitDone] = []
    found = run_pilot(
        co.load_committee(world.models),
        read_dataset(world.pictures),
        tmp_path,
        SETTINGS,
        samples={"lime": 60, "smoothgrad": 4},
        images=3,
        listen=lambda event: asked.append(event) if isinstance(event, UnitDone) else None,
    )
    units = found.members * 3
    counts = [event.pictures for event in asked]
    assert sorted(counts) == [4] * 2 * units + [8] * units + [60] * 2 * units + [120] * units
    assert found.images == 3
    assert found.superpixels == 25
    assert (found.sources["lime"].bound, found.sources["smoothgrad"].bound) == (25, 0)
    spent = sum(event.seconds for event in asked if event.pictures == 120)
    assert found.costs["lime"] == pytest.approx(spent / 120 / 3)
    assert found.sources["lime"].samples > 0
    assert not found.problems


def test_the_command_ends_with_the_audit_to_run(world: World) -> None:
    done = plan(world, "--budget", "10m")
    assert done.exit_code == 0, done.output
    *_, last = done.stdout.splitlines()
    words = shlex.split(last)
    assert words[:3] == ["consensus-onnx", "audit", "MODELS"]
    assert "all " in done.stdout
    assert "in 10 minutes, the best first:" in done.stdout
    numbers = json.loads(plan(world, "--budget", "10m", "--json").stdout)
    assert set(numbers["pilot"]["sources"]) == {"lime", "smoothgrad"}
    assert all(split["seconds"] <= 600 for split in numbers["splits"])
    assert f"--set lime.samples={numbers['splits'][0]['samples']['lime']}" in last or len(numbers["splits"]) > 1


def test_a_broken_model_is_left_out_and_said(world: World, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(world.models, models)
    manifest = (models / "committee.yaml").read_text(encoding="utf-8") + "- {file: empty.onnx}\n"
    (models / "committee.yaml").write_text(manifest, encoding="utf-8")
    (models / "empty.onnx").touch()
    done = plan(world, "--budget", "1h", "--set", "explainers=[lime]", models=models)
    assert done.exit_code == 3, done.output
    assert "left out: empty: " in done.stdout
    assert "smoothgrad" not in done.stdout


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--budget", "soon"), "'soon' is no time; expected a number and s, m, h or d, such as 8h"),
        (("--budget", "0h"), "'0h' is no time"),
        (("--budget", "1h", "--rows", "5"), "5"),
        (("--budget", "1h", "--rows", "20"), "cannot determine the weights"),
    ],
)
def test_what_cannot_be_planned_is_said(world: World, more: tuple[str, ...], told: str) -> None:
    done = plan(world, *more, "--set", "lime.superpixels.segments=25")
    assert done.exit_code == 2
    assert told in done.stderr


def test_too_little_time_is_said() -> None:
    pilot = Pilot({"lime": ErrorSources(0.01, 2.0, 1.0, 0.1, 50.0)}, {"lime": 1.0}, {"lime": 120}, 50, 6, 3, ())
    assert splits_of(pilot, 10.0, 100) == []
    lines = lines_of(pilot, [], {"lime": 1000}, 10.0, 100)
    assert lines[-1] == "in 10 s: not even two images; raise --budget or take fewer members"
    assert "that audit takes 27.8 hours" in lines


def test_the_words_are_those_of_the_numbers() -> None:
    source, problems = ErrorSources(0.01, 2.0, 1.0, 0.1, 50.0), ("odd: oom: no room",)
    pilot = Pilot({"lime": source}, {"lime": 0.01}, {"lime": 120}, 80, 6, 3, problems)
    splits = splits_of(pilot, 3600.0, 1000)
    lines = lines_of(pilot, splits, {"lime": 1000}, 3600.0, 1000)
    assert lines[0] == "left out: odd: oom: no room"
    # 0.01 / 1000 of images, 2 / 950 / 1000 of samples, (1 / 950)^2 of drift: 10.0, 2.1 and 1.1 millionths.
    assert lines[3] == (
        "lime, 1,000 samples on all 1,000 images: a score is off by 0.0036 (76 % images, 16 % samples, 8 % drift); "
        "members differ by 0.1000"
    )
    assert min(split.samples["lime"] for split in splits) == 120  # nothing below what was tried
    assert all(split.errors["lime"] >= splits[0].errors["lime"] for split in splits)
