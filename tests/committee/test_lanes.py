"""Passes side by side: the same bytes as one at a time, chosen where quicker, given up where memory is short."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import consensus_onnx as co
from consensus_onnx.committee.lanes import Lanes, lanes_of
from consensus_onnx.runtime import open_session
from tiny_models import TinyNet, grid_segments, noise_canvas, open_model


def laned(classifier: co.Classifier, count: int = 3) -> co.Classifier:
    """Return the member with lanes, whatever a timing would say."""
    single = replace(classifier.runtime, threads=1)
    thread = replace(classifier, runtime=single, session=open_session(classifier.load(), single), _derived={})
    made = replace(classifier, _derived={})
    made.derived("lanes", lambda: Lanes(made, thread, count))
    return made


@pytest.mark.parametrize(
    "net", [TinyNet(), TinyNet(layout="NHWC", dtype="float16"), TinyNet(batch=3), TinyNet(batch=1)], ids=str
)
def test_lanes_say_the_same_bytes(net: TinyNet, tmp_path: Path) -> None:
    classifier = open_model(tmp_path, net)
    canvas, segments = noise_canvas(), grid_segments()
    one, several = (
        co.Lime(samples=50).explain(member, canvas, segments=segments) for member in (classifier, laned(classifier))
    )
    assert one.values.tobytes() == several.values.tobytes()
    assert one.error.standard_error.tobytes() == several.error.standard_error.tobytes()


def test_every_picture_is_worked_on_once(tmp_path: Path) -> None:
    lanes = lanes_of(laned(open_model(tmp_path, TinyNet()), count=4))
    taken: list[int] = []

    def work(member: co.Classifier, pieces: Iterator[slice]) -> None:
        for piece in pieces:
            time.sleep(0.001)
            taken.extend(range(piece.start, piece.stop))

    lanes.over(103, work)
    assert sorted(taken) == list(range(103))


def test_what_fails_in_one_lane_is_raised_and_ends_the_others(tmp_path: Path) -> None:
    lanes = lanes_of(laned(open_model(tmp_path, TinyNet()), count=2))
    done = []

    def work(member: co.Classifier, pieces: Iterator[slice]) -> None:
        for piece in pieces:
            if piece.start == 8:
                raise co.ModelError("the third piece is bad")
            time.sleep(0.02)
            done.append(piece)

    with pytest.raises(co.ModelError, match="the third piece is bad"):
        lanes.over(400, work)
    assert len(done) < 10
    assert lanes.count == 2


def test_lanes_are_given_up_when_memory_runs_out(tmp_path: Path) -> None:
    plain = open_model(tmp_path, TinyNet())
    classifier = laned(plain)
    lanes = lanes_of(classifier)

    class Poor:
        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

        def run(self, *given: Any) -> Any:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 1")

    object.__setattr__(lanes.member, "session", Poor())
    canvas, segments = noise_canvas(), grid_segments()
    explained = [co.Lime(samples=40).explain(member, canvas, segments=segments) for member in (plain, classifier)]
    assert explained[0].values.tobytes() == explained[1].values.tobytes()
    assert lanes.count == 1
    assert lanes.member is classifier
    assert (classifier.paces or {}).get("lanes") != 1  # what was short once need not be next time


class Sleepy:
    """A session whose runs take so many seconds per picture."""

    def __init__(self, session: Any, seconds: float) -> None:
        self._session, self._seconds = session, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, outputs: Any, feeds: dict[str, Any], *options: Any) -> Any:
        time.sleep(self._seconds * sum(map(len, feeds.values())))
        return self._session.run(outputs, feeds, *options)


@pytest.mark.parametrize(
    ("alone", "each", "count"), [(0.002, 0.002, 2), (0.001, 0.003, 1), (0.003, 0.001, 2), (0.02, 0.002, 1)]
)
def test_the_quicker_way_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: float, each: float, count: int
) -> None:
    """Two lanes of 2 ms a picture do what takes 4 one at a time; where passes are long, none is tried."""
    plain = open_model(tmp_path, TinyNet())
    runtime = co.RuntimeSettings(provider="cpu", threads=2)
    paced = replace(plain, paces={}, runtime=runtime, session=Sleepy(plain.session, alone), _derived={})
    monkeypatch.setattr(
        "consensus_onnx.committee.lanes.open_session", lambda model, settings: Sleepy(open_session(model), each)
    )
    lanes = lanes_of(paced)
    assert lanes.count == count
    assert lanes is lanes_of(paced)


def test_one_thread_or_an_unpaced_member_has_one_lane(tmp_path: Path) -> None:
    plain = open_model(tmp_path, TinyNet())
    assert lanes_of(plain).count == 1
    assert lanes_of(replace(plain, paces={}, runtime=co.RuntimeSettings(threads=1), _derived={})).count == 1


def test_a_member_is_read_again_only_if_it_is_the_same(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet(batch=1))
    assert classifier.facts.input.batch == 0  # loosened: its batch was found to be free
    first = classifier.load().graph.input[0].type.tensor_type.shape.dim[0]
    assert first.dim_param
    path = classifier.member.path
    path.write_bytes(path.read_bytes() + b"\x12\x00")
    with pytest.raises(co.ModelError, match="has changed since it was opened; start again"):
        classifier.load()
    assert classifier.predict(noise_canvas()).sum() == pytest.approx(1)
