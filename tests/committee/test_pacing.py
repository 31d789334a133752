"""The number of pictures a pass takes, chosen by timing passes whose cost is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
from consensus_onnx.committee.lanes import lanes_of
from consensus_onnx.committee.pacing import PACES, SIZES, quickest
from tiny_models import TinyNet, grid_segments, noise_canvas, open_model


def costing(seconds: Callable[[int], float], asked: list[int]) -> Callable[[int], None]:
    def run(size: int) -> None:
        asked.append(size)
        time.sleep(seconds(size))

    return run


@pytest.mark.parametrize(
    ("seconds", "best", "largest"),
    [
        (lambda size: 0.02, 64, 64),  # a pass costs what it costs: the larger the better
        (lambda size: 0.004 * size, 2, 4),  # each picture costs the same: no reason for memory
        (lambda size: 0.01 + 0.001 * size * (1 if size <= 4 else 4), 4, 8),  # the cache ends at four
        (lambda size: 0.02 + 0.001 * size * (1 if size <= 16 else 4), 16, 32),
        (lambda size: 0.6, 2, 2),  # too slow to try more
    ],
)
def test_the_cheapest_picture_wins(seconds: Callable[[int], float], best: int, largest: int) -> None:
    asked: list[int] = []
    assert quickest(costing(seconds, asked)).batch == best
    assert max(asked) == largest


def test_a_machine_that_slows_down_does_not_choose() -> None:
    """Passes of four cost half of what passes of two do for a picture, while everything takes longer and longer."""
    passes = 0

    def run(size: int) -> None:
        nonlocal passes
        passes += 1
        time.sleep(0.002 * 1.06**passes)

    assert quickest(run, [2, 4]).batch == 4


def test_a_member_that_is_paced_answers_the_same_bytes(tmp_path: Path) -> None:
    canvas, segments = noise_canvas(7), grid_segments(16, 3)
    plain = open_model(tmp_path, TinyNet())
    paced = replace(plain, paces={}, _derived={})
    assert plain.batch == 4
    assert paced.batch in SIZES
    assert paced.batch is paced.batch
    for explainer in (co.Lime(samples=60), co.SmoothGrad(samples=5)):
        one, other = (explainer.explain(member, canvas, segments=segments) for member in (plain, paced))
        np.testing.assert_array_equal(one.values, other.values)


def test_what_is_known_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consensus_onnx.committee.classifier.quickest", None)
    canvas, segments = noise_canvas(7), grid_segments(16, 3)
    plain = open_model(tmp_path, TinyNet())
    for lanes in (1, 2):
        known = {"lanes": lanes, "batch": 3, "lane_batch": 6, "gradient_batch": 5}
        member = replace(
            plain, paces=dict(known), runtime=co.RuntimeSettings(provider="cpu", threads=2, batch=0), _derived={}
        )
        for explainer in (co.Lime(samples=60), co.SmoothGrad(samples=5)):
            one, other = (explainer.explain(asked, canvas, segments=segments) for asked in (plain, member))
            np.testing.assert_array_equal(one.values, other.values)
        assert (lanes_of(member).count, lanes_of(member).member.batch) == (lanes, 3 * lanes)
        assert member.paces == known


def test_what_is_found_is_told(tmp_path: Path) -> None:
    member = replace(
        open_model(tmp_path, TinyNet()), paces={}, runtime=co.RuntimeSettings(provider="cpu", threads=2, batch=0)
    )
    for explainer in (co.Lime(samples=60), co.SmoothGrad(samples=5)):
        explainer.explain(member, noise_canvas(7), segments=grid_segments(16, 3))
    assert member.paces is not None
    lanes = lanes_of(member)
    assert set(member.paces) == set(PACES) - ({"lane_batch"} if lanes.count == 1 else set())
    assert member.paces["lanes"] == lanes.count
    assert member.paces["batch"] == member.batch
    assert lanes.member.batch == member.paces["batch" if lanes.count == 1 else "lane_batch"]


def test_what_is_set_or_fixed_is_not_timed(tmp_path: Path) -> None:
    assert replace(open_model(tmp_path, TinyNet(batch=3)), paces={}).batch == 3
    settings = co.RuntimeSettings(provider="cpu", batch=5)
    assert replace(open_model(tmp_path, TinyNet()), runtime=settings, paces={}).batch == 5
