"""Every real model differentiates, agrees with differences, and gives each sample the same bits in any batch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from consensus_onnx.gradients import check_gradient, find_head, gradient_model, unsupported_operators
from consensus_onnx.gradients.model import SEED
from consensus_onnx.runtime import RuntimeSettings, open_session

pytestmark = pytest.mark.real
FOLDER = Path(os.environ.get("CONSENSUS_ONNX_DATA", "")) / "imagenet" / "models"
MODELS = sorted(FOLDER.glob("*.onnx")) if os.environ.get("CONSENSUS_ONNX_DATA") else []


@pytest.fixture(scope="module", params=MODELS or ["none"], ids=lambda path: path.stem if MODELS else "none")
def path(request: pytest.FixtureRequest, real_data: Path) -> Path:
    if request.param == "none":
        pytest.skip(f"{real_data} holds no imagenet/models/*.onnx")
    return request.param


@pytest.fixture(scope="module")
def gradient(path: Path) -> onnx.ModelProto:
    return gradient_model(path)


@pytest.mark.slow
def test_differences_agree(path: Path, gradient: onnx.ModelProto) -> None:
    assert unsupported_operators(path) == ()
    onnx.shape_inference.infer_shapes(gradient, strict_mode=True, check_type=True, data_prop=True)
    check_gradient(path, gradient).require(1e-4)


def test_logits_are_found(path: Path) -> None:
    assert find_head(path).probabilities is None
    assert find_head(path).logits == "logits"


def test_a_sample_has_the_same_bits_in_any_batch(gradient: onnx.ModelProto) -> None:
    model = gradient
    name = model.graph.input[0].name
    sizes = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    rng = np.random.default_rng(3)
    x, seed = (
        rng.standard_normal((7, *sizes)).astype(np.float32),
        np.eye(1000, dtype=np.float32)[rng.integers(0, 1000, 7)],
    )
    results = []
    for size, threads in ((7, 1), (1, 2), (2, 1)):
        session = open_session(model, RuntimeSettings(threads=threads))
        parts = [
            session.run([f"grad/{name}"], {name: x[at : at + size], SEED: seed[at : at + size]})[0]
            for at in range(0, 7, size)
        ]
        results.append(np.concatenate(parts).tobytes())
    assert results[1] == results[0]
    assert results[2] == results[0]
