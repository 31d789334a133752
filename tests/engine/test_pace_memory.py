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
FOUND = {"lanes": 2, "batch": 4, "gradient_batch": 2}


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
    for other in (PaceMemory.of("another", CPU), PaceMemory.of("model", replace(CPU, threads=4))):
        assert other.known == {}
    assert len(list(folder.iterdir())) == 1


def test_it_is_forgotten_after_a_week(folder: Path) -> None:
    memory = PaceMemory.of("model", CPU)
    memory.learn(FOUND)
    assert memory.path is not None
    before = time.time() - 8 * 24 * 3600
    os.utime(memory.path, (before, before))
    assert PaceMemory.of("model", CPU).known == {}
    PaceMemory.of("another", CPU).learn(FOUND)
    assert not memory.path.exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"lanes": 0}', '{"lanes": true}', '{"batch": 1e3}', '{"way": 1}'])
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
        ValueError, match=r"paces must be numbers of lanes, batch, gradient_batch, got \{'lanes': 9999\}"
    ):
        paces_from({"lanes": 9999})
