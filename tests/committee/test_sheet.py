"""What the file itself says in its metadata: under declarations, above conventions, checked like committee.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import ModelProto

import consensus_onnx as co
from tiny_models import TinyNet, open_model


def with_metadata(**entries: str) -> ModelProto:
    model = TinyNet().model()
    for key, value in entries.items():
        model.metadata_props.add(key="consensus_onnx." + key.replace("__", "."), value=value)
    return model


def test_metadata_stand_in_for_a_manifest(tmp_path: Path) -> None:
    model = with_metadata(
        input__color="BGR",
        preprocess__scale="0.5",
        preprocess__mean="[1, 2, 3]",
        preprocess__std="[4.0, 5, 6]",
        output__kind="logits",
    )
    facts = open_model(tmp_path, model, "").facts
    assert facts.input.color == "BGR"
    assert (facts.preprocessing.scale, facts.preprocessing.mean) == (0.5, (1.0, 2.0, 3.0))
    assert facts.preprocessing_source == "metadata"
    assert facts.sources["output.kind"] == "metadata"
    assert facts.notices == ()


def test_a_declaration_wins_over_metadata(tmp_path: Path) -> None:
    model = with_metadata(preprocess__scale="0.5", preprocess__mean="[1, 2, 3]")
    facts = open_model(tmp_path, model, "defaults: {preprocess: {mean: [7, 8, 9]}}").facts
    assert (facts.preprocessing.scale, facts.preprocessing.mean) == (0.5, (7.0, 8.0, 9.0))
    assert facts.preprocessing_source == "declared+metadata"


def test_other_metadata_are_none_of_our_business(tmp_path: Path) -> None:
    model = with_metadata(gradient__of="output")
    model.metadata_props.add(key="author", value="[" * 5000)
    assert open_model(tmp_path, model, "").facts.preprocessing_source == "convention"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("preprocess__mean", "abc", "preprocess.mean: must be a list, each entry a number, or null, got 'abc'"),
        ("preprocess__std", "[0, 0, 0]", "preprocess.std: must not contain 0, got [0.0, 0.0, 0.0]"),
        ("preprocess__scale", "NaN", "preprocess.scale: must be a finite number, got nan"),
        ("preprocess__mean", "[1, 2]", "preprocess.mean must have 3 numbers, got 2"),
        ("preprocess__men", "[1, 2, 3]", "preprocess: unknown key 'men'; did you mean 'mean'?"),
        ("input__layout", "CHW", "input.layout: must be one of 'NCHW', 'NHWC', got 'CHW'; did you mean 'NCHW'?"),
        ("input__size", "224", "input.size: must be a list of 2: each a whole number, or null, got 224"),
        ("output__kind", "logit", "output.kind: must be one of 'logits', 'probabilities', got 'logit'"),
        ("output__class_offset", "-1", "output.class_offset: must be >= 0, got -1"),
        ("preprocess__mean", "[" * 5000, "preprocess.mean: must be a list, each entry a number, or null, got '[[["),
    ],
)
def test_metadata_of_strangers_are_checked(key: str, value: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(co.ModelError) as caught:
        open_model(tmp_path, with_metadata(**{key: value}), "")
    text = str(caught.value).partition("model.onnx: ")[2].removeprefix("metadata: ")
    assert text.startswith(expected)
    assert "\n" not in text
    assert len(text) < 200
