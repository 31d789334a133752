"""Gradients of small networks against PyTorch's, stored by tests/references/make_gradient_references.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from consensus_onnx.gradients import check_gradient, gradient_model
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import RuntimeSettings, open_session

FOLDER = Path(__file__).parent.parent / "data" / "gradients"
NETWORKS = sorted(path.stem for path in FOLDER.glob("*.onnx"))
ONE_THREAD = RuntimeSettings(threads=1)


def test_there_are_references() -> None:
    assert len(NETWORKS) >= 12


@pytest.mark.parametrize("lowering", ["cpu", "cuda"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_is_pytorchs(name: str, lowering: str) -> None:
    stored = np.load(FOLDER / f"{name}.npz")
    model = gradient_model(FOLDER / f"{name}.onnx", lowering=lowering)
    onnx.shape_inference.infer_shapes(model, strict_mode=True, check_type=True, data_prop=True)
    assert {node.domain for node in model.graph.node} == {""}
    session = open_session(model, ONE_THREAD)
    logits, gradient = session.run(["logits", "grad/input"], {"input": stored["input"], SEED: stored["weights"]})
    np.testing.assert_allclose(logits, stored["logits"], atol=1e-4 * np.abs(stored["logits"]).max())
    np.testing.assert_allclose(gradient, stored["gradient"], atol=1e-4 * np.abs(stored["gradient"]).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_samples_gradient_has_the_same_bits_in_any_batch(name: str) -> None:
    model = gradient_model(FOLDER / f"{name}.onnx")
    rng = np.random.default_rng(3)
    pictures = rng.standard_normal((7, 3, 16, 16)).astype(np.float32)
    seeds = rng.standard_normal((7, 10)).astype(np.float32)
    session = open_session(model, ONE_THREAD)

    def gradients(size: int) -> bytes:
        parts = [
            session.run(["grad/input"], {"input": pictures[at : at + size], SEED: seeds[at : at + size]})[0]
            for at in range(0, 7, size)
        ]
        return np.concatenate(parts).tobytes()

    whole = gradients(7)
    assert gradients(1) == whole
    assert gradients(2) == whole
    assert gradients(3) == whole


# ONNX Runtime refuses an empty batch in the others, most of them in the forward pass already (Reshape to -1).
EMPTY = ["convnext", "dense", "mobile", "odd_windows", "plain", "residual", "shuffle"]


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_batch_has_an_empty_gradient(name: str) -> None:
    session = open_session(gradient_model(FOLDER / f"{name}.onnx"), ONE_THREAD)
    feeds = {"input": np.zeros((0, 3, 16, 16), np.float32), SEED: np.zeros((0, 10), np.float32)}
    (gradient,) = session.run(["grad/input"], feeds)
    assert gradient.shape == (0, 3, 16, 16)


@pytest.mark.parametrize("name", NETWORKS)
def test_differences_confirm_it(name: str) -> None:
    path = FOLDER / f"{name}.onnx"
    feeds = {"input": np.load(FOLDER / f"{name}.npz")["input"][:1]}
    check_gradient(path, gradient_model(path), feeds=feeds, settings=ONE_THREAD).require(1e-4)
