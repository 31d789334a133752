"""Models of any size are differentiated, checked and written; small limits stand for protobuf's 2 GiB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import gradient_model, save_model
from consensus_onnx.gradients.graphs import check
from consensus_onnx.runtime import open_session
from gradients.graphs import model_of

LAYER = "g (float[N,40] x) => (float[N,40] y) { h = MatMul(x, w) y = Relu(h) }"


def layer() -> onnx.ModelProto:
    return model_of(LAYER, w=np.random.default_rng(0).standard_normal((40, 40)).astype(np.float32))


def gradient_by(path: Path) -> np.ndarray:
    x = np.linspace(-1, 1, 80, dtype=np.float32).reshape(2, 40)
    return open_session(path).run(["grad/x"], {"x": x, "grad/seed": np.ones((2, 40), np.float32)})[0]


def test_weights_go_beside_a_large_model(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert save_model(gradient_model(layer()), tmp_path / "a" / "small.onnx") == (tmp_path / "a" / "small.onnx",)
    beside = tmp_path / "a" / "large.onnx.data"
    beside.write_bytes(b"left by an earlier call")
    written = save_model(gradient_model(layer()), tmp_path / "a" / "large.onnx", largest=5_000)
    assert written == (tmp_path / "a" / "large.onnx", beside)
    assert written[0].stat().st_size < 5_000
    assert beside.stat().st_size == 2 * 40 * 40 * 4  # the weight and its transpose, once each
    onnx.checker.check_model(str(written[0]))
    np.testing.assert_array_equal(gradient_by(written[0]), gradient_by(tmp_path / "a" / "small.onnx"))


def test_a_model_with_weights_beside_it_is_read(tmp_path: Path) -> None:
    save_model(layer(), tmp_path / "m.onnx", largest=0)
    found, expected = (gradient_model(model).graph for model in (tmp_path / "m.onnx", layer()))
    assert list(found.node) == list(expected.node)
    for tensor, twin in zip(found.initializer, expected.initializer, strict=True):
        assert (tensor.name, tensor.raw_data) == (twin.name, twin.raw_data)


def test_a_large_model_is_checked_without_its_weights() -> None:
    check(layer(), largest=0)
    broken = layer()
    broken.graph.node[1].input[0] = "nothing"
    for largest in (0, 10**9):
        with pytest.raises(onnx.checker.ValidationError, match="nothing"):
            check(broken, largest=largest)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"m.onnx: cannot be written \(No such file or directory\); choose another place"
    ):
        save_model(layer(), tmp_path / "nowhere" / "m.onnx")
