"""The committee that is built from code really classifies, and is a complete committee folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
from consensus_onnx_zoo.miniature import SIDE, build_committee
from consensus_onnx_zoo.shapes import SHAPES, draw_scene, write_scenes


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> co.Committee:
    return co.load_committee(build_committee(tmp_path_factory.mktemp("miniature")))


def test_members_do_what_their_declared_accuracy_says(miniature: co.Committee) -> None:
    scenes = [draw_scene(seed) for seed in range(30_000, 30_150)]
    labels = np.array([scene.label for scene in scenes])
    for member in miniature:
        classifier = member.open()
        assert classifier.facts.notices == ()
        predicted = np.array([int(classifier.predict(scene.picture).argmax()) for scene in scenes])
        assert member.accuracy is not None
        assert member.accuracy > 2 / len(SHAPES)
        assert np.mean(predicted == labels) == pytest.approx(member.accuracy, abs=0.12)  # 3 standard errors


def test_building_twice_gives_the_same_bytes(miniature: co.Committee, tmp_path: Path) -> None:
    again = co.load_committee(build_committee(tmp_path))
    assert [member.file_digest() for member in again] == [member.file_digest() for member in miniature]


def test_scenes_are_a_dataset_with_masks(tmp_path: Path) -> None:
    labels = write_scenes(tmp_path, 5)
    dataset = co.read_dataset(tmp_path / "pictures", labels, classes=len(SHAPES))
    assert len(dataset.items) == 5
    assert dataset.notices == ()
    assert all(item.mask is not None and item.label is not None for item in dataset.items)
    assert co.load_canvas(dataset.items[0].path, co.CanvasSettings(SIDE, SIDE)).shape == (SIDE, SIDE, 3)
