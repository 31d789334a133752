"""A fixed class gives, without a seed, what a one-hot seed gives."""

from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.errors import ModelError
from consensus_onnx.gradients import averaging_model, fix_target, gradient_model
from gradients.graphs import model_of, run

NET = """g (float[N,2,4,4] x) => (float[N,3] p) {
    c = Conv (x, w)
    r = Relu(c)
    m = GlobalAveragePool(r)
    z = Flatten(m)
    p = Softmax <axis = 1> (z)
}"""


def net(text: str = NET):
    return model_of(text, w=np.random.default_rng(1).standard_normal((3, 2, 3, 3)).astype(np.float32))


@pytest.mark.parametrize("of", ["logits", "probabilities", "log-probabilities"])
@pytest.mark.parametrize("batch", [1, 3])
def test_bit_for_bit_what_a_one_hot_seed_gives(of: str, batch: int) -> None:
    gradient = gradient_model(net(), of=of)
    x = np.random.default_rng(0).standard_normal((batch, 2, 4, 4)).astype(np.float32)
    (seeded,) = run(gradient, "grad/x", x=x, seed=np.eye(3, dtype=np.float32)[[2] * batch])
    (fixed,) = run(fix_target(gradient, 2), "grad/x", x=x)
    assert fixed.any()
    np.testing.assert_array_equal(fixed, seeded)


def test_an_inner_tensor_is_asked_for_a_channel() -> None:
    gradient = gradient_model(net(), output="r")
    x = np.random.default_rng(0).standard_normal((2, 2, 4, 4)).astype(np.float32)
    seed = np.zeros((2, 3, 2, 2), np.float32)
    seed[:, 1] = 1
    (seeded,) = run(gradient, "grad/x", x=x, seed=seed)
    np.testing.assert_array_equal(run(fix_target(gradient, 1), "grad/x", x=x)[0], seeded)


def test_a_fixed_batch_and_a_vector() -> None:
    gradient = gradient_model(model_of("g (float[4] x) => (float[4] y) { y = Mul(x, x) }"))
    np.testing.assert_array_equal(
        run(fix_target(gradient, 3), "grad/x", x=np.arange(4, dtype=np.float32))[0], [0, 0, 0, 6]
    )


@pytest.mark.parametrize("target", [-1, 3])
def test_a_class_out_of_range(target: int) -> None:
    with pytest.raises(ValueError, match=f"target: expected 0 to 2, entries of axis 1 of 'p', got {target}"):
        fix_target(gradient_model(net()), target)


def test_what_has_no_classes() -> None:
    summed = gradient_model(model_of("g (float[4] x) => (float y) { y = ReduceSum <keepdims = 0> (x) }"))
    with pytest.raises(ValueError, match="target: 'y' is a single number"):
        fix_target(summed, 0)
    free = gradient_model(model_of("g (float[N,M] x) => (float[N,M] y) { y = Mul(x, x) }"))
    with pytest.raises(ValueError, match="the number of classes of 'y' is not fixed, feed 'grad/seed' instead"):
        fix_target(free, 0)
    with pytest.raises(ModelError, match="expected a model made by gradient_model, with input 'grad/seed'; got x"):
        fix_target(fix_target(gradient_model(net()), 0), 0)
    with pytest.raises(ModelError, match="with input 'grad/seed'"):
        averaging_model(fix_target(gradient_model(net()), 0))
