"""What is known of tensors before the model runs."""

from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.gradients.canonical import canonicalise
from consensus_onnx.gradients.facts import Fact
from gradients.graphs import model_of


def facts_of(text: str, **constants: np.ndarray):
    return canonicalise(model_of(text, **constants)).facts


def test_a_symbolic_batch_is_told_from_static_sizes() -> None:
    facts = facts_of(
        "g (float[N,4,6] x) => (float[M,6] y) { t = Tanh(x) y = Reshape(t, shape) }", shape=np.asarray([-1, 6])
    )
    batch = facts["x"].shape[0]
    assert facts["t"].shape == (batch, 4, 6)
    assert facts["y"].shape == (tuple(4 * size for size in batch), 6)
    assert facts["y"].describe() == "float (?x20x48, 6)"


def test_a_fixed_batch_needs_one_probe() -> None:
    facts = facts_of("g (float[1,4] x) => (float[1,4] y) { y = Tanh(x) }")
    assert facts.probes == 1
    assert facts["y"].shape == (1, 4)


def test_rounding_tells_inner_sizes_apart() -> None:
    """Height 2k and 2k + 1 give the same floor(h / 2) but other ceil(h / 2)."""
    facts = facts_of(
        """g (float[1,1,H,8] x) => (float[1,1,A,8] y, float[1,1,B,8] z) {
            y = MaxPool <kernel_shape = [1, 1], strides = [2, 1]> (x)
            z = MaxPool <kernel_shape = [2, 1], strides = [2, 1]> (x)
        }"""
    )
    assert facts["y"].shape[2] != facts["z"].shape[2]


@pytest.mark.parametrize(
    ("values", "same"),
    [((1.0, 1.0), True), ((1.0, 2.0), False), ((float("nan"), float("nan")), True), ((0.0, -0.0), False)],
)
def test_a_value_is_constant_if_every_probe_gives_the_same_bits(values: tuple[float, float], same: bool) -> None:
    arrays = tuple(np.asarray([value], np.float32) for value in values)
    assert (Fact(1, ((1,), (1,)), arrays).constant is not None) is same
