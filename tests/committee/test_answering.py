"""What a model answers: its output, logits or probabilities, its place in the common label space."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper

import consensus_onnx as co
from tiny_models import TinyNet, build, linear_classifier, open_model, several_outputs


def message(folder: Path, model: object, manifest: str = "") -> str:
    with pytest.raises(co.ModelError) as caught:
        open_model(folder, model, manifest)  # type: ignore[arg-type]
    return str(caught.value).partition("model.onnx: ")[2]


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_kind_is_measured(kind: str, dtype: str, tmp_path: Path) -> None:
    facts = open_model(tmp_path, TinyNet(kind=kind, dtype=dtype, classes=200)).facts
    assert (facts.output.kind, facts.sources["output.kind"]) == (kind, "measured")
    assert facts.notices == ()


def test_sigmoids_are_no_probabilities_of_one_class_among_many(tmp_path: Path) -> None:
    model = linear_classifier()
    model.graph.node[-1].output[0] = "logits"
    model.graph.node.append(helper.make_node("Sigmoid", ["logits"], ["output"]))
    assert open_model(tmp_path, model, "").facts.output.kind == "logits"


@pytest.mark.parametrize(("kind", "declared"), [("probabilities", "logits"), ("logits", "probabilities")])
def test_a_declared_kind_wins_and_a_contradiction_is_told(kind: str, declared: str, tmp_path: Path) -> None:
    net = TinyNet(kind=kind)
    facts = open_model(tmp_path, net, net.declaration() + f"  output: {{kind: {declared}}}\n").facts
    assert (facts.output.kind, facts.sources["output.kind"]) == (declared, "declared")
    (notice,) = facts.notices
    assert notice.startswith(f"output.kind is declared {declared}, but it looks like {kind} (its rows sum to ")


def test_several_outputs_need_a_choice(tmp_path: Path) -> None:
    assert message(tmp_path, several_outputs()) == (
        "has 2 outputs: features (N, 3), classes (N, 4); declare output.name in committee.yaml"
    )
    assert message(tmp_path, several_outputs(), "defaults: {output: {name: logits}}") == (
        "has no output 'logits'; its outputs: features (N, 3), classes (N, 4)"
    )
    chosen = open_model(tmp_path, several_outputs(), "defaults: {output: {name: classes}}")
    assert (chosen.facts.output.name, chosen.facts.output.classes) == ("classes", 4)


def test_one_output_more_than_classes_is_the_background(tmp_path: Path) -> None:
    net = TinyNet(background=True, classes=5)
    facts = open_model(tmp_path, net, net.declaration() + "classes: 5\n").facts
    assert (facts.output.width, facts.output.class_offset, facts.output.classes) == (6, 1, 5)
    assert facts.notices == ("6 outputs for 5 classes: output 0 taken for 'background' (class_offset 1)",)
    declared = open_model(tmp_path, net, net.declaration() + "  output: {class_offset: 1}\nclasses: 5\n").facts
    assert declared.notices == ()
    alone = open_model(tmp_path, net, net.declaration() + "  output: {class_offset: 1}\n").facts
    assert alone.output.classes == 5


@pytest.mark.parametrize(
    ("outputs", "manifest", "expected"),
    [
        (4, "classes: 6", "has 4 outputs with class_offset 0, but the committee has 6 classes; declare"),
        (8, "classes: 6", "has 8 outputs with class_offset 0, but the committee has 6 classes; declare"),
        (
            7,
            "{classes: 6, defaults: {output: {class_offset: 0}}}",
            "has 7 outputs with class_offset 0, but the committee has 6 classes; declare output.class_offset",
        ),
        (
            6,
            "{classes: 6, defaults: {output: {class_offset: 1}}}",
            "has 6 outputs with class_offset 1, but the committee has 6 classes; declare output.class_offset",
        ),
    ],
)
def test_class_counts_that_do_not_fit(outputs: int, manifest: str, expected: str, tmp_path: Path) -> None:
    assert message(tmp_path, linear_classifier(classes=outputs), manifest).startswith(expected)


def test_one_number_per_picture_is_no_classifier(tmp_path: Path) -> None:
    assert message(tmp_path, linear_classifier(classes=1)) == (
        "output 'output' has 1 number per picture, expected one per class"
    )


def test_trailing_axes_of_one_do_not_matter(tmp_path: Path) -> None:
    nodes = [helper.make_node("GlobalAveragePool", ["input"], ["output"])]
    model = build(nodes, {"input": ("N", 3, 8, 8)}, {"output": ("N", 3, 1, 1)})
    assert open_model(tmp_path, model, "").facts.output.classes == 3
