"""Models from strangers: each ends as one status, none costs the audit or changes what good models say."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_models import all_mutants, bad_models
from hostile import Footprint, audit, footprint, statuses, stored, write_models, write_pictures

import consensus_onnx as co
from consensus_onnx.engine.events import Event, MemberFinished, MemberStarted


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> co.Run:
    """The good models by themselves."""
    folder = tmp_path_factory.mktemp("alone")
    return audit(write_models(folder / "models", {}), write_pictures(folder / "pictures"), folder / "run")[0]


def assert_harmless(run: co.Run, alone: co.Run) -> None:
    for name in ("a_good", "z_good"):
        assert run.members[run.member_index(name)].status == "ok"
        assert stored(run, name) == stored(alone, name)
        assert len(stored(run, name)) > 6


@pytest.mark.slow
def test_every_bad_model_gets_one_status_and_costs_only_itself(alone: co.Run, tmp_path: Path) -> None:
    bad = bad_models()
    assert len(bad) >= 120
    models, pictures = write_models(tmp_path / "models", bad), write_pictures(tmp_path / "pictures")
    run, _ = audit(models, pictures, tmp_path / "run")
    counts = statuses(run)
    print(f"{len(bad)} bad models:", dict(sorted(counts.items())))  # noqa: T201
    assert len(run.members) == len(bad) + 2
    assert_harmless(run, alone)
    by_name = {member.name: member.status for member in run.members}
    assert by_name["hang_loop"] == "timeout(opening)"
    for name in ("empty", "pointer", "page", "noise_0", "no_nodes", "cut_50"):
        assert by_name[name] == "rejected"
    assert sum(status.startswith("crashed(SIG") for status in by_name.values()) >= 4
    assert counts["oom"] >= 3
    # What crashed, hung or ran out of memory is not asked again: only what costs nothing is.
    again, events = audit(models, pictures, tmp_path / "run")
    asked = {event.member for event in events if isinstance(event, MemberStarted)}
    assert not {name for name in asked if by_name[name].startswith(("crashed", "timeout", "oom"))}
    assert {member.name: member.status for member in again.members} == by_name
    assert "--retry-failed" in again.members[again.member_index("hang_loop")].reason


@pytest.mark.slow
def test_damaged_copies_of_a_valid_model(alone: co.Run, tmp_path: Path) -> None:
    count = 200
    models = write_models(tmp_path / "models", all_mutants(count))
    held: list[Footprint] = []

    def listen(event: Event) -> None:
        if isinstance(event, MemberFinished):
            held.append(footprint())

    run, _ = audit(models, write_pictures(tmp_path / "pictures"), tmp_path / "run", listen=listen)
    print(f"{count} mutants:", dict(sorted(statuses(run).items())))  # noqa: T201
    assert len(run.members) == count + 2
    assert_harmless(run, alone)
    # Two hundred models leave nothing behind in the process that supervises them.
    grown = held[-1].memory - held[10].memory
    files = {some.files for some in held[10:]}
    print(f"supervisor: {grown:+.1f} MB from the 11th to the last model, {min(files)} to {max(files)} open files")  # noqa: T201
    assert grown < 20
    assert max(files) - min(files) <= 8  # of two workers, at one moment or another of their lives
    assert held[-1].files <= held[10].files + 4
    assert max(some.zombies for some in held) == 0


@pytest.mark.endurance
@pytest.mark.parametrize("part", range(10))
def test_two_thousand_damaged_copies(part: int, alone: co.Run, tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", all_mutants(200, seed=100 + 2 * part))
    run, _ = audit(models, write_pictures(tmp_path / "pictures"), tmp_path / "run")
    print(f"200 mutants, part {part}:", dict(sorted(statuses(run).items())))  # noqa: T201
    assert_harmless(run, alone)
