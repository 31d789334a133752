"""What a model reads: found in the file, declared, or assumed with a notice; and inputs that are no pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper

import consensus_onnx as co
from consensus_onnx.committee.reading import CONVENTION
from tiny_models import TinyNet, build, integer_input, linear_classifier, open_model, several_inputs

PREPROCESS = "defaults: {preprocess: {scale: 1.0}}"


def pooled(*shape: int | str) -> ModelProto:
    """Return a net that pools a picture of any shape into its classes."""
    nodes = [helper.make_node("GlobalAveragePool", ["input"], ["p"]), helper.make_node("Flatten", ["p"], ["output"])]
    return build(nodes, {"input": shape}, {"output": ("N", "L")})


def message(folder: Path, model: ModelProto | TinyNet, manifest: str = "") -> str:
    """Return why a model cannot be opened, without its path."""
    with pytest.raises(co.ModelError) as caught:
        open_model(folder, model, manifest)
    path, _, text = str(caught.value).partition("model.onnx: ")
    assert path.startswith(str(folder))
    return text


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("color", ["RGB", "GRAY"])
def test_layout_size_and_grey_are_in_the_file(layout: str, color: str, tmp_path: Path) -> None:
    facts = open_model(tmp_path, TinyNet(size=(10, 14), layout=layout, color=color), "").facts
    assert (facts.input.layout, facts.input.size, facts.input.color) == (layout, (10, 14), color)
    assert facts.input.channels == (1 if color == "GRAY" else 3)
    assert facts.sources["input.layout"] == facts.sources["input.size"] == "file"
    assert facts.sources["input.color"] == ("file" if color == "GRAY" else "convention")


def test_what_nobody_says_is_convention_with_a_notice(tmp_path: Path) -> None:
    facts = open_model(tmp_path, pooled("N", 3, "H", "W"), "").facts
    assert facts.preprocessing == CONVENTION
    assert facts.preprocessing_source == "convention"
    assert facts.input.size == (224, 224)
    assert facts.notices == (
        "input size neither declared nor in the file: 224x224 assumed",
        "preprocessing not declared: ImageNet convention assumed (RGB in 0..1, mean .485 .456 .406)",
    )


def test_an_undeclared_channel_order_has_a_notice_of_its_own(tmp_path: Path) -> None:
    assert open_model(tmp_path, linear_classifier(), PREPROCESS).facts.notices == (
        "channel order not declared: RGB assumed",
    )
    declared = "defaults: {input: {color: RGB}, preprocess: {scale: 1.0}}"
    assert open_model(tmp_path, linear_classifier(), declared).facts.notices == ()


def test_a_grey_convention_has_one_channel(tmp_path: Path) -> None:
    preprocessing = open_model(tmp_path, TinyNet(color="GRAY"), "").facts.preprocessing
    assert (preprocessing.mean, preprocessing.std) == ((0.485,), (0.229,))


def test_a_partial_declaration_leaves_the_rest_alone(tmp_path: Path) -> None:
    facts = open_model(tmp_path, TinyNet(), "defaults: {preprocess: {mean: [1, 2, 3]}}").facts
    assert facts.preprocessing.scale == 1.0
    assert facts.preprocessing.std == (1.0, 1.0, 1.0)
    assert facts.preprocessing_source == "declared"


@pytest.mark.parametrize("color", ["RGB", "GRAY"])
def test_open_axes_are_settled_by_declaration(color: str, tmp_path: Path) -> None:
    net = TinyNet(size=None, color=color)
    model = net.model()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "C"
    facts = open_model(tmp_path, model, net.declaration()).facts
    assert (facts.input.size, facts.input.channels) == ((16, 16), net.channels)
    assert facts.notices == ()


@pytest.mark.parametrize(
    ("shape", "manifest", "expected"),
    [
        (
            ("N", 4, 8, 8),
            "",
            "input input (N, 4, 8, 8) has no axis of 3 channels (or 1, grey); expected colour pictures",
        ),
        (("N", 3, 8, 3), "", "cannot tell whether input input (N, 3, 8, 3) is NCHW or NHWC; declare input.layout in"),
        (
            ("N", "C", "H", "W"),
            "",
            "cannot tell whether input input (N, C, H, W) is NCHW or NHWC; declare input.layout",
        ),
        (
            ("N", 3, 8, 8),
            "defaults: {input: {layout: NHWC}}",
            "input.layout is NHWC, but input input (N, 3, 8, 8) then has 8 channels, not 3",
        ),
        (
            ("N", 3, 8, 8),
            "defaults: {input: {size: [8, 9]}}",
            "input.size is [8, 9], but the file's input is input (N, 3, 8, 8)",
        ),
        (
            ("N", 3, 8, 8),
            "defaults: {input: {color: GRAY}}",
            "input.color is GRAY, but input input (N, 3, 8, 8) has 3 channels",
        ),
        (
            ("N", 1, 8, 8),
            "defaults: {input: {color: BGR}}",
            "input.color is BGR, but input input (N, 1, 8, 8) has 1 channels",
        ),
        (("N", 3, 8, 8), "defaults: {input: {name: image}}", "has no input 'image'; its inputs: input (N, 3, 8, 8)"),
        (("N", 3, 8, 8), "defaults: {preprocess: {mean: [1]}}", "preprocess.mean must have 3 numbers, got 1"),
        (("N", 3, 8), "", "input input (N, 3, 8) is no batch of pictures; expected (N, 3, H, W) or (N, H, W, 3)"),
    ],
)
def test_inputs_that_contradict_or_do_not_say(
    shape: tuple[int | str, ...], manifest: str, expected: str, tmp_path: Path
) -> None:
    assert message(tmp_path, pooled(*shape), manifest).startswith(expected)


def test_several_inputs_are_listed(tmp_path: Path) -> None:
    assert message(tmp_path, several_inputs()) == (
        "expected one input, the picture, got 2: input (N, 3, 8, 8), extra (N, 3); "
        "export the model with the others fixed"
    )


def test_an_input_with_a_stored_value_is_no_second_input(tmp_path: Path) -> None:
    model = several_inputs()
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((1, 3), np.float32), "extra"))
    assert open_model(tmp_path, model, "").facts.input.name == "input"


def test_integer_inputs_are_refused_by_type(tmp_path: Path) -> None:
    assert message(tmp_path, integer_input()) == (
        "input 'input' takes uint8, expected float32, float16 or float64; export the model with a float input"
    )
