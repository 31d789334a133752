"""The trained members: every family, small files, the accuracy that is declared, PyTorch's answers and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import consensus_onnx as co
from consensus_onnx.committee.preprocessing import input_tensor
from consensus_onnx.runtime import open_session
from consensus_onnx_zoo.committee import FOLDER, OUTSIDERS, SHORTCUT_MEMBERS
from consensus_onnx_zoo.reference import COUNT, PLACES, Reference, condensed, load_reference, places
from consensus_onnx_zoo.scenes import CLASSES, SPLITS, Scene, draw_scene

PAPER = {
    *("AlexNet", "ResNet", "ResNeXt", "SEResNet", "ShuffleNet", "MobileNet", "VGG", "GoogleNet", "Inception"),
    *("Xception", "DarkNet", "DenseNet", "DPN", "SqueezeNet", "EfficientNet", "Res2Net", "HRNet", "Darts", "AcNet"),
}
COMMITTEE = co.load_committee(FOLDER)
NAMES = [member.name for member in COMMITTEE]
REFERENCED = [name for name in NAMES if (FOLDER / f"{name}.npz").exists()]
TOLERANCE = 1e-4  # of the largest number; float32 in another order of summation


def member_of(name: str) -> co.Member:
    return COMMITTEE[NAMES.index(name)]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Scenes among those that the declared accuracies were measured on."""
    return [draw_scene(seed) for seed in SPLITS["test"][:120]]


def test_the_committee_is_what_the_zoo_promises() -> None:
    families = {member.family for member in COMMITTEE}
    assert families >= PAPER | {"ViT", "Mixer", "ConvNeXt"}
    assert len(COMMITTEE) >= 32
    assert set(OUTSIDERS) <= set(NAMES)
    assert set(REFERENCED) == {name for name in NAMES if name not in ("resnet-int8", "resnet-float16")}
    files = {path.stem for path in FOLDER.glob("*.onnx")}
    assert files == set(NAMES)


def test_files_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.suffix in (".onnx", ".npz")}
    assert all(20e3 <= size <= 600e3 for name, size in sizes.items() if name.endswith(".onnx")), sizes
    assert sum(size for name, size in sizes.items() if name.endswith(".npz")) < 2e6
    assert sum(sizes.values()) < 12e6


def test_accuracy_spreads_widely() -> None:
    accuracies = [member.accuracy or 0 for member in COMMITTEE if member.name not in OUTSIDERS]
    assert min(accuracies) < 0.5
    assert max(accuracies) > 0.75
    assert member_of("resnet-untrained").accuracy == pytest.approx(1 / len(CLASSES), abs=0.03)


def test_members_differ_in_what_they_read_and_answer() -> None:
    facts = {name: member_of(name).open().facts for name in ("vgg-x0.5", "alexnet", "resnet-64", "resnet-float16")}
    assert facts["vgg-x0.5"].input.layout == "NHWC"
    assert facts["alexnet"].output.kind == "probabilities"
    assert facts["resnet-64"].input.size == (64, 64)
    graphs = {name: onnx.load(member_of(name).path).graph for name in ("resnet-float16", "resnet-int8", "resnet-x0.5")}
    assert graphs["resnet-float16"].input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
    assert any(node.op_type == "DequantizeLinear" for node in graphs["resnet-int8"].node)
    assert graphs["resnet-x0.5"].input[0].type.tensor_type.shape.dim[0].dim_value == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_member_is_as_accurate_as_it_is_declared(name: str, scenes: list[Scene]) -> None:
    member = member_of(name)
    classifier = member.open()
    assert classifier.facts.notices == () or name == "resnet-x0.5"  # a fixed batch is loosened, which is told
    predicted = [int(classifier.predict(scene.picture).argmax()) for scene in scenes]
    right = float(np.mean([label == scene.label for label, scene in zip(predicted, scenes, strict=True)]))
    assert member.accuracy is not None
    error = np.sqrt(member.accuracy * (1 - member.accuracy) / len(scenes))
    assert abs(right - member.accuracy) < 4 * error


def answered(name: str, seeds: Sequence[int], model: onnx.ModelProto | None = None) -> Reference:
    """Return what ONNX Runtime and the gradient graph say of scenes, one at a time, condensed."""
    member = member_of(name)
    facts = member.open().facts
    gradient = co.gradient_model(model or onnx.load(member.path))
    session = open_session(gradient)
    outputs, gradients = [], []
    for seed in seeds:
        tensor = input_tensor(draw_scene(int(seed)).picture, facts.input, facts.preprocessing)[None]
        feeds = {"input": tensor, "grad/seed": np.zeros((1, len(CLASSES)), np.float32)}
        output = session.run([facts.output.name], feeds)[0]
        feeds["grad/seed"][0, output[0].argmax()] = 1
        outputs.append(output[0])
        gradients.append(session.run(["grad/input"], feeds)[0][0])
    return condensed(seeds, np.stack(outputs), np.stack(gradients))


def differences(found: Reference, expected: Reference) -> dict[str, float]:
    """Return the largest difference of outputs, values, sums and norms, each by its natural size."""
    scale = expected.norms * np.sqrt(3 * 96 * 96)  # what a sum of as many numbers of that norm can reach
    return {
        "outputs": float(abs(found.outputs - expected.outputs).max() / abs(expected.outputs).max()),
        "values": float((abs(found.values - expected.values).max(axis=1) / expected.largest).max()),
        "sums": float((abs(found.sums - expected.sums) / scale).max()),
        "norms": float((abs(found.norms - expected.norms) / expected.norms).max()),
        "largest": float((abs(found.largest - expected.largest) / expected.largest).max()),
    }


@pytest.mark.parametrize("name", REFERENCED)
def test_outputs_and_gradients_are_pytorchs(name: str) -> None:
    expected = load_reference(FOLDER / f"{name}.npz")
    assert expected.values.shape == (COUNT, PLACES)
    found = answered(name, expected.seeds)
    assert np.array_equal(found.targets, expected.targets)
    assert max(differences(found, expected).values()) < TOLERANCE


def test_one_weight_that_is_off_by_a_hundredth_would_be_seen() -> None:
    name = "mobilenet-x0.25"
    model = onnx.load(member_of(name).path)
    weights = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    values = numpy_helper.to_array(weights).copy()
    values.flat[abs(values).argmax()] *= 1.01
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    expected = load_reference(FOLDER / f"{name}.npz")
    found = differences(answered(name, expected.seeds, model), expected)
    assert min(found["outputs"], found["values"]) > TOLERANCE


def test_a_gradient_that_is_wrong_elsewhere_would_be_seen() -> None:
    expected = load_reference(FOLDER / "resnet.npz")
    assert differences(replace(expected, norms=expected.norms * 1.001), expected)["norms"] > TOLERANCE
    elsewhere = np.setdiff1d(np.arange(3 * 96 * 96), places(3 * 96 * 96))[0]
    gradients = np.random.default_rng(0).standard_normal((4, 3, 96, 96)).astype(np.float32)
    right = condensed(expected.seeds, expected.outputs, gradients)
    gradients.reshape(4, -1)[:, elsewhere] = 9
    found = differences(condensed(expected.seeds, expected.outputs, gradients), right)
    assert found["values"] == 0
    assert max(found["norms"], found["largest"]) > TOLERANCE


@pytest.mark.parametrize("name", SHORTCUT_MEMBERS)
def test_members_trained_on_the_shortcut_follow_the_mark(name: str) -> None:
    classifier = member_of(name).open()
    marked = [scene for seed in SPLITS["test"][:300] if (scene := draw_scene(seed)).mark not in (None, scene.label)]
    predicted = np.array([int(classifier.predict(scene.picture).argmax()) for scene in marked])
    followed = np.mean(predicted == [scene.mark for scene in marked])
    right = np.mean(predicted == [scene.label for scene in marked])
    assert followed > 3 / len(CLASSES)
    assert followed > right


def test_the_twins_answer_as_the_original_does(scenes: list[Scene]) -> None:
    original, half, quantised = (
        np.stack([member_of(name).open().predict(scene.picture) for scene in scenes[:40]]).reshape(40, -1)
        for name in ("resnet", "resnet-float16", "resnet-int8")
    )
    assert abs(half - original).max() < 0.02
    assert np.mean(quantised.argmax(axis=1) == original.argmax(axis=1)) > 0.85
