import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import block_reduce

import naive
from consensus_onnx.consensus import common_grid, to_grid

sides = st.integers(1, 40)


def random_map(h, w, seed=0):
    return np.random.default_rng(seed).normal(size=(h, w)).astype(np.float32)


@given(sides, sides, sides, sides, st.floats(-100, 100, width=32))
@settings(max_examples=60, deadline=None)
def test_a_constant_stays_what_it_is(h, w, height, width, value):
    resized = to_grid(np.full((h, w), value, np.float32), (height, width))
    assert resized.shape == (height, width)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, value, rtol=1e-6)


@given(sides, sides, st.data())
@settings(max_examples=60, deadline=None)
def test_shrinking_keeps_the_mean_and_equals_counting_boxes(h, w, data):
    height, width = data.draw(st.integers(1, h)), data.draw(st.integers(1, w))
    pixel_map = random_map(h, w)
    shrunk = to_grid(pixel_map, (height, width))
    expected = naive.average_matrix(h, height) @ pixel_map @ naive.average_matrix(w, width).T
    np.testing.assert_allclose(shrunk, expected, atol=1e-6)
    assert shrunk.mean(dtype=np.float64) == pytest.approx(pixel_map.mean(dtype=np.float64), abs=1e-6)


@given(sides, sides, st.data())
@settings(max_examples=60, deadline=None)
def test_growing_is_bilinear_between_centres(h, w, data):
    height, width = data.draw(st.integers(h, 80)), data.draw(st.integers(w, 80))
    pixel_map = random_map(h, w)
    wide = np.array([naive.bilinear_at(row, width) for row in pixel_map])
    expected = np.array([naive.bilinear_at(column, height) for column in wide.T]).T
    np.testing.assert_allclose(to_grid(pixel_map, (height, width)), expected, atol=1e-6)


def test_each_axis_on_its_own():
    pixel_map = random_map(12, 5)
    both = to_grid(pixel_map, (4, 9))
    np.testing.assert_allclose(both, to_grid(to_grid(pixel_map, (4, 5)), (4, 9)), atol=1e-6)


def test_equal_sizes_give_the_same_bits():
    pixel_map = random_map(17, 23)
    assert np.array_equal(to_grid(pixel_map, (17, 23)), pixel_map)


def test_whole_factors_average_blocks():
    pixel_map = random_map(24, 36)
    np.testing.assert_allclose(to_grid(pixel_map, (8, 12)), block_reduce(pixel_map, (3, 3), np.mean), atol=1e-6)


def test_wrong_maps_are_named():
    with pytest.raises(ValueError, match=r"pixel_map: expected shape \(h, w\)"):
        to_grid(np.zeros((2, 3, 4), np.float32), (2, 2))
    with pytest.raises(ValueError, match="pixel_map: expected dtype float32, got float64"):
        to_grid(np.zeros((2, 3)), (2, 2))
    with pytest.raises(ValueError, match="expected positive sizes"):
        to_grid(np.zeros((2, 3), np.float32), (0, 2))


@pytest.mark.parametrize(
    ("canvas", "sizes", "expected"),
    [
        (224, [224, 224], 224),
        (224, [299, 224], 224),
        (224, [224, 192], 112),
        (224, [128], 112),
        (224, [111], 56),
        (227, [227], 227),
        (227, [224, 160], 160),
        (226, [224], 113),
        (226, [112], 112),
        (5, [9], 5),
    ],
)
def test_common_grid(canvas, sizes, expected):
    assert common_grid(canvas, sizes) == expected


@given(st.integers(1, 500), st.lists(st.integers(1, 500), min_size=1, max_size=5))
def test_common_grid_is_never_above_a_member(canvas, sizes):
    assert 1 <= common_grid(canvas, sizes) <= min(canvas, *sizes)


def test_common_grid_needs_members():
    with pytest.raises(ValueError, match=r"common_grid: expected positive sizes, got canvas 224 and members \[\]"):
        common_grid(224, [])
