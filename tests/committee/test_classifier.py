"""An opened member: the same answers in every form of the same net, and a reason for every failure."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

import consensus_onnx as co
from tiny_models import (
    MEAN,
    SCALE,
    STD,
    TinyNet,
    build,
    linear_classifier,
    linear_weights,
    nan_classifier,
    noise_canvas,
    open_model,
)

CANVAS = noise_canvas(5)


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum()


def test_a_linear_model_answers_what_its_weights_say(tmp_path: Path) -> None:
    canvas = noise_canvas(5, size=8)
    manifest = TinyNet(size=(8, 8)).declaration()
    classifier = open_model(tmp_path, linear_classifier(size=8), manifest)
    picture = (canvas * SCALE - np.array(MEAN)) / np.array(STD)
    logits = np.einsum("lcyx,yxc->l", linear_weights(8).astype(np.float64), picture)
    np.testing.assert_allclose(classifier.predict(canvas), softmax(logits), rtol=1e-5)


TWINS = [
    TinyNet(layout="NHWC"),
    TinyNet(color="BGR"),
    TinyNet(layout="NHWC", color="BGR", batch=1),
    TinyNet(batch=3),
    TinyNet(kind="probabilities"),
]


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_twins_see_the_same(twin: TinyNet, tmp_path: Path) -> None:
    expected = open_model(tmp_path, TinyNet()).predict(CANVAS)
    assert expected.sum() == pytest.approx(1)
    np.testing.assert_allclose(open_model(tmp_path, twin).predict(CANVAS), expected, atol=1e-6)


def test_a_forgotten_channel_order_is_seen_by_that_test(tmp_path: Path) -> None:
    wrong = open_model(tmp_path, TinyNet(color="BGR"), TinyNet(color="RGB").declaration()).predict(CANVAS)
    assert np.abs(wrong - open_model(tmp_path, TinyNet()).predict(CANVAS)).max() > 0.01


def test_float16_is_close_to_float32(tmp_path: Path) -> None:
    half = open_model(tmp_path, TinyNet(dtype="float16"))
    assert half.new_batch(2).dtype == np.float16
    np.testing.assert_allclose(half.predict(CANVAS), open_model(tmp_path, TinyNet()).predict(CANVAS), atol=5e-3)


def test_the_background_takes_its_share_of_the_probability(tmp_path: Path) -> None:
    net = TinyNet(background=True, classes=5)
    every = open_model(tmp_path, net).predict(CANVAS)
    common = open_model(tmp_path, net, net.declaration() + "classes: 5\n").predict(CANVAS)
    assert every.shape == (6,)
    np.testing.assert_array_equal(common, every[1:])
    assert common.sum() < 1 - 1e-3


def test_large_logits_do_not_overflow(tmp_path: Path) -> None:
    probabilities = open_model(tmp_path, TinyNet(sharpness=1e5)).predict(CANVAS)
    assert probabilities.max() == 1.0
    assert np.isfinite(probabilities).all()


def test_a_batch_may_have_any_length(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet(), batch=2)
    assert classifier.batch == 2
    assert open_model(tmp_path, TinyNet()).batch == 4
    batch = np.stack([classifier.input_tensor(noise_canvas(seed)) for seed in range(7)])
    rows = classifier.probabilities(batch)
    assert rows.shape == (7, 5)
    assert rows.dtype == np.float64
    for index in range(7):
        np.testing.assert_array_equal(rows[index], classifier.predict(noise_canvas(index)))


def test_nan_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, nan_classifier(), "")
    expected = f"{classifier.member.path}: answers NaN or infinity; the model or its preprocessing is broken"
    with pytest.raises(co.ModelError, match=re.escape(expected)):
        classifier.predict(CANVAS)


def test_a_run_that_fails_names_the_file(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    with pytest.raises(co.ModelError, match=r"model\.onnx: fails while running: .*INVALID_ARGUMENT"):
        classifier.answers(np.zeros((1, 3, 5, 5), np.float32))


def test_a_model_that_fails_on_the_probe_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Reshape", ["input", "shape"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["output"], axes=[2], keepdims=0),
    ]
    wrong = build(nodes, {"input": ("N", 3, 8, 8)}, {"output": ("N", 5)}, {"shape": np.array([-1, 5, 7], np.int64)})
    with pytest.raises(co.ModelError, match=r"model\.onnx: fails on a probe picture: "):
        open_model(tmp_path, wrong, "")


def test_a_model_the_runtime_cannot_load_is_refused(tmp_path: Path) -> None:
    unknown = build(
        [helper.make_node("Unheard", ["input"], ["output"], domain="com.microsoft")],
        {"input": ("N", 3, 8, 8)},
        {"output": ("N", 5)},
    )
    with pytest.raises(co.ModelError, match=r"model\.onnx: ONNX Runtime cannot load this model: .*Unheard") as caught:
        open_model(tmp_path, unknown, "")
    assert "\n" not in str(caught.value)


def test_what_is_derived_from_a_model_is_made_once(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    assert [classifier.derived("a", make), classifier.derived("a", make), classifier.derived("b", make)] == [0, 0, 1]


def test_facts_count_parameters_and_say_who_runs(tmp_path: Path) -> None:
    net = TinyNet()
    classifier = open_model(tmp_path, net)
    assert classifier.provider == "cpu"
    assert classifier.facts.opset == 17
    weights = sum(array.size for array in net.weights().values())
    assert classifier.facts.parameters == weights + 2  # and the two numbers of the Reshape
