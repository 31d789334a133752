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
    masked = fill[labels]
    planar = np.zeros((5, 3, 60), dtype)
    masking.mask_batch(rows, labels, picture, np.ascontiguousarray(masked.T), planar)
    assert np.array_equal(planar, expected)
    interleaved = np.zeros((5, 1, 180), dtype)
    flat = np.ascontiguousarray(picture.T).reshape(1, -1)
    masking.mask_batch(rows, np.repeat(labels, 3), flat, masked.reshape(1, -1), interleaved)
    assert np.array_equal(interleaved.reshape(5, 60, 3), expected.transpose(0, 2, 1))


def test_any_nonzero_keeps_and_zero_masks(scene):
    _, labels, picture, fill = scene
    masked = np.ascontiguousarray(fill[labels].T)
    out = np.zeros((2, 3, 60))
    masking.mask_batch(np.array([[1, 2, 3, 4, 5, 128, 255], [0] * 7], np.uint8), labels, picture, masked, out)
    assert np.array_equal(out[0], picture)
    assert np.array_equal(out[1], masked)


def test_one_dtype_for_all(scene):
    rows, labels, picture, _ = scene
    with pytest.raises(TypeError, match="picture, masked, out: expected one dtype, got float64, float64, float16"):
        masking.mask_batch(rows, labels, picture, picture, np.zeros((5, 3, 60), np.float16))


def test_nan_and_negative_zero_move_untouched(scene):
    _, labels, picture, _ = scene
    picture[1, 5], picture[2, 7] = np.nan, -0.0
    out = np.zeros((1, 3, 60))
    masking.mask_batch(np.ones((1, 7), np.uint8), labels, picture, np.zeros((3, 60)), out)
    assert out[0].tobytes() == picture.tobytes()


def test_segment_means():
    rng = np.random.default_rng(0)
    canvas = rng.integers(0, 256, (400, 3), dtype=np.uint8)
    labels = rng.integers(0, 9, 400).astype(np.int32)
    np.testing.assert_allclose(masking.segment_means(canvas, labels, 9), naive.segment_means(canvas, labels, 9))


def test_segment_means_do_not_overflow_and_leave_unused_labels_black():
    canvas = np.full((5000, 3), 255, np.uint8)
    means = masking.segment_means(canvas, np.zeros(5000, np.int32), 2)
    assert np.array_equal(means, [[255.0] * 3, [0.0] * 3])
