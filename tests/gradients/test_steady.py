"""Reductions whose bits do not depend on the batch."""

from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.gradients import gradient_model
from gradients.graphs import model_of, ops, run


def split_and_whole(model, x: np.ndarray, seed: np.ndarray, *outputs: str) -> tuple[list[bytes], list[bytes]]:
    whole = run(model, *outputs, x=x, seed=seed)
    parts = [run(model, *outputs, x=x[at : at + 1], seed=seed[at : at + 1]) for at in range(len(x))]
    return [np.concatenate(part).tobytes() for part in zip(*parts, strict=True)], [array.tobytes() for array in whole]


@pytest.mark.parametrize(
    ("reduction", "shape"),
    [
        ("ReduceMean <axes = [1], keepdims = 0> (h)", (7, 16, 12)),
        ("ReduceMean <axes = [-1]> (h)", (7, 3, 197)),
        ("ReduceMean <axes = [1, 2], keepdims = 0> (h)", (7, 5, 13)),
        ("ReduceL2 <axes = [1], keepdims = 0> (h)", (7, 5, 13)),
        ("ReduceL1 <axes = [2], keepdims = 0> (h)", (7, 5, 13)),
        ("ReduceSumSquare <axes = [2]> (h)", (7, 5, 13)),
    ],
)
def test_a_sample_has_the_same_bits_in_any_batch(reduction: str, shape: tuple[int, ...]) -> None:
    sizes = ",".join(map(str, shape[1:]))
    result = "float[N,A,B] y" if "keepdims" not in reduction else "float[N,A] y"
    if "[1, 2]" in reduction:
        result = "float[N] y"
    original = model_of(f"g (float[N,{sizes}] x) => ({result}) {{ h = Tanh(x) y = {reduction} }}")
    model = gradient_model(original)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    seed = rng.standard_normal(run(original, x=x)[0].shape).astype(np.float32)
    parts, whole = split_and_whole(model, x, seed, "y", "grad/x")
    assert parts == whole
    assert not [op for op in ops(model) if op.startswith("Reduce")]


def test_onnx_runtimes_own_reduction_is_not_steady() -> None:
    """The reason for all this; if it fails, ONNX Runtime has changed and `steady` may go."""
    model = model_of(
        "g (float[N,3,197,197] x) => (float[N,3,197,1] y) { h = Neg(x) y = ReduceSum(h, axis) }", axis=np.asarray([3])
    )
    x = np.random.default_rng(0).standard_normal((3, 3, 197, 197)).astype(np.float32)
    (whole,) = run(model, x=x)
    alone = np.concatenate([run(model, x=x[at : at + 1].copy())[0] for at in range(3)])
    assert alone.tobytes() != whole.tobytes()


def test_sums_over_the_batch_are_left_alone() -> None:
    text = "g (float[N,3] x) => (float[1,3] y) { h = Tanh(x) y = ReduceMean <axes = [0]> (h) }"
    assert "ReduceMean" in ops(gradient_model(model_of(text)))
