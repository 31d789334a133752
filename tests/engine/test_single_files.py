"""What one command writes comes into place whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import tiny_models
from consensus_onnx.engine.gradient_file import write_gradient
from consensus_onnx.engine.jobs import GradientJob, RandomisingJob
from consensus_onnx.engine.limits import Limits
from consensus_onnx.engine.randomised_file import write_randomised
from consensus_onnx.errors import ModelError


@pytest.fixture
def model(tmp_path: Path) -> Path:
    onnx.save(tiny_models.linear_classifier(), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_a_file_lies_in_place_and_nothing_beside_it(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "gradient.onnx"
    out.parent.mkdir()
    written = write_gradient(GradientJob(model, out, "output", None, None, "cpu", check=True))
    assert written.path == out
    assert [path.name for path in out.parent.iterdir()] == ["gradient.onnx"]
    onnx.checker.check_model(onnx.load(out))


def test_a_worker_that_does_not_end_leaves_the_older_file(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "shuffled.onnx"
    out.parent.mkdir()
    out.write_text("older", encoding="utf-8")
    with pytest.raises(ModelError, match=r"model\.onnx: no answer within the limit of 0.001 s during opening; killed"):
        write_randomised(RandomisingJob(model, out, 0), Limits(opening=0.001))
    assert [path.name for path in out.parent.iterdir()] == ["shuffled.onnx"]
    assert out.read_text(encoding="utf-8") == "older"
    write_randomised(RandomisingJob(model, out, 0))
    assert onnx.load(out).graph.node


def test_a_place_that_cannot_be_written_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    for out in (tmp_path / "nowhere" / "m.onnx", tmp_path / "folder.onnx"):
        with pytest.raises(ModelError, match=rf"^{out}: cannot be written \(.*\); choose another place"):
            write_randomised(RandomisingJob(model, out, 0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.onnx", "model.onnx"]
