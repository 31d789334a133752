"""From the canvas to the tensor, against arithmetic written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from consensus_onnx.committee.facts import InputFacts, Preprocessing
from consensus_onnx.committee.preprocessing import colours_for, input_tensor, labels_for, normalise, picture_for
from tiny_models import noise_canvas

CANVAS = noise_canvas(3, size=16)


def facts(layout: str = "NCHW", size: tuple[int, int] = (16, 16), color: str = "RGB") -> InputFacts:
    return InputFacts("input", layout, size, color, "float32", 0)  # type: ignore[arg-type]


def test_values_are_exact_in_float32() -> None:
    preprocessing = Preprocessing(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    tensor = input_tensor(CANVAS, facts(), preprocessing)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert tensor.shape == (3, 16, 16)
    for y, x, c in np.ndindex(4, 5, 3):
        scaled = np.float32(CANVAS[y, x, c]) * np.float32(1 / 255)
        expected = (scaled - np.float32(preprocessing.mean[c])) / np.float32(preprocessing.std[c])
        assert tensor[c, y, x] == expected


@given(
    scale=st.floats(1e-3, 2),
    mean=st.lists(st.floats(-200, 200), min_size=3, max_size=3),
    std=st.lists(st.floats(0.1, 300), min_size=3, max_size=3),
)
def test_values_are_right_for_any_numbers(scale: float, mean: list[float], std: list[float]) -> None:
    found = normalise(CANVAS, facts(), Preprocessing(scale, tuple(mean), tuple(std)))
    expected = (CANVAS.astype(np.float64) * scale - mean) / std
    # float32 rounds each of three steps by 2**-24 of its result, which subtracting the mean can make small.
    largest = (255 * scale + np.abs(mean)) / std
    assert np.all(np.abs(found - expected) <= 4 * 2.0**-24 * largest)


def test_layouts_and_channel_orders_are_permutations_of_each_other() -> None:
    rgb = Preprocessing(0.01, (1, 2, 3), (4, 5, 6))
    bgr = Preprocessing(0.01, (3, 2, 1), (6, 5, 4))
    planar = input_tensor(CANVAS, facts(), rgb)
    np.testing.assert_array_equal(input_tensor(CANVAS, facts(layout="NHWC"), rgb), planar.transpose(1, 2, 0))
    np.testing.assert_array_equal(input_tensor(CANVAS, facts(color="BGR"), bgr), planar[::-1])


def test_grey_is_the_luma_of_itu_601() -> None:
    grey = picture_for(CANVAS, facts(color="GRAY"))
    assert grey.shape == (16, 16, 1)
    np.testing.assert_allclose(grey[..., 0], CANVAS @ [0.299, 0.587, 0.114], atol=0.51)
    colours = np.array([[255.0, 0, 0], [0, 255, 0], [10, 20, 30]])
    expected = [[76.245], [149.685], [0.299 * 10 + 0.587 * 20 + 0.114 * 30]]
    np.testing.assert_allclose(colours_for(colours, facts(color="GRAY")), expected)


def test_other_sizes_are_bilinear_and_antialiased() -> None:
    resized = picture_for(CANVAS, facts(size=(8, 24)))
    expected = np.asarray(Image.fromarray(CANVAS).resize((24, 8), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(resized, expected)
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2] = 200
    shrunk = picture_for(stripes, facts(size=(4, 4)))
    # Without antialiasing every other column would be all there is to see: 0 or 200.
    assert (np.abs(shrunk[:, 1:3].astype(int) - 100) < 20).all()


def test_a_canvas_must_be_uint8_rgb() -> None:
    with pytest.raises(ValueError, match=r"canvas: expected shape \(H, W, 3\), got \(16, 16\)"):
        picture_for(CANVAS[..., 0], facts())
    with pytest.raises(ValueError, match="canvas: expected dtype uint8, got float64"):
        picture_for(CANVAS / 255, facts())


@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_labels_of_another_size_are_the_nearest_ones(size: tuple[int, int]) -> None:
    segments = np.arange(16 * 16, dtype=np.int32).reshape(16, 16)
    found = labels_for(segments, facts(size=size))
    assert found.dtype == np.int32
    assert found.shape == size
    for y, x in ((0, 0), (size[0] - 1, size[1] - 1), (size[0] // 2, size[1] // 3)):
        nearest = (int((y + 0.5) * 16 / size[0]), int((x + 0.5) * 16 / size[1]))
        assert found[y, x] == segments[nearest]
