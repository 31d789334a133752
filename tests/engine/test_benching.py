"""Timing a committee: what is timed, what is made of it, and what stops it."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import consensus_onnx as co
from consensus_onnx.cli import main
from consensus_onnx.cli.bench import estimate_lines
from consensus_onnx.engine.benching import Bench, bench_committee
from consensus_onnx.engine.settings import EngineSettings
from consensus_onnx.explainers.speed import ExplainerSpeed, Speed, measure_speed, with_samples
from consensus_onnx.images import Superpixels
from worlds import SETTINGS, World

GRID = Superpixels(method="grid", segments=4)


class Slow:
    """A session whose runs take a little longer."""

    def __init__(self, session: Any, seconds: float) -> None:
        self._session, self._seconds = session, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, *given: Any) -> Any:
        time.sleep(self._seconds)
        return self._session.run(*given)


def timed(world: World, explainers: tuple[Any, ...], seconds: float) -> Speed:
    classifier = co.load_committee(world.models)[0].open()
    slow = replace(classifier, session=Slow(classifier.session, seconds))
    canvas = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    segments = {"lime": GRID.segment(canvas)}
    return measure_speed(slow, explainers, canvas, segments, rounds=1)


def test_a_slow_runtime_is_seen_inside_and_the_multiple_is_one(world: World) -> None:
    speed = timed(world, (co.Lime(samples=40),), seconds=0.02)
    lime = speed.explainers[0]
    assert lime.passes == 40
    # 40 rows in batches of 4 are 10 runs of 20 ms and a little; the clean picture is the first row.
    assert lime.in_runtime >= 0.2
    assert 0 <= lime.outside < 0.5
    assert speed.best_batch >= 8  # every run takes as long, so large batches are the cheapest
    assert 0.02 / 32 <= speed.bare < speed.forward[1]
    assert lime.multiple >= 1  # bare passes of 40 pictures, in the largest batches at that, take 0.04 s


def test_the_gradient_session_is_watched_too(world: World) -> None:
    speed = timed(world, (co.SmoothGrad(samples=4),), seconds=0.0)
    assert speed.explainers[0].name == "smoothgrad"
    assert 0 < speed.explainers[0].in_runtime < speed.explainers[0].seconds


class Sleeper:
    """An explainer of `samples` passes that takes a while for each, another while in every round."""

    name, kind, samples = "sleeper", "pixel", 20

    def __init__(self, *seconds: float) -> None:
        self._seconds = iter(seconds)

    def explain(self, member: Any, canvas: Any, *, segments: Any) -> Any:
        time.sleep(self.samples * next(self._seconds))
        return self


def test_multiples_are_paired_with_the_passes_of_their_round(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that gets slower in the course of the rounds makes no explainer look slower than it is."""
    state = iter([1, 1, 1, 3, 3, 9, 9, 9])  # of the machine: two ways of bare passes a round
    monkeypatch.setattr("consensus_onnx.explainers.speed._least", lambda lanes, size: 0.001)
    monkeypatch.setattr("consensus_onnx.explainers.speed._bare", lambda lanes, size, pictures: 0.001 * next(state))
    classifier = co.load_committee(world.models)[0].open()
    sleeper: Any = Sleeper(0.0, 0.0012, 0.0036, 0.0108)
    canvas = np.zeros((16, 16, 3), np.uint8)
    speed = measure_speed(classifier, (sleeper,), canvas, {}, rounds=3)
    assert speed.explainers[0].multiple == pytest.approx(1.2, rel=0.1)
    assert speed.bare == 0.001


def test_samples_are_set_where_they_are_ours() -> None:
    lime, smoothgrad = with_samples((co.Lime(alpha=1.0), co.SmoothGrad()), rows=30, draws=3)
    assert (lime, smoothgrad) == (co.Lime(alpha=1.0, samples=30), co.SmoothGrad(samples=3))


def test_the_estimate_adds_up(world: World) -> None:
    each = (ExplainerSpeed("lime", 200, 2.2, 2.1, 1.1), ExplainerSpeed("smoothgrad", 8, 0.4, 0.4, 5.0))
    speed = Speed({4: 0.01}, 1, 4, 0.01, each)
    member = co.load_committee(world.models)[0]
    benches = [Bench(member, provider="cpu", speed=speed), Bench(member, problem="broken")]
    assert benches[0].seconds({"lime": 1000, "smoothgrad": 50}) == pytest.approx({"lime": 11.0, "smoothgrad": 2.5})
    assert estimate_lines(benches, {"lime": 1000, "smoothgrad": 50}, 5794) == [
        "one image, all members: 13.5 s (lime 1000 samples 81 %, smoothgrad 50 samples 19 %)",
        "5,794 images: 21.7 hours, one member at a time",
    ]
    assert estimate_lines([benches[1]], {"lime": 1000}, 3) == []


def test_bench_over_a_folder(world: World, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(world.models, models)
    manifest = (models / "committee.yaml").read_text(encoding="utf-8") + "- {file: empty.onnx}\n"
    (models / "committee.yaml").write_text(manifest, encoding="utf-8")
    (models / "empty.onnx").touch()
    small = ["--rows", "20", "--draws", "2", "--rounds", "1", "--set", "lime.superpixels.method=grid"]
    small += ["--set", "lime.superpixels.segments=4"]
    command = ["bench", str(models), "--images", str(world.pictures), *small]
    done = CliRunner().invoke(main, [*command, "--json"])
    assert done.exit_code == 3, done.output
    first, *_, last = json.loads(done.stdout)
    assert last["name"] == "empty"
    assert "the file is empty" in last["problem"]
    assert [one["name"] for one in first["explainers"]] == ["lime", "smoothgrad"]
    assert all(one["multiple"] > 0 and 0 <= one["outside"] < 1 for one in first["explainers"])
    assert set(first["forward_seconds"]) == {"1", "2", "4", "8", "16", "32"}
    shown = CliRunner().invoke(main, command).stdout
    assert "images/s" in shown
    assert "empty: " in shown
    assert " images: " in shown
    assert max(len(line) for line in shown.splitlines() if not line.startswith("empty:")) <= 100


def test_timing_may_take_as_long_as_a_command(world: World) -> None:
    """All of it is a worker's first answer, and many rounds take longer than any opening."""
    committee = co.load_committee(world.models)
    one = replace(committee, members=committee.members[:1])
    picture = next(iter(sorted(world.pictures.glob("*.png"))))
    found = []
    for command in (60.0, 0.001):
        engine = EngineSettings(opening_seconds=0.001, command_seconds=command)
        settings = replace(SETTINGS, engine=engine, explainers=("lime",))
        found += bench_committee(one, picture, settings, rows=80, rounds=1)
    assert not found[0].problem
    assert "no answer within the limit of 0.002 s during opening; killed" in found[1].problem
