"""A picture that costs a member its worker costs that picture; what was given up is not asked again unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
from bad_explainers import Misbehaving
from consensus_onnx.engine.events import Event, MemberStarted, Notice
from worlds import IMAGES, SETTINGS, World


def audited(
    world: World, explainer: Misbehaving, out: Path, *, retry_failed: bool = False, seconds: float = 60.0
) -> tuple[co.Run, list[Event]]:
    events: list[Event] = []
    run = co.audit(
        co.load_committee(world.models),
        world.pictures,
        labels=world.labels,
        explainers=[explainer],
        settings=replace(
            SETTINGS,
            engine=replace(SETTINGS.engine, command_seconds=seconds),
            runtime=replace(SETTINGS.runtime, batch=4),  # not what a timing finds: what is misbehaviour depends on it
        ),
        out=out,
        listen=events.append,
        retry_failed=retry_failed,
    )
    return run, events


def started(events: list[Event]) -> list[str]:
    return [event.member for event in events if isinstance(event, MemberStarted)]


def test_one_picture_costs_only_itself_and_is_not_asked_again(world: World, finished: co.Run, tmp_path: Path) -> None:
    explainer = Misbehaving("segfault", only=(finished.images[1].digest,))
    run, events = audited(world, explainer, tmp_path / "run")
    good, bad = run.members
    assert good.status == "ok"
    assert bad.status == "crashed(SIGSEGV)"
    (failure,) = run.failures
    assert (failure.member, failure.explainer, failure.image) == ("depthwise", "misbehaving", run.images[1].name)
    assert (failure.status, "killed by SIGSEGV during explain" in failure.reason) == ("crashed(SIGSEGV)", True)
    assert list(np.isnan(run.scores("misbehaving")[1])) == [False, True, False, False]
    assert np.isfinite(run.scores("misbehaving")[0]).all()
    assert len([event for event in events if isinstance(event, Notice) and "once more, afresh" in event.text]) == 1
    again, events = audited(world, explainer, tmp_path / "run")
    assert started(events) == []
    assert "in an earlier audit; --retry-failed asks again" in again.failures[0].reason
    assert again.members[1].status == "crashed(SIGSEGV)"
    # Asked for, it is asked again; and once it is had, it is forgotten that it was not.
    _, events = audited(world, explainer, tmp_path / "run", retry_failed=True)
    assert started(events) == ["depthwise"]


def test_after_three_pictures_the_member_is_given_up(world: World, tmp_path: Path) -> None:
    run, _ = audited(world, Misbehaving("exit"), tmp_path / "run")
    bad = run.members[1]
    assert bad.status == "crashed(exit 7)"
    assert bad.reason.startswith("given up after 3 images, the last: its process ended with exit code 7")
    assert len(run.failures) == 3 < IMAGES
    _, events = audited(world, Misbehaving("exit"), tmp_path / "run")
    assert started(events) == []


def test_memory_that_ran_out_is_tried_with_half_the_batch(world: World, tmp_path: Path) -> None:
    run, events = audited(world, Misbehaving("memory"), tmp_path / "run")
    assert [member.status for member in run.members] == ["ok", "ok"]
    assert run.failures == ()
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len([text for text in notices if "depthwise: oom at misbehaving/" in text]) == 1  # and remembered
    calm, _ = audited(world, Misbehaving("memory", victim="nobody"), tmp_path / "calm")
    assert (
        run.explanation("misbehaving", 1, 0).values.tobytes() == calm.explanation("misbehaving", 1, 0).values.tobytes()
    )


@pytest.mark.parametrize("how", ["nan", "shape", "raise"])
def test_what_the_worker_can_tell_of_is_asked_again(how: str, world: World, finished: co.Run, tmp_path: Path) -> None:
    explainer = Misbehaving(how, only=(finished.images[0].digest,))
    run, _ = audited(world, explainer, tmp_path / "run")
    assert len(run.failures) == 1
    assert np.isfinite(run.scores("misbehaving")[:, 1:]).all()
    _, events = audited(world, explainer, tmp_path / "run")
    assert started(events) == ["depthwise"]
