"""One small finished audit, shared; tests that change a run work on a copy."""

from __future__ import annotations

import pytest

import consensus_onnx as co
from consensus_onnx_zoo.scenes import write_scenes
from miniature import build_committee
from worlds import COMPACT, IMAGES, World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    models = build_committee(folder / "models")
    labels = write_scenes(folder / "scenes", IMAGES)
    return World(models, folder / "scenes" / "pictures", labels)


@pytest.fixture(scope="session")
def finished(world: World, tmp_path_factory: pytest.TempPathFactory) -> co.Run:
    return world.audit(tmp_path_factory.mktemp("runs") / "finished")[0]


@pytest.fixture(scope="session")
def compact(world: World, tmp_path_factory: pytest.TempPathFactory) -> co.Run:
    """Return the same audit with its maps kept small."""
    return world.audit(tmp_path_factory.mktemp("runs") / "compact", settings=COMPACT)[0]
