"""Models exported for one picture: loosened where that is proven to change nothing, else run one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from consensus_onnx.committee.batching import with_symbolic_batch
from tiny_models import TinyNet, batch_breaker, batch_mixer, noise_canvas, open_model

ONE_BY_ONE = "fixed to one picture per pass and not provably the same with more: run one by one"
CANVASES = [noise_canvas(seed) for seed in range(5)]


def test_a_fixed_batch_of_one_is_loosened(tmp_path: Path) -> None:
    loose, fixed = TinyNet(), TinyNet(batch=1)
    classifier = open_model(tmp_path, fixed)
    assert classifier.facts.input.batch == 0
    assert classifier.facts.notices == ()
    batch = np.stack([classifier.input_tensor(canvas) for canvas in CANVASES])
    answers = classifier.answers(batch)
    np.testing.assert_array_equal(answers, open_model(tmp_path, loose).answers(batch))


def test_the_given_model_is_not_changed() -> None:
    model = TinyNet(batch=1).model()
    before = model.SerializeToString()
    with_symbolic_batch(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("shape", [(1, 96), (1, -1), (1, 6, 16)])
@pytest.mark.parametrize("stored", ["initialiser", "constant node"])
def test_every_way_to_pin_the_batch_in_a_reshape(shape: tuple[int, ...], stored: str, tmp_path: Path) -> None:
    model = TinyNet(batch=1).model()
    graph = model.graph
    target = next(tensor for tensor in graph.initializer if tensor.name == "flat_shape")
    value = numpy_helper.from_array(np.array(shape, np.int64), "flat_shape")
    if stored == "initialiser":
        target.CopyFrom(value)
    else:
        graph.initializer.remove(target)
        graph.node.insert(0, helper.make_node("Constant", [], ["flat_shape"], value=value))
    if len(shape) == 3:
        reshape = next(node for node in graph.node if node.op_type == "Reshape")
        reshape.output[0] = "tokens"
        place = list(graph.node).index(reshape) + 1
        graph.node.insert(place, helper.make_node("Flatten", ["tokens"], ["flat"]))
    onnx.checker.check_model(model)
    classifier = open_model(tmp_path, model, TinyNet().declaration())
    assert classifier.facts.input.batch == 0
    assert classifier.facts.notices == ()


@pytest.mark.parametrize("model", [batch_mixer(), batch_breaker()], ids=["mixes pictures", "cannot run"])
def test_what_is_not_the_same_in_a_batch_runs_one_by_one(
    model: ModelProto, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    classifier = open_model(tmp_path, model, "")
    assert classifier.facts.notices[-1] == ONE_BY_ONE
    assert classifier.facts.input.batch == classifier.batch == 1
    batch = np.stack([classifier.input_tensor(canvas) for canvas in CANVASES])
    together = classifier.answers(batch)
    alone = np.concatenate([classifier.answers(picture[np.newaxis]) for picture in batch])
    np.testing.assert_array_equal(together, alone)
    assert capfd.readouterr().err == ""  # the failed attempt is nobody's business


def test_another_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet(batch=3))
    assert classifier.facts.input.batch == classifier.batch == 3
    batch = np.stack([classifier.input_tensor(canvas) for canvas in CANVASES])
    expected = open_model(tmp_path, TinyNet()).answers(batch)
    np.testing.assert_array_equal(classifier.answers(batch), expected)
    np.testing.assert_array_equal(classifier.answers(batch[:1]), expected[:1])
