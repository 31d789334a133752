from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import naive
from consensus_onnx.consensus import vote
from consensus_onnx.consensus.voting import VOTES

# Three members, four superpixels, small enough to check by hand.
HAND = np.array([[3.0, 0.0, -4.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])

# Multiples of 1/8 up to 4: sums and squares are exact, so that equal values stay equal.
numbers = st.integers(-32, 32).map(lambda eighths: eighths / 8)
committees = st.tuples(st.integers(1, 6), st.integers(1, 9)).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=numbers)
)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("lime_paper", np.array([9 / 5, 2.0, 16 / 5, 0.0]) / 3),
        ("minmax_mean", np.array([1.0 + 0, 4 / 7 + 1, 0.0, 4 / 7]) / 3),
        ("mean_absolute", np.array([3.0, 2.0, 4.0, 0.0]) / 3),
        ("median", np.array([0.0, 4 / 7, 0.0, 0.0])),
        ("rank_mean", np.array([2 + 1 + 1.5, 0.5 + 3 + 1.5, 3 + 1 + 1.5, 0.5 + 1 + 1.5]) / 9),
        ("m4", np.array([9.0, 4.0, 16.0, 0.0]) / 3),
    ],
)
def test_by_hand(method, expected):
    np.testing.assert_allclose(vote(HAND, method), expected, rtol=1e-14)


@pytest.mark.parametrize("method", VOTES)
@given(values=committees, data=st.data())
@settings(max_examples=25, deadline=None)
def test_equals_the_definition(method, values, data):
    weights = data.draw(hnp.arrays(np.int64, len(values), elements=st.integers(1, 3))).astype(float)
    np.testing.assert_allclose(
        vote(values, method, weights=weights), naive.vote(method, values, weights), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("method", VOTES)
@given(values=committees, data=st.data())
@settings(max_examples=25, deadline=None)
def test_order_of_members_does_not_matter_and_superpixels_move_with_the_result(method, values, data):
    members = data.draw(st.permutations(range(values.shape[0])))
    superpixels = data.draw(st.permutations(range(values.shape[1])))
    moved = vote(values[members][:, superpixels], method)
    np.testing.assert_allclose(moved, vote(values, method)[superpixels], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("method", "degree"), [("lime_paper", 1), ("mean_absolute", 1), ("m4", 2), ("minmax_mean", 0)])
@given(values=committees, scale=st.sampled_from([0.25, 3.0, 1e6]))
@settings(max_examples=25, deadline=None)
def test_homogeneity(method, degree, values, scale):
    np.testing.assert_allclose(
        vote(values * scale, method), scale**degree * vote(values, method), rtol=1e-12, atol=1e-12 * scale**degree
    )


@pytest.mark.parametrize("method", VOTES)
def test_weights(method):
    values = np.random.default_rng(0).normal(size=(3, 8))
    twice = vote(values[[0, 1, 1, 2]], method)
    np.testing.assert_allclose(vote(values, method, weights=[1, 2, 1]), twice, rtol=1e-12)
    np.testing.assert_allclose(vote(values, method, weights=[5, 10, 5]), twice, rtol=1e-12)
    np.testing.assert_allclose(vote(values, method, weights=[1, 0, 1]), vote(values[[0, 2]], method), rtol=1e-12)


def test_explanations_may_be_objects_lists_or_one_array_of_any_shape():
    maps = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    consensus = vote(maps, "minmax_mean")
    assert consensus.shape == (4, 5)
    assert consensus.dtype == np.float64
    assert np.array_equal(consensus, vote([SimpleNamespace(values=one) for one in maps], "minmax_mean"))
    assert np.array_equal(consensus, vote(list(maps), "minmax_mean"))
    assert np.array_equal(consensus, vote(maps[:, ::-1][:, ::-1], "minmax_mean"))


@pytest.mark.parametrize(
    ("explanations", "options", "error", "text"),
    [
        ([[1.0, 2.0], [1.0, np.nan]], {}, ValueError, r"explanations\[1\]: 1 of 2 values are nan or infinite"),
        ([[1.0, 2.0], [1.0, np.inf]], {}, ValueError, r"explanations\[1\]"),
        ([[1.0, 2.0], [1.0]], {}, ValueError, r"explanations\[1\]: expected shape \(2,\).*got \(1,\).*segmentation"),
        ([], {}, ValueError, "at least one member"),
        (np.ones(3), {}, ValueError, r"one row per member, got \(3,\)"),
        ([[1.0], "no"], {}, TypeError, r"explanations\[1\]: expected an array of real numbers.*got str"),
        ([{"a": 1}], {}, TypeError, r"explanations\[0\]"),
        ([[]], {}, ValueError, r"explanations\[0\]: expected at least one number"),
        ([[1.0, 2.0]], {"method": "lime_papr"}, ValueError, "unknown vote 'lime_papr'; did you mean 'lime_paper'"),
        ([[1.0]], {"weights": [1.0, 2.0]}, ValueError, r"weights: expected one per member, shape \(1,\), got \(2,\)"),
        ([[1.0], [2.0]], {"weights": [1.0, -2.0]}, ValueError, r"weights\[1\]: must be a finite number >= 0, got -2"),
        ([[1.0]], {"weights": [0.0]}, ValueError, "at least one must be above 0"),
    ],
)
def test_wrong_input_is_named(explanations, options, error, text):
    with pytest.raises(error, match=text):
        vote(explanations, **options)
