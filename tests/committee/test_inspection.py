"""Wrong preprocessing is found, right preprocessing is left alone."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import consensus_onnx as co
from consensus_onnx.committee.inspection import CONVENTIONS, Accuracy, gradient_obstacles, measure_accuracy
from tiny_models import TinyNet, colour_classifier, nan_classifier, open_model, unsupported_operator

# Colours that a wrong channel order mixes up, and greys so near each other that any wrong normalisation does.
COLOURS = np.array(
    [[230, 60, 30], [30, 60, 230], [200, 200, 90], [90, 200, 200], [120, 20, 60], [60, 20, 120], [245, 245, 240]]
    + [[grey] * 3 for grey in (9, 100, 112, 124, 136)]
)
LABELS = np.arange(64) % len(COLOURS)


def pictures() -> list[np.ndarray]:
    """Return 64 noisy pictures, picture i of colour i modulo their number."""
    random = np.random.default_rng(0)
    plain = np.broadcast_to(COLOURS[LABELS][:, None, None, :], (64, 8, 8, 3))
    return list(np.clip(plain + random.normal(0, 10, plain.shape), 0, 255).astype(np.uint8))


def inspected(folder: Path, true: str, declared: str, color: str = "RGB", **options: bool) -> Accuracy:
    """Measure a classifier that was made for one convention and is declared under another."""
    own = CONVENTIONS[true]
    model = colour_classifier(COLOURS, scale=own.scale, mean=own.mean, std=own.std, **options)
    said = CONVENTIONS[declared]
    manifest = f"""
defaults:
  input: {{color: {color}}}
  preprocess: {{scale: {said.scale}, mean: {list(said.mean)}, std: {list(said.std)}}}
"""
    return measure_accuracy(open_model(folder, model, manifest), pictures(), LABELS)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_right_convention_is_left_alone(convention: str, tmp_path: Path) -> None:
    accuracy = inspected(tmp_path, convention, convention)
    assert accuracy.measured == 1.0
    assert accuracy.images == 64
    assert accuracy.advice(len(COLOURS)) == ""


@pytest.mark.parametrize(
    ("true", "declared"),
    [
        ("-1..1", "0..255"),
        ("0..1, ImageNet mean and std", "0..255"),
        ("0..255", "0..1"),
        ("0..255, mean 123.68 116.78 103.94 taken off", "-1..1"),
    ],
)
def test_a_wrong_normalisation_is_told_with_the_right_one(true: str, declared: str, tmp_path: Path) -> None:
    accuracy = inspected(tmp_path, true, declared)
    assert accuracy.best == 1.0
    assert accuracy.convention == f"RGB in {true}"
    assert accuracy.advice(len(COLOURS)) == (
        f"accuracy {accuracy.measured:.3f} as declared, 1.000 with RGB in {true}; correct it in committee.yaml"
    )


def test_a_wrong_channel_order_is_told(tmp_path: Path) -> None:
    accuracy = inspected(tmp_path, "-1..1", "-1..1", color="BGR")
    assert accuracy.convention in ("color RGB", "RGB in -1..1")
    assert (accuracy.measured < 0.6, accuracy.best) == (True, 1.0)


def test_a_forgotten_background_class_is_told(tmp_path: Path) -> None:
    accuracy = inspected(tmp_path, "-1..1", "-1..1", background=True)
    assert (accuracy.measured, accuracy.best, accuracy.convention) == (0.0, 1.0, "class_offset 1")


def test_a_few_lucky_pictures_are_no_reason(tmp_path: Path) -> None:
    """Two more of eight pictures right under another convention is what luck does; 16 of 64 would be much."""
    own = CONVENTIONS["-1..1"]
    model = colour_classifier(COLOURS, scale=own.scale, mean=own.mean, std=own.std)
    manifest = "defaults: {input: {color: RGB}, preprocess: {mean: [120, 120, 120], std: [127.5, 127.5, 127.5]}}"
    classifier = open_model(tmp_path, model, manifest)
    some = np.array([0, 1, 2, 3, 4, 5, 9, 10])
    found = measure_accuracy(classifier, [pictures()[index] for index in some], LABELS[some])
    assert (found.measured, found.best, found.convention) == (0.75, 1.0, "")


@pytest.mark.parametrize(("classes", "measured"), [(2, 0.95), (4, 0.5), (1000, 0.05)])
def test_better_than_chance_is_not_called_chance(classes: int, measured: float) -> None:
    assert Accuracy(measured, 64, measured, "").advice(classes) == ""


@pytest.mark.parametrize(("classes", "measured"), [(2, 0.5), (4, 0.25), (1000, 0.0)])
def test_chance_under_every_convention_points_at_the_labels(classes: int, measured: float) -> None:
    assert Accuracy(measured, 64, measured, "").advice(classes) == (
        f"accuracy {measured:.3f} is at chance under every common convention; check labels and classes"
    )


@given(classes=st.integers(2, 2000), images=st.integers(1, 10_000))
def test_perfection_is_never_chance(classes: int, images: int) -> None:
    assert Accuracy(1.0, images, 1.0, "").advice(classes) == ""


def test_nan_answers_are_right_about_nothing(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, nan_classifier(), "")
    accuracy = measure_accuracy(classifier, pictures()[:4], np.zeros(4, np.int64))
    assert accuracy.measured == accuracy.best == 0.0


def test_operators_without_a_gradient_are_named(tmp_path: Path) -> None:
    assert gradient_obstacles(open_model(tmp_path, unsupported_operator(), "")) == ("Det-11",)
    assert gradient_obstacles(open_model(tmp_path, TinyNet())) == ()


def real_pictures(real_data: Path) -> tuple[list[np.ndarray], np.ndarray]:
    with (real_data / "imagenet" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))[:64]
    settings = co.CanvasSettings(resize=227, crop=224)
    canvases = [co.load_canvas(real_data / "imagenet" / "images" / row["file"], settings) for row in rows]
    return canvases, np.array([int(row["label"]) for row in rows])


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_128_coral", "mobilenet_v1_0.5_160_coral", "squeezenet1.1_onnxzoo"])
def test_real_members_are_as_accurate_as_declared(name: str, real_data: Path) -> None:
    member = co.load_committee(real_data / "imagenet" / "models").member(name)
    classifier = member.open(co.RuntimeSettings(provider="cpu"))
    accuracy = measure_accuracy(classifier, *real_pictures(real_data))
    assert classifier.facts.output.kind == "logits"
    assert member.accuracy is not None
    # Three standard errors of 64 pictures at an accuracy of 0.6.
    assert accuracy.measured == pytest.approx(member.accuracy, abs=0.18)
    assert accuracy.advice(1000) == ""


@pytest.mark.real
def test_a_real_member_with_wrong_values_is_found_out(real_data: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").symlink_to(real_data / "imagenet" / "models" / "mobilenet_v1_0.25_128_coral.onnx")
    (tmp_path / "committee.yaml").write_text(
        "defaults: {input: {color: RGB}, preprocess: {scale: 1.0}}\nclasses: 1000\n"
    )
    classifier = co.load_committee(tmp_path)[0].open(co.RuntimeSettings(provider="cpu"))
    advice = measure_accuracy(classifier, *real_pictures(real_data)).advice(1000)
    assert "with RGB in -1..1; correct it in committee.yaml" in advice
