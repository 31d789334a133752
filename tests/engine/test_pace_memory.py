"""How passes are quickest is timed once a week and machine, not once an audit; a cache is never a condition."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

import consensus_onnx as co
from consensus_onnx.engine.pace_memory import PaceMemory, paces_from
from worlds import World, tree

CPU = co.RuntimeSettings(provider="cpu", threads=2)
FOUND = {"lanes": 2, "batch": 4, "lane_batch": 2, "gradient_batch": 2}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "consensus-onnx" / "paces"


def test_what_an_audit_found_the_next_one_knows(world: World, folder: Path, tmp_path: Path) -> None:
    first, _ = world.audit(tmp_path / "first")
    found = {path.name: json.loads(path.read_text()) for path in folder.iterdir()}
    assert len(found) == len(first.members)
    assert all(paces_from(paces) and {"batch", "gradient_batch"} <= set(paces) for paces in found.values())
    for name in found:  # no timing finds this
        (folder / name).write_text(json.dumps({"lanes": 1, "batch": 3, "gradient_batch": 5}))
    world.audit(tmp_path / "second")
    assert {path.name: json.loads(path.read_text())["batch"] for path in folder.iterdir()} == dict.fromkeys(found, 3)
    assert tree(tmp_path / "first") == tree(tmp_path / "second")


def test_it_is_of_one_model_run_one_way(folder: Path) -> None:
    PaceMemory.of("model", CPU).learn(FOUND)
    assert PaceMemory.of("model", CPU).known == FOUND
    others = (("another", CPU, 1), ("model", replace(CPU, threads=4), 1), ("model", CPU, 2))
    assert all(PaceMemory.of(*other).known == {} for other in others)
    assert len(list(folder.iterdir())) == 1


def test_what_two_audits_found_is_kept_together(folder: Path) -> None:
    one, other = PaceMemory.of("model", CPU), PaceMemory.of("model", CPU)
    one.learn({"lanes": 1, "batch": 4})
    other.learn({"gradient_batch": 2})
    assert PaceMemory.of("model", CPU).known == {"lanes": 1, "batch": 4, "gradient_batch": 2}


def test_it_is_forgotten_after_a_week(folder: Path) -> None:
    memory = PaceMemory.of("model", CPU)
    memory.learn(FOUND)
    assert memory.path is not None
    for days in (8, -8):
        moment = time.time() - days * 24 * 3600
        os.utime(memory.path, (moment, moment))
        assert PaceMemory.of("model", CPU).known == {}
    PaceMemory.of("another", CPU).learn(FOUND)
    assert not memory.path.exists()


def test_files_of_others_stay(folder: Path, tmp_path: Path) -> None:
    """The folder may lead elsewhere, and hold what is not ours: folders and links to nowhere among it."""
    elsewhere = tmp_path / "documents"
    elsewhere.mkdir()
    (elsewhere / "thesis.tex").touch()
    (elsewhere / "drafts").mkdir()
    (elsewhere / "gone").symlink_to(tmp_path / "nowhere")
    folder.parent.mkdir(parents=True)
    folder.symlink_to(elsewhere)
    before = time.time() - 8 * 24 * 3600
    for path in (elsewhere / "thesis.tex", elsewhere / "drafts"):
        os.utime(path, (before, before))
    PaceMemory.of("model", CPU).learn(FOUND)
    assert PaceMemory.of("model", CPU).known == FOUND
    assert {"thesis.tex", "drafts", "gone"} < {path.name for path in elsewhere.iterdir()}


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_is_not_read(kind: str, folder: Path, tmp_path: Path) -> None:
    path = PaceMemory.of("model", CPU).path
    assert path is not None
    folder.mkdir(parents=True)
    if kind == "link":
        (tmp_path / "victim").write_text(json.dumps(FOUND), encoding="ascii")
        path.symlink_to(tmp_path / "victim")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    memory = PaceMemory.of("model", CPU)
    assert memory.known == {}
    memory.learn({"batch": 2})
    assert kind != "link" or json.loads((tmp_path / "victim").read_text()) == FOUND


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"lanes": 0}', '{"lanes": true}', '{"batch": 1e3}', '{"batch": 65}', '{"way": 1}', "[" * 200_000],
)
def test_a_broken_file_is_timed_anew(content: str, folder: Path) -> None:
    memory = PaceMemory.of("model", CPU)
    memory.learn(FOUND)
    assert memory.path is not None
    memory.path.write_text(content)
    again = PaceMemory.of("model", CPU)
    assert again.known == {}
    again.learn(FOUND)
    assert PaceMemory.of("model", CPU).known == FOUND


def test_without_a_cache_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    PaceMemory.of("model", CPU).learn(FOUND)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # a user without a home
    PaceMemory.of("model", CPU).learn(FOUND)
    assert PaceMemory.of("model", CPU) == PaceMemory()
    assert (tmp_path / "file").is_file()


def test_only_numbers_of_its_own_are_believed() -> None:
    assert paces_from(FOUND) == FOUND
    with pytest.raises(
        ValueError, match=r"paces must be numbers of lanes, batch, lane_batch, gradient_batch, got \{'lanes': 9999\}"
    ):
        paces_from({"lanes": 9999})
