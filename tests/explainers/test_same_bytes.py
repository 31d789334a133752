"""Explanations have the same bytes whatever the batch size and the number of threads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
import tiny_models
from consensus_onnx.explainers import Explainer
from consensus_onnx_zoo.scenes import draw_scene
from miniature import build_committee

SETTINGS = [(1, 1), (7, 1), (64, 1), (7, 2)]  # batch, threads


def bytes_of(member: co.Member, explainer: Explainer, canvas: np.ndarray, batch: int, threads: int) -> bytes:
    classifier = member.open(co.RuntimeSettings(provider="cpu", batch=batch, threads=threads))
    explanation = explainer.explain(classifier, canvas)
    return explanation.values.tobytes() + explanation.error.standard_error.tobytes()


EXPLAINERS = [
    pytest.param(co.Lime(samples=90, superpixels=co.Superpixels(method="grid", segments=25)), id="lime"),
    pytest.param(co.SmoothGrad(samples=17), id="smoothgrad"),
]


@pytest.mark.parametrize("explainer", EXPLAINERS)
def test_of_convolutional_members(explainer: Explainer, tmp_path: Path) -> None:
    canvas = draw_scene(10_004).picture
    for member in co.load_committee(build_committee(tmp_path)):
        assert len({bytes_of(member, explainer, canvas, *setting) for setting in SETTINGS}) == 1


@pytest.mark.parametrize("explainer", EXPLAINERS)
def test_of_a_transformer(explainer: Explainer, tmp_path: Path) -> None:
    folder = tiny_models.write_committee(tmp_path, {"attention": tiny_models.attention_net(size=16)})
    canvas = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    member = co.load_committee(folder)[0]
    assert len({bytes_of(member, explainer, canvas, *setting) for setting in SETTINGS}) == 1


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    member = co.load_committee(build_committee(tmp_path))[0]
    canvas = draw_scene(10_004).picture
    lime = co.Lime(samples=90, superpixels=co.Superpixels(method="grid", segments=25))
    assert (lime.explain(member, canvas, seed=0).values != lime.explain(member, canvas, seed=1).values).any()


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("explainer", [co.Lime(samples=96, alpha=1.0), co.SmoothGrad(samples=9)], ids=lambda e: e.name)
@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_128_coral", "deit_tiny_patch16_224", "mobilenet_v3_small_1.0_224"])
def test_of_real_models(name: str, explainer: Explainer, real_data: Path) -> None:
    member = co.load_committee(real_data / "imagenet" / "models").member(name)
    canvas = co.load_canvas(sorted((real_data / "imagenet" / "images").iterdir())[2])
    assert len({bytes_of(member, explainer, canvas, *setting) for setting in SETTINGS}) == 1
