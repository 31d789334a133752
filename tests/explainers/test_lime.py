"""LIME in every form of member: what it is asked, what it finds, how sure it is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
from consensus_onnx.config import build_settings
from consensus_onnx.explainers.masking import fill_colours, make_masking
from consensus_onnx.explainers.surrogate import make_design, perturbation_rows
from tiny_models import (
    MEAN,
    SCALE,
    STD,
    TinyNet,
    grid_segments,
    linear_classifier,
    linear_weights,
    nan_classifier,
    noise_canvas,
    open_model,
)

CANVAS = noise_canvas(7)
SEGMENTS = grid_segments(16, 3)
K = 9
LIME = co.Lime(samples=60)
ROWS = perturbation_rows(np.array([1, 2], np.uint64), 11, K)
LUMA = np.array([0.299, 0.587, 0.114])


def by_pixels(classifier: co.Classifier, net: TinyNet, fill: int | str) -> np.ndarray:
    """Build the masked pictures of ROWS pixel by pixel, in float64; the member's own picture of the canvas is given."""
    facts = classifier.facts.input
    clean = classifier.input_tensor(CANVAS)
    clean = clean if net.layout == "NHWC" else clean.transpose(1, 2, 0)
    height, width = facts.size
    pictures = np.empty((len(ROWS), height, width, net.channels))
    for p, y, x in np.ndindex(len(ROWS), height, width):
        segment = SEGMENTS[int((y + 0.5) * 16 / height), int((x + 0.5) * 16 / width)]
        if ROWS[p, segment]:
            pictures[p, y, x] = clean[y, x]
            continue
        inside = CANVAS[segment == SEGMENTS]
        colour = np.full(3, fill) if isinstance(fill, int) else inside.mean(axis=0).astype(np.uint8)
        ordered = {"RGB": colour, "BGR": colour[::-1], "GRAY": [colour @ LUMA]}[net.color]
        pictures[p, y, x] = (np.array(ordered) * SCALE - np.array(net.mean)) / np.array(net.std)
    return pictures if net.layout == "NHWC" else pictures.transpose(0, 3, 1, 2)


FORMS = [
    TinyNet(),
    TinyNet(layout="NHWC"),
    TinyNet(color="BGR"),
    TinyNet(color="BGR", layout="NHWC"),
    TinyNet(color="GRAY"),
    TinyNet(color="GRAY", layout="NHWC"),
    TinyNet(size=(10, 14)),
    TinyNet(size=(23, 17), layout="NHWC", color="BGR"),
    TinyNet(size=None),
    TinyNet(dtype="float16"),
    TinyNet(dtype="float16", layout="NHWC", color="BGR"),
    TinyNet(batch=1),
    TinyNet(batch=3),
]


@pytest.mark.parametrize("fill", ["mean", 0, 128])
@pytest.mark.parametrize("net", FORMS, ids=str)
def test_masked_batches_are_what_pixels_say(net: TinyNet, fill: int | str, tmp_path: Path) -> None:
    classifier = open_model(tmp_path, net)
    pictures = make_masking(classifier, CANVAS, SEGMENTS, fill).pictures(ROWS)
    assert pictures.dtype == np.dtype(net.dtype)
    tolerance = 1e-6 if net.dtype == "float32" else 2e-3
    np.testing.assert_allclose(pictures, by_pixels(classifier, net, fill), atol=tolerance)


TWINS = [
    (TinyNet(), TinyNet(layout="NHWC")),
    (TinyNet(), TinyNet(color="BGR")),
    (TinyNet(), TinyNet(batch=1)),
    (TinyNet(), TinyNet(batch=3)),
    (TinyNet(), TinyNet(kind="probabilities")),
    (TinyNet(color="GRAY"), TinyNet(color="GRAY", layout="NHWC")),
    (TinyNet(size=(10, 14)), TinyNet(size=(10, 14), layout="NHWC", color="BGR", kind="probabilities", batch=3)),
]


@pytest.mark.parametrize(("net", "twin"), TWINS, ids=str)
def test_twins_are_explained_alike(net: TinyNet, twin: TinyNet, tmp_path: Path) -> None:
    one, other = (LIME.explain(open_model(tmp_path, form), CANVAS, segments=SEGMENTS) for form in (net, twin))
    assert (one.target, one.predicted) == (other.target, other.predicted)
    assert np.abs(one.values).max() > 1e-3
    np.testing.assert_allclose(other.values, one.values, atol=1e-6)
    np.testing.assert_allclose(other.error.standard_error, one.error.standard_error, atol=1e-6)
    assert other.probability == pytest.approx(one.probability, abs=1e-6)


def test_float16_is_explained_nearly_alike(tmp_path: Path) -> None:
    half = LIME.explain(open_model(tmp_path, TinyNet(dtype="float16")), CANVAS, target=1, segments=SEGMENTS)
    full = LIME.explain(open_model(tmp_path, TinyNet()), CANVAS, target=1, segments=SEGMENTS)
    np.testing.assert_allclose(half.values, full.values, atol=5e-3)


def test_targets_are_classes_of_the_common_space(tmp_path: Path) -> None:
    net = TinyNet(background=True, classes=5)
    common = open_model(tmp_path, net, net.declaration() + "classes: 5\n")
    every = open_model(tmp_path, net)
    shifted = LIME.explain(common, CANVAS, target=2, segments=SEGMENTS)
    plain = LIME.explain(every, CANVAS, target=3, segments=SEGMENTS)
    np.testing.assert_array_equal(shifted.values, plain.values)
    assert (shifted.target, plain.target) == (2, 3)


def test_a_linear_answer_is_taken_apart_exactly(tmp_path: Path) -> None:
    """A model declared to answer probabilities is taken at its word: here a linear function of the picture."""
    canvas, segments = noise_canvas(8, size=8), grid_segments(8, 2)
    manifest = TinyNet(size=(8, 8)).declaration() + "  output: {kind: probabilities}\n"
    classifier = open_model(tmp_path, linear_classifier(size=8), manifest)
    explanation = LIME.explain(classifier, canvas, target=1, segments=segments)
    means = fill_colours(canvas, segments, "mean")[segments]
    change = (canvas - means) * SCALE / np.array(STD)
    parts = np.einsum("cyx,yxc->yx", linear_weights(8)[1].astype(np.float64), change)
    expected = [parts[segments == k].sum() for k in range(4)]
    np.testing.assert_allclose(explanation.values, expected, atol=1e-5)
    assert explanation.error.r2 == pytest.approx(1, abs=1e-9)
    assert explanation.error.split_half == pytest.approx(1, abs=1e-9)
    assert explanation.error.standard_error.max() < 1e-5
    logits = np.einsum("cyx,yxc->", linear_weights(8)[1], (canvas * SCALE - np.array(MEAN)) / np.array(STD))
    assert explanation.probability == pytest.approx(logits, abs=1e-4)


def population(classifier: co.Classifier, lime: co.Lime, target: int) -> np.ndarray:
    """Return the weights that endless sampling would give: a fit over each of the 512 rows once."""
    rows = (np.arange(512)[:, None] >> np.arange(K) & 1).astype(np.uint8)
    answers = classifier.probabilities(make_masking(classifier, CANVAS, SEGMENTS, lime.fill).pictures(rows))[:, target]
    return make_design(rows, lime.kernel_width, lime.alpha).fit(answers[:, None]).coefficients[0]


def test_standard_errors_have_the_right_size(tmp_path: Path) -> None:
    """Over 80 seeds the truth lies within 1.96 standard errors about 95 times in 100."""
    classifier = open_model(tmp_path, TinyNet(sharpness=4), batch=64)
    lime = co.Lime(samples=150)
    truth = population(classifier, lime, target=1)
    scores = []
    for seed in range(80):
        found = lime.explain(classifier, CANVAS, target=1, seed=seed, segments=SEGMENTS)
        scores.append((found.values - truth) / found.error.standard_error)
    inside = (np.abs(scores) < 1.96).mean()
    assert 0.92 < inside < 0.98
    assert 0.9 < np.std(scores) < 1.1
    assert (np.abs(np.array(scores) * 2) < 1.96).mean() < 0.75  # errors half as large would be noticed


def test_split_half_tells_noise_from_signal(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet(sharpness=6), batch=64)
    agreements = [
        co.Lime(samples=samples).explain(classifier, CANVAS, segments=SEGMENTS).error.split_half
        for samples in (40, 120, 1000)
    ]
    assert all(-1 <= agreement <= 1 for agreement in agreements)
    assert agreements[0] < agreements[2]
    assert agreements[2] > 0.95


def test_too_few_rows_for_the_halves_or_for_errors_give_nan(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    some = co.Lime(samples=16).explain(classifier, CANVAS, segments=SEGMENTS, seed=1).error
    assert np.isnan(some.split_half)
    assert np.isfinite(some.standard_error).all()
    few = co.Lime(samples=4, alpha=1.0).explain(classifier, CANVAS, segments=SEGMENTS)
    assert np.isfinite(few.values).all()
    assert np.isnan(few.error.standard_error).all()


def test_too_few_rows_for_the_weights_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"5 perturbations cannot determine the weights of 9 superpixels .*alpha above"
    ):
        co.Lime(samples=5).explain(open_model(tmp_path, TinyNet()), CANVAS, segments=SEGMENTS)


def test_an_answer_that_never_changes_has_no_agreement(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    plain = np.full((16, 16, 3), 90, np.uint8)  # masked or not, it looks the same
    explanation = LIME.explain(classifier, plain, segments=SEGMENTS)
    np.testing.assert_allclose(explanation.values, 0, atol=1e-12)
    assert np.isnan(explanation.error.r2)
    assert np.isnan(explanation.error.split_half)


def test_one_superpixel_can_be_explained(tmp_path: Path) -> None:
    explanation = LIME.explain(open_model(tmp_path, TinyNet()), CANVAS, segments=np.zeros((16, 16), np.int32))
    assert explanation.values.shape == (1,)
    assert explanation.error.r2 == pytest.approx(1)


def test_without_segments_it_makes_its_own(tmp_path: Path) -> None:
    lime = co.Lime(samples=60, superpixels=co.Superpixels(method="grid", segments=9))
    classifier = open_model(tmp_path, TinyNet())
    own = lime.explain(classifier, CANVAS)
    assert own.segments is not None
    given = lime.explain(classifier, CANVAS, segments=lime.superpixels.segment(CANVAS))
    np.testing.assert_array_equal(own.values, given.values)
    np.testing.assert_array_equal(own.on_canvas(), own.values[own.segments])


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (np.zeros((8, 8), np.int32), "segments: expected shape (16, 16), got (8, 8)"),
        (np.zeros((16, 16), np.int64), "segments: expected dtype int32, got int64"),
        (np.full((16, 16), -1, np.int32), "segments: labels must be 0..K-1, got -1"),
    ],
)
def test_segments_must_fit_the_canvas(segments: np.ndarray, expected: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        LIME.explain(open_model(tmp_path, TinyNet()), CANVAS, segments=segments)


def test_rows_must_fit_the_segments(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    with pytest.raises(ValueError, match=re.escape("rows: expected shape (P, 9), got (11, 8)")):
        make_masking(classifier, CANVAS, SEGMENTS, "mean").pictures(ROWS[:, :8].copy())


def test_targets_outside_are_refused(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    with pytest.raises(ValueError, match=re.escape("target: must be a class in 0..4, got 5")):
        LIME.explain(classifier, CANVAS, target=5, segments=SEGMENTS)
    with pytest.raises(
        ValueError, match="must be 'predicted' or a class index here, got 'majority'; an audit resolves"
    ):
        LIME.explain(classifier, CANVAS, target="majority", segments=SEGMENTS)  # type: ignore[arg-type]


def test_a_member_that_answers_nan_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(co.ModelError, match="answers NaN or infinity"):
        LIME.explain(open_model(tmp_path, nan_classifier(), ""), CANVAS, segments=SEGMENTS)


def test_presets_are_the_two_implementations() -> None:
    paper = build_settings(co.Lime, {"preset": "paper"}, source="test")
    package = build_settings(co.Lime, {"preset": "lime", "samples": 10}, source="test")
    assert paper == co.Lime()
    assert (paper.samples, paper.alpha, paper.kernel_width) == (1000, 0.0, 0.25)
    assert (package.alpha, package.samples) == (1.0, 10)
    assert package.superpixels == co.Superpixels(kernel_size=4, max_dist=200, ratio=0.2, sigma=0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"samples": 1}, "Lime.samples: must be >= 2, got 1"),
        ({"alpha": -1.0}, "Lime.alpha: must be >= 0, got -1.0"),
        ({"kernel_width": 0.0}, "Lime.kernel_width: must be > 0, got 0.0"),
        ({"fill": 256}, "Lime.fill: must be >= 0 and <= 255, got 256"),
        ({"fill": "blur"}, "Lime.fill: must be a whole number >= 0 and <= 255 or 'mean', got 'blur'"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        co.Lime(**settings)  # type: ignore[arg-type]


def test_balanced_rows_and_evidence_find_the_weights_of_a_linear_member(tmp_path: Path) -> None:
    """What independent rows and least squares find, to within what so few rows allow, and settings that say so."""
    classifier = open_model(tmp_path, TinyNet())
    settings = [{}, {"rows": "balanced"}, {"alpha": "evidence"}, {"rows": "balanced", "alpha": "evidence"}]
    found = [
        build_settings(co.Lime, {"samples": 3000, **more}, source="a.yaml").explain(
            classifier, CANVAS, segments=SEGMENTS
        )
        for more in settings
    ]
    for one in found[1:]:
        assert np.corrcoef(one.values, found[0].values)[0, 1] > 0.99
        assert not np.array_equal(one.values, found[0].values)
        assert one.probability == found[0].probability
