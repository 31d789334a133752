import numpy as np
import pytest

import naive
from consensus_onnx_kernels import votes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["vote_squared_norm", "vote_minmax_mean"])
def test_twins_agree(name, dtype):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(6, 40)).astype(dtype)
    values[2] = 0.0
    weights = rng.uniform(0.1, 2.0, 6)
    expected = getattr(naive, name)(values.astype(np.float64), weights)
    vote = getattr(votes, name)(values, weights)
    assert vote.dtype == np.float64
    np.testing.assert_allclose(vote, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_squared_norm_neither_vanishes_nor_overflows(scale):
    vote = votes.vote_squared_norm(np.array([[3.0, 4.0]]) * scale, np.ones(1))
    np.testing.assert_allclose(vote, np.array([9.0, 16.0]) / 5 * scale, rtol=1e-14)


def test_members_that_are_zero_or_constant_count_but_add_nothing():
    values = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(votes.vote_squared_norm(values, np.ones(2)), [0.9, 1.6])
    values = np.array([[0.0, 2.0, 4.0], [7.0, 7.0, 7.0]])
    np.testing.assert_allclose(votes.vote_minmax_mean(values, np.ones(2)), [0.0, 0.25, 0.5])


def test_minmax():
    rng = np.random.default_rng(2)
    values = rng.normal(size=30)
    np.testing.assert_allclose(votes.minmax(values), naive.minmax(values))
    assert np.array_equal(votes.minmax(np.full(4, 3.3, np.float32)), np.zeros(4))


def test_float32_input_is_summed_in_float64():
    values = np.tile(np.array([[0.0, 0.1, 1.0]], np.float32), (3000, 1))
    assert votes.vote_minmax_mean(values, np.ones(3000))[1] == pytest.approx(float(np.float32(0.1)), rel=1e-12)
