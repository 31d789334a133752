"""An explainer of a user's own, beside ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import consensus_onnx as co
from consensus_onnx.config import setting
from consensus_onnx.explainers import SuperpixelExplainer
from consensus_onnx.explainers.protocol import Kind, Target, opened, resolve_target
from tiny_models import TinyNet, grid_segments, member_of, noise_canvas

CANVAS = noise_canvas(4)


@dataclass(frozen=True)
class Occlusion:
    """How much of the target's probability goes with each superpixel when it alone turns grey."""

    superpixels: co.Superpixels = setting(co.Superpixels(method="grid", segments=16), "how the canvas is cut")
    grey: int = setting(128, "what an occluded superpixel shows", minimum=0, maximum=255)
    name: ClassVar[str] = "occlusion"
    kind: ClassVar[Kind] = "superpixel"

    def explain(
        self,
        member: co.Member | co.Classifier,
        canvas: np.ndarray,
        target: Target = "predicted",
        seed: int = 0,
        *,
        segments: np.ndarray | None = None,
    ) -> co.Explanation:
        classifier = opened(member)
        segments = self.superpixels.segment(canvas) if segments is None else segments
        clean = classifier.predict(canvas)
        wanted, predicted = resolve_target(target, clean)
        values = np.empty(segments.max() + 1)
        for k in range(len(values)):
            occluded = canvas.copy()
            occluded[segments == k] = self.grey
            values[k] = clean[wanted] - classifier.predict(occluded)[wanted]
        error = co.ExplanationError(np.zeros_like(values), float("nan"))
        return co.Explanation(self.name, values, segments, wanted, predicted, clean[wanted], error, len(values) + 1)


def test_it_is_an_explainer_as_ours_are() -> None:
    for explainer in (Occlusion(), co.Lime(), co.SmoothGrad()):
        assert isinstance(explainer, co.Explainer)
    assert isinstance(Occlusion(), SuperpixelExplainer)
    assert isinstance(co.Lime(), SuperpixelExplainer)
    assert not isinstance(co.SmoothGrad(), SuperpixelExplainer)
    assert not isinstance(co.Superpixels(), co.Explainer)


def test_it_is_voted_on_and_scored_as_ours_are(tmp_path: Path) -> None:
    members = [member_of(tmp_path, TinyNet(seed=seed, sharpness=4)) for seed in range(3)]
    explanations = [Occlusion().explain(member, CANVAS, target=1) for member in members]
    consensus = co.vote(explanations, "lime_paper")
    assert consensus.shape == (16,)
    scores = [co.similarity(explanation, consensus, "cosine") for explanation in explanations]
    assert all(0 < score <= 1 for score in scores)
    assert co.similarity(explanations[0], co.vote(explanations[:1])) > max(scores) - 0.2


def test_it_agrees_with_lime_about_what_matters(tmp_path: Path) -> None:
    member = member_of(tmp_path, TinyNet())
    segments = grid_segments(16, 4)
    occlusion = Occlusion().explain(member, CANVAS, segments=segments)
    lime = co.Lime(samples=400, fill=128).explain(member, CANVAS, segments=segments)
    assert occlusion.target == lime.target
    assert np.corrcoef(occlusion.values, lime.values)[0, 1] > 0.5


def test_a_member_is_opened_a_classifier_is_taken_as_it_is(tmp_path: Path) -> None:
    member = member_of(tmp_path, TinyNet())
    classifier = opened(member)
    assert isinstance(classifier, co.Classifier)
    assert opened(classifier) is classifier


@pytest.mark.parametrize(("target", "expected"), [("predicted", (2, 2)), (0, (0, 2)), (np.int64(1), (1, 2))])
def test_targets_are_resolved(target: Target, expected: tuple[int, int]) -> None:
    assert resolve_target(target, np.array([0.2, 0.3, 0.5])) == expected


@pytest.mark.parametrize("target", [-1, 3])
def test_targets_outside_are_refused(target: int) -> None:
    with pytest.raises(ValueError, match=rf"target: must be a class in 0\.\.2, got {target}"):
        resolve_target(target, np.array([0.2, 0.3, 0.5]))
