"""A model with shuffled weights: the same graph and numbers, in another order, answering by chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from click.testing import CliRunner
from onnx import numpy_helper

import consensus_onnx as co
from consensus_onnx.cli import main
from consensus_onnx.committee.loading import load_model
from consensus_onnx.committee.randomising import randomise
from consensus_onnx.errors import ModelError
from consensus_onnx_zoo.committee import FOLDER
from consensus_onnx_zoo.scenes import SPLITS, draw_scene
from tiny_models import linear_classifier


def weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@pytest.mark.parametrize("name", ["resnet", "resnet-int8", "resnet-float16"])
def test_weights_are_the_same_numbers_elsewhere(name: str) -> None:
    model = load_model(FOLDER / f"{name}.onnx").proto
    made = randomise(model, seed=3)
    before, after = weights(model), weights(made.model)
    moved = [key for key in before if not np.array_equal(before[key], after[key])]
    assert {key for key in before if before[key].ndim > 1 and before[key].dtype.kind in "fi"} >= set(moved)
    assert moved
    for key in before:
        assert before[key].dtype == after[key].dtype
        assert np.array_equal(np.sort(before[key], axis=None), np.sort(after[key], axis=None))
    assert made.tensors >= len(moved)
    assert made.model.graph.node == model.graph.node


def test_the_seed_decides() -> None:
    model = linear_classifier()
    first, again, other = (randomise(model, seed).model.SerializeToString() for seed in (0, 0, 1))
    assert first == again != other


def test_it_answers_by_chance(tmp_path: Path) -> None:
    source = FOLDER / "resnet.onnx"
    manifest = yaml.safe_load((FOLDER / "committee.yaml").read_text(encoding="utf-8"))
    manifest["members"] = [entry for entry in manifest["members"] if entry["file"] == "resnet.onnx"]
    (tmp_path / "committee.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    done = CliRunner().invoke(main, ["randomise", str(source), "-o", str(tmp_path / "resnet.onnx")])
    assert done.exit_code == 0, done.output
    assert "weights in" in done.output
    assert done.output.rstrip().endswith("tensors shuffled")
    scenes = [draw_scene(seed) for seed in SPLITS["test"][:96]]
    accuracy = {}
    for folder in (FOLDER, tmp_path):
        member = next(member for member in co.load_committee(folder) if member.name == "resnet").open()
        hits = [member.predict(scene.picture).argmax() == scene.label for scene in scenes]
        accuracy[folder] = np.mean(hits)
    assert accuracy[FOLDER] > 0.7
    assert accuracy[tmp_path] < 0.3  # chance is 1/12; 96 scenes, so 0.083 +- 0.028


def test_nothing_to_shuffle() -> None:
    model = linear_classifier()
    del model.graph.initializer[:]
    with pytest.raises(ModelError, match=r"it has no weight tensors of two or more axes; there is nothing to shuffle"):
        randomise(model)


def test_a_bad_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    done = CliRunner().invoke(main, ["randomise", str(tmp_path / "model.onnx"), "-o", str(tmp_path / "out.onnx")])
    assert done.exit_code == 2
    assert done.output == f"error: {tmp_path / 'model.onnx'}: the file is empty; export or copy the model again\n"
    assert not (tmp_path / "out.onnx").exists()
