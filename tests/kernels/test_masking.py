import numpy as np
import pytest

import naive
from consensus_onnx_kernels import masking


@pytest.fixture
def scene():
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 2, (5, 7), dtype=np.uint8)
    labels = rng.permutation(np.arange(60) % 7).astype(np.int32)
    return rows, labels, rng.normal(size=(3, 60)), rng.normal(size=(7, 3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.uint8])
@pytest.mark.parametrize("parallel_from", [0, masking.PARALLEL_FROM])
def test_both_layouts_equal_the_twin_on_one_thread_and_on_all(scene, dtype, parallel_from, monkeypatch):
    monkeypatch.setattr(masking, "PARALLEL_FROM", parallel_from)
    rows, labels, picture, fill = scene
    picture, fill = (100 + 20 * picture).astype(dtype), (100 + 20 * fill).astype(dtype)
    expected = naive.masked_pictures(rows, labels, picture, fill)
    planar = np.zeros((5, 3, 60), dtype)
    masking.mask_batch_planar(rows, labels, picture, fill, planar)
    assert np.array_equal(planar, expected)
    interleaved = np.zeros((5, 60, 3), dtype)
    masking.mask_batch_interleaved(rows, labels, np.ascontiguousarray(picture.T), fill, interleaved)
    assert np.array_equal(interleaved, expected.transpose(0, 2, 1))


def test_a_row_of_ones_is_the_picture_and_of_zeros_the_fill(scene):
    _, labels, picture, fill = scene
    out = np.zeros((2, 3, 60))
    masking.mask_batch_planar(np.array([[1] * 7, [0] * 7], np.uint8), labels, picture, fill, out)
    assert np.array_equal(out[0], picture)
    assert np.array_equal(out[1], fill[labels].T)


@pytest.mark.parametrize("mask_batch", [masking.mask_batch_planar, masking.mask_batch_interleaved])
def test_one_dtype_for_all(scene, mask_batch):
    rows, labels, picture, fill = scene
    with pytest.raises(TypeError, match="picture, fill, out: expected one dtype, got float64, float64, float16"):
        mask_batch(rows, labels, picture, fill, np.zeros((5, 3, 60), np.float16))


def test_nan_moves_untouched(scene):
    _, labels, picture, fill = scene
    picture[1, 5] = np.nan
    out = np.zeros((1, 3, 60))
    masking.mask_batch_planar(np.ones((1, 7), np.uint8), labels, picture, fill, out)
    assert np.isnan(out[0, 1, 5])
    assert np.isnan(out).sum() == 1


def test_segment_means():
    rng = np.random.default_rng(0)
    canvas = rng.integers(0, 256, (400, 3), dtype=np.uint8)
    labels = rng.integers(0, 9, 400).astype(np.int32)
    np.testing.assert_allclose(masking.segment_means(canvas, labels, 9), naive.segment_means(canvas, labels, 9))


def test_segment_means_do_not_overflow_and_leave_unused_labels_black():
    canvas = np.full((5000, 3), 255, np.uint8)
    means = masking.segment_means(canvas, np.zeros(5000, np.int32), 2)
    assert np.array_equal(means, [[255.0] * 3, [0.0] * 3])
