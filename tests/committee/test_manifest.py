"""committee.yaml: what it may say, and one line for everything it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

import consensus_onnx as co
from tiny_models import linear_classifier, write_committee


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_committee(tmp_path, {"a": linear_classifier(), "b": linear_classifier()})


def problems_of(folder: Path, manifest: str) -> list[str]:
    """Return the problems of a manifest, without the folder's name."""
    (folder / "committee.yaml").write_text(manifest)
    with pytest.raises(co.ConfigError) as caught:
        co.load_committee(folder)
    assert all("\n" not in problem for problem in caught.value.problems)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_members_keep_the_rest_of_a_section_they_declare_in_part(folder: Path) -> None:
    (folder / "committee.yaml").write_text("""
defaults:
  input: {layout: NCHW, size: [8, 8], color: BGR}
  preprocess: {scale: 0.5, mean: [1, 2, 3], std: [4, 5, 6]}
  output: {kind: logits}
members:
  - file: a.onnx
  - file: b.onnx
    input: {color: RGB}
    preprocess: {mean: [7, 8, 9]}
""")
    a, b = (member.declaration for member in co.load_committee(folder))
    assert (a.input.color, b.input.color) == ("BGR", "RGB")
    assert a.input.size == b.input.size == (8, 8)
    assert a.preprocess.mean == (1.0, 2.0, 3.0)
    assert (b.preprocess.scale, b.preprocess.mean, b.preprocess.std) == (0.5, (7.0, 8.0, 9.0), (4.0, 5.0, 6.0))
    assert b.output.kind == "logits"


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ("name: x\nmembres: []\n", "committee.yaml:2: unknown key 'membres'; did you mean 'members'?"),
        (
            "members:\n  - {file: a.onnx, inptu: {}}\n",
            "committee.yaml:2: members[0]: unknown key 'inptu'; did you mean 'input'?",
        ),
        (
            "members:\n  - file: a.onnx\n    preprocess:\n      maen: [1, 2, 3]\n",
            "committee.yaml:4: members[0].preprocess: unknown key 'maen'; did you mean 'mean'?",
        ),
        (
            "members:\n  - {file: a.onnx}\n  - {file: c.onnx}\n",
            "committee.yaml:3: members[1].file: no such file: c.onnx",
        ),
        (
            "members:\n  - {name: a}\n",
            "committee.yaml:2: members[0].file: is missing; name the member's ONNX file, relative to ",
        ),
        (
            "members:\n  - {file: a.onnx, name: x}\n  - {file: b.onnx, name: x}\n",
            "committee.yaml:3: members[1].name: 'x' is also the name of members[0]; names must differ",
        ),
        (
            "members:\n  - {file: a.onnx}\n  - {file: b.onnx, name: a}\n",
            "committee.yaml:3: members[1].name: 'a' is also the name of members[0]; names must differ",
        ),
        (
            "members:\n  - file: a.onnx\n    preprocess: {mean: [0.5, 0.5]}\n",
            "committee.yaml:3: members[0].preprocess.mean: must have 3 numbers (1 for a grey model), got 2",
        ),
        (
            "members:\n  - file: a.onnx\n    input: {color: BGR}\n    preprocess: {std: [2]}\n",
            "committee.yaml:4: members[0].preprocess.std: must have 3 numbers, got 1",
        ),
        (
            "members:\n  - {file: a.onnx, input: {color: GRAY}, preprocess: {mean: [1, 2, 3]}}\n",
            "committee.yaml:2: members[0].preprocess.mean: must have 1 number, got 3",
        ),
        (
            "members:\n  - {file: a.onnx, preprocess: {std: [1, 0, 1]}}\n",
            "committee.yaml:2: members[0].preprocess.std: must not contain 0, got [1.0, 0.0, 1.0]",
        ),
        (
            "members:\n  - {file: a.onnx, input: {layout: nchw}}\n",
            "committee.yaml:2: members[0].input.layout: must be one of 'NCHW', 'NHWC', got 'nchw'; "
            "did you mean 'NCHW'?",
        ),
        (
            "members:\n  - {file: a.onnx, input: {size: [224, 0]}}\n",
            "committee.yaml:2: members[0].input.size: must be two positive numbers, got [224, 0]",
        ),
        (
            "members:\n  - {file: a.onnx, accuracy: 76.1}\n",
            "committee.yaml:2: members[0].accuracy: must be >= 0 and <= 1, got 76.1",
        ),
        (
            "members:\n  - {file: a.onnx, output: {kind: softmax}}\n",
            "committee.yaml:2: members[0].output.kind: must be one of 'logits', 'probabilities', got 'softmax'",
        ),
        (
            "members:\n  - {file: a.onnx, output: {class_offset: -1}}\n",
            "committee.yaml:2: members[0].output.class_offset: must be >= 0, got -1",
        ),
        ("classes: 1\n", "committee.yaml:1: classes: must be >= 2, got 1"),
        ("members: a.onnx\n", "committee.yaml:1: members: must be a list, each entry a mapping of keys to values"),
        (
            "defaults: {input: {color: [R, G, B]}}\nmembers:\n  - {file: a.onnx}\n",
            "committee.yaml:1: defaults.input.color: must be one of 'RGB', 'BGR', 'GRAY', got ['R', 'G', 'B']",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(manifest: str, expected: str, folder: Path) -> None:
    (problem,) = problems_of(folder, manifest)
    assert problem.startswith(expected)


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    manifest = "clases: 5\nmembers:\n  - {file: a.onnx, accuracy: 2}\n  - {file: 7}\n"
    assert [problem.split(": ")[0] for problem in problems_of(folder, manifest)] == [
        "committee.yaml:1",
        "committee.yaml:3",
        "committee.yaml:4",
    ]


@pytest.mark.parametrize(
    "fault", ["preproces: {scale: 1}", "preprocess: {mean: [1, 2]}", "preprocess: {std: [0, 1, 1]}", "input: {size: 3}"]
)
def test_a_mistake_in_defaults_is_told_once_not_for_every_member(fault: str, folder: Path) -> None:
    manifest = f"defaults:\n  {fault}\nmembers:\n  - {{file: a.onnx}}\n  - {{file: b.onnx}}\n"
    (problem,) = problems_of(folder, manifest)
    assert problem.startswith("committee.yaml:2: defaults")


def test_a_grey_member_under_colour_defaults_is_told_as_its_own_mistake(folder: Path) -> None:
    manifest = "defaults: {preprocess: {mean: [1, 2, 3]}}\nmembers:\n  - {file: a.onnx, input: {color: GRAY}}\n"
    assert problems_of(folder, manifest) == [
        "committee.yaml:3: members[0].preprocess.mean: must have 1 number, got 3",
    ]


@pytest.mark.real
def test_the_real_manifest_reads_as_written(real_data: Path) -> None:
    committee = co.load_committee(real_data / "imagenet" / "models")
    assert committee.name == "imagenet-real"
    assert committee.classes == 1000
    assert len(committee) == 18
    odd = committee.member("squeezenet1.0_deepcompression").declaration
    assert (odd.input.size, odd.input.color, odd.input.layout) == ((227, 227), "BGR", "NCHW")
    assert (odd.preprocess.mean, odd.preprocess.std) == ((104.0, 117.0, 123.0), (1.0, 1.0, 1.0))
    assert {member.family for member in committee} >= {"MobileNetV1", "SqueezeNet", "EfficientNet-Lite"}
