"""SmoothGrad against arithmetic that shares nothing with it, in every form of member, and its errors."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper

import consensus_onnx as co
import naive
from consensus_onnx.explainers.gradient_sums import gradient_sums
from consensus_onnx.explainers.randomness import stream_key
from consensus_onnx.explainers.smoothgrad import input_noise
from consensus_onnx.images import canvas_digest
from tiny_models import (
    MEAN,
    SCALE,
    STD,
    TinyNet,
    build,
    computed_weights_net,
    linear_classifier,
    linear_weights,
    nan_classifier,
    noise_canvas,
    open_model,
    unsupported_operator,
)

CANVAS = noise_canvas(9)
SMOOTHGRAD = co.SmoothGrad(samples=9)
CONVOLUTION = np.random.default_rng(4).normal(0, 1, (3, 3, 3, 3)).astype(np.float32)
HEAD = np.random.default_rng(5).normal(0, 1, (4, 3)).astype(np.float32)


def one_layer_net(size: int) -> ModelProto:
    """Return Conv, Relu, mean, Gemm: its gradient is a page of loops."""
    nodes = [
        helper.make_node("Conv", ["input", "convolution"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["m"]),
        helper.make_node("Flatten", ["m"], ["f"]),
        helper.make_node("Gemm", ["f", "head"], ["output"], transB=1),
    ]
    weights = {"convolution": CONVOLUTION, "head": HEAD}
    return build(nodes, {"input": ("N", 3, size, size)}, {"output": ("N", 4)}, weights)


def gradient_by_loops(picture: np.ndarray, target: int) -> np.ndarray:
    """Return the gradient of `one_layer_net` at a picture (3, h, w), float64."""
    _, height, width = picture.shape
    padded = np.pad(picture.astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    gradient = np.zeros_like(padded)
    for feature, y, x in np.ndindex(3, height, width):
        window = (slice(None), slice(y, y + 3), slice(x, x + 3))
        if (padded[window] * CONVOLUTION[feature]).sum() > 0:
            gradient[window] += HEAD[target, feature] * CONVOLUTION[feature] / (height * width)
    return gradient[:, 1:-1, 1:-1]


def test_it_is_the_mean_of_gradients_and_noise_worked_out_by_hand(tmp_path: Path) -> None:
    """Key, Philox, Box and Muller, preprocessing, gradient, mean: none of it is the package's own."""
    canvas, samples, seed = noise_canvas(2, size=6), 7, 5
    classifier = open_model(tmp_path, one_layer_net(6), TinyNet(size=(6, 6)).declaration())
    found = co.SmoothGrad(samples=samples, noise=0.3).explain(classifier, canvas, target=2, seed=seed)
    picture = ((canvas * SCALE - np.array(MEAN)) / np.array(STD)).transpose(2, 0, 1)
    text = f"{seed}|smoothgrad.noise|{canvas_digest(canvas)}"
    key = np.frombuffer(hashlib.blake2b(text.encode(), digest_size=16).digest(), np.uint64)
    noise = naive.standard_normal(key, 0, samples, 3 * 6 * 6).reshape(samples, 3, 6, 6)
    deviation = 0.3 * (picture.max() - picture.min())
    gradients = np.array([gradient_by_loops(picture + deviation * draw, 2) for draw in noise])
    mean = gradients.mean(axis=0)
    np.testing.assert_allclose(found.values, np.abs(mean).sum(axis=0), atol=1e-5 * np.abs(mean).max())
    variance = gradients.var(axis=0, ddof=1).sum(axis=0) / samples
    np.testing.assert_allclose(found.error.standard_error, np.sqrt(variance), atol=2e-4 * np.abs(mean).max())
    halves = [np.abs(part.mean(axis=0)).sum(axis=0).ravel() for part in (gradients[0::2], gradients[1::2])]
    assert found.error.split_half == pytest.approx(np.corrcoef(*halves)[0, 1], abs=1e-5)
    assert np.isnan(found.error.r2)
    assert (found.samples, found.target, found.segments) == (samples, 2, None)
    assert found.values.dtype == found.error.standard_error.dtype == np.float32


TWINS = [
    (TinyNet(), TinyNet(layout="NHWC")),
    (TinyNet(), TinyNet(color="BGR")),
    (TinyNet(), TinyNet(color="BGR", layout="NHWC")),
    (TinyNet(), TinyNet(batch=1)),
    (TinyNet(), TinyNet(batch=3)),
    (TinyNet(), TinyNet(kind="probabilities")),
    (TinyNet(size=(10, 14)), TinyNet(size=(10, 14), layout="NHWC", color="BGR", kind="probabilities", batch=3)),
    (TinyNet(color="GRAY"), TinyNet(color="GRAY", layout="NHWC")),
]


@pytest.mark.parametrize("of", ["logits", "probabilities"])
@pytest.mark.parametrize(("net", "twin"), TWINS, ids=str)
def test_twins_are_explained_alike(net: TinyNet, twin: TinyNet, of: str, tmp_path: Path) -> None:
    smoothgrad = co.SmoothGrad(samples=9, of=of)  # type: ignore[arg-type]
    one, other = (smoothgrad.explain(open_model(tmp_path, form), CANVAS, target=1) for form in (net, twin))
    scale = one.values.max()
    assert scale > 0
    assert one.values.shape == net.size
    np.testing.assert_allclose(other.values, one.values, atol=1e-5 * scale)
    np.testing.assert_allclose(other.error.standard_error, one.error.standard_error, atol=1e-3 * scale)


def test_members_of_one_size_share_their_noise(tmp_path: Path) -> None:
    key = stream_key(0, "smoothgrad.noise", "picture")
    plain = input_noise(open_model(tmp_path, TinyNet()), key, 3)
    for form in (TinyNet(color="BGR"), TinyNet(layout="NHWC"), TinyNet(layout="NHWC", color="BGR")):
        noise = input_noise(open_model(tmp_path, form), key, 3)
        noise = noise.transpose(0, 3, 1, 2) if form.layout == "NHWC" else noise
        np.testing.assert_array_equal(noise[:, ::-1] if form.color == "BGR" else noise, plain)


def test_logits_and_probabilities_differ(tmp_path: Path) -> None:
    classifier = open_model(tmp_path, TinyNet())
    logits = SMOOTHGRAD.explain(classifier, CANVAS, target=1).values
    probabilities = co.SmoothGrad(samples=9, of="probabilities").explain(classifier, CANVAS, target=1).values
    assert np.abs(logits - probabilities).max() > 0.1 * logits.max()


def test_float16_is_explained_nearly_alike(tmp_path: Path) -> None:
    full = SMOOTHGRAD.explain(open_model(tmp_path, TinyNet()), CANVAS, target=1).values
    half = SMOOTHGRAD.explain(open_model(tmp_path, TinyNet(dtype="float16")), CANVAS, target=1).values
    assert np.corrcoef(full.ravel(), half.ravel())[0, 1] > 0.99


def test_targets_are_classes_of_the_common_space(tmp_path: Path) -> None:
    net = TinyNet(background=True, classes=5)
    common = open_model(tmp_path, net, net.declaration() + "classes: 5\n")
    shifted = SMOOTHGRAD.explain(common, CANVAS, target=2)
    plain = SMOOTHGRAD.explain(open_model(tmp_path, net), CANVAS, target=3)
    np.testing.assert_array_equal(shifted.values, plain.values)
    own = SMOOTHGRAD.explain(common, CANVAS)
    assert own.target == own.predicted == common.predict(CANVAS).argmax()
    assert own.probability == pytest.approx(common.predict(CANVAS).max())


@pytest.mark.parametrize("net", [TinyNet(dtype="float16"), TinyNet()], ids=str)
def test_an_output_of_another_type_than_the_input(net: TinyNet, tmp_path: Path) -> None:
    model = net.model()
    model.graph.node[-1].output[0] = "own"
    to = 1 if net.dtype == "float16" else 10
    model.graph.node.append(helper.make_node("Cast", ["own"], ["output"], to=to))
    model.graph.output[0].type.tensor_type.elem_type = to
    cast = SMOOTHGRAD.explain(open_model(tmp_path, model, net.declaration()), CANVAS, target=1).values
    plain = SMOOTHGRAD.explain(open_model(tmp_path, net), CANVAS, target=1).values
    np.testing.assert_allclose(cast, plain, atol=2e-3 * plain.max())


def test_an_unnamed_number_of_classes(tmp_path: Path) -> None:
    model = TinyNet().model()
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    found = SMOOTHGRAD.explain(open_model(tmp_path, model, TinyNet().declaration()), CANVAS).values
    np.testing.assert_array_equal(found, SMOOTHGRAD.explain(open_model(tmp_path, TinyNet()), CANVAS).values)


@pytest.mark.parametrize("optimisation", ["all", "none"])
def test_weights_computed_at_run_time_keep_their_bytes_in_any_batch(optimisation: str, tmp_path: Path) -> None:
    """A MatMul of two computed operands rounds otherwise for one picture; so a lone picture never comes alone."""
    model, canvas = computed_weights_net(), noise_canvas(1, size=64)
    member = open_model(tmp_path, model, TinyNet(size=(64, 64)).declaration()).member
    lime = co.Lime(samples=80, superpixels=co.Superpixels(method="grid", segments=25))
    for explainer in (lime, SMOOTHGRAD):
        runtimes = (
            co.RuntimeSettings(provider="cpu", batch=batch, optimisation=optimisation)  # type: ignore[arg-type]
            for batch in (1, 2, 7, 79)
        )
        assert len({explainer.explain(member.open(runtime), canvas).values.tobytes() for runtime in runtimes}) == 1


def spread(folder: Path, net: TinyNet, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how maps of 30 draws scatter around the truth over seeds, and how they say they do, where both do."""
    classifier = open_model(folder, net, batch=64)
    truth = co.SmoothGrad(samples=6000, noise=0.3).explain(classifier, CANVAS, target=1, seed=10**6)
    found = [co.SmoothGrad(samples=30, noise=0.3).explain(classifier, CANVAS, target=1, seed=s) for s in range(seeds)]
    # Where the mean is near zero, its absolute value has no symmetric error.
    clear = truth.values > 5 * np.mean([each.error.standard_error for each in found], axis=0)
    assert clear.sum() > 15
    scatter = np.sqrt(np.mean([(each.values - truth.values) ** 2 for each in found], axis=0))
    told = np.sqrt(np.mean([each.error.standard_error**2 for each in found], axis=0))
    return scatter[clear], told[clear]


def test_standard_errors_have_the_right_size_for_one_channel(tmp_path: Path) -> None:
    scatter, told = spread(tmp_path, TinyNet(color="GRAY"), seeds=60)
    assert np.median(scatter / told) == pytest.approx(1, abs=0.1)


def test_standard_errors_of_three_channels_are_nearly_so(tmp_path: Path) -> None:
    """Channels count as independent, which they are not."""
    scatter, told = spread(tmp_path, TinyNet(), seeds=40)
    assert 0.8 < np.median(scatter / told) < 1.4


def test_a_plain_canvas_has_no_noise(tmp_path: Path) -> None:
    plain = np.full((16, 16, 3), 90, np.uint8)
    classifier = open_model(tmp_path, TinyNet(color="GRAY"))
    explanation = SMOOTHGRAD.explain(classifier, plain)
    assert np.isfinite(explanation.values).all()
    assert explanation.error.split_half == pytest.approx(1)


def test_draws_are_shared_by_longer_runs(tmp_path: Path) -> None:
    """Draw s is its own: the sum over nine is that over six and the last three."""
    classifier = open_model(tmp_path, TinyNet())
    noise = input_noise(classifier, stream_key(0, "x", "y"), 9)
    sums = gradient_sums(classifier, "logits")
    np.testing.assert_array_equal(input_noise(classifier, stream_key(0, "x", "y"), 6), noise[:6])
    np.testing.assert_array_equal(input_noise(classifier, stream_key(0, "x", "y"), 4, first=5), noise[5:])
    whole, parts = sums.over(noise, 1), sums.over(noise[6:], 1, sums.over(noise[:6], 1))
    np.testing.assert_array_equal(parts.sum, whole.sum)
    np.testing.assert_array_equal(parts.squares, whole.squares)


def test_an_operator_without_a_rule_is_named(tmp_path: Path) -> None:
    with pytest.raises(co.UnsupportedOperatorError, match=r"no gradient rule for Det-11 \(node 'the_determinant'"):
        SMOOTHGRAD.explain(open_model(tmp_path, unsupported_operator(), ""), CANVAS)


def test_a_member_that_answers_nan_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(co.ModelError, match="answers NaN or infinity"):
        SMOOTHGRAD.explain(open_model(tmp_path, nan_classifier(), ""), CANVAS)


def test_a_gradient_that_is_infinite_is_an_error(tmp_path: Path) -> None:
    """The square root of a Relu: it answers well, and climbs endlessly steeply from nothing."""
    model = linear_classifier(size=8)
    model.graph.node[-1].output[0] = "linear"
    model.graph.node.append(helper.make_node("Relu", ["linear"], ["positive"]))
    model.graph.node.append(helper.make_node("Sqrt", ["positive"], ["output"]))
    classifier = open_model(tmp_path, model, TinyNet(size=(8, 8)).declaration())
    canvas = noise_canvas(0, size=8)
    picture = (canvas * SCALE - np.array(MEAN)) / np.array(STD)
    logits = np.einsum("lcyx,yxc->l", linear_weights(8), picture)
    with pytest.raises(co.ModelError, match=re.escape("model.onnx: its gradient is NaN or infinite")):
        SMOOTHGRAD.explain(classifier, canvas, target=int(logits.argmin()))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"samples": 1}, "SmoothGrad.samples: must be >= 2, got 1"),
        ({"noise": 0.0}, "SmoothGrad.noise: must be > 0 and <= 1, got 0.0"),
        ({"of": "logit"}, "SmoothGrad.of: must be one of 'logits', 'probabilities', got 'logit'"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        co.SmoothGrad(**settings)  # type: ignore[arg-type]
