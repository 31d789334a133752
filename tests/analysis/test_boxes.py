import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu
from skimage.measure import regionprops

from consensus_onnx.analysis import Box, box_iou, locate_box, mask_box
from consensus_onnx.analysis.boxes import _otsu


def filled(box: Box, side: int = 30) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[box.top : box.bottom, box.left : box.right] = True
    return mask


boxes = st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 9)] * 2).map(
    lambda four: Box(four[0], four[1], four[0] + four[2], four[1] + four[3])
)


@given(boxes, boxes)
@settings(deadline=None)
def test_overlap_is_that_of_painted_pixels(first, second):
    a, b = filled(first), filled(second)
    assert box_iou(first, second) == pytest.approx((a & b).sum() / (a | b).sum())
    assert box_iou(first, second) == box_iou(second, first)
    assert box_iou(first, first) == 1.0


@given(st.integers(0, 10**6))
@settings(deadline=None)
def test_box_of_a_mask_is_scikit_images(seed):
    mask = np.random.default_rng(seed).random((9, 12)) < 0.1
    if not mask.any():
        assert mask_box(mask) is None
        return
    top, left, bottom, right = regionprops(mask.astype(int))[0].bbox
    assert mask_box(mask) == Box(left, top, right, bottom)


def test_threshold_is_otsus():
    rng = np.random.default_rng(0)
    level = np.clip(np.concatenate([rng.normal(0.2, 0.15, 5000), rng.normal(0.7, 0.15, 2000)]), 0, 1)
    level = (level - level.min()) / (level.max() - level.min())
    assert _otsu(level) == pytest.approx(threshold_otsu(level, nbins=256), abs=2 / 256)


def test_finds_an_object_and_not_a_smaller_spot():
    box = Box(5, 8, 15, 20)
    values = filled(box) + 0.9 * filled(Box(22, 22, 24, 24)) + 0.1 * np.random.default_rng(1).random((30, 30))
    assert locate_box(values) == box


def test_blur_joins_the_dots_of_a_gradient_map():
    rng = np.random.default_rng(2)
    box = Box(6, 6, 20, 22)
    values = (filled(box) * (rng.random((30, 30)) < 0.3)).astype(float)
    dotted, blurred = locate_box(values), locate_box(values, blur=2.0)
    assert box_iou(blurred, box) > 0.75
    assert box_iou(blurred, box) > box_iou(dotted, box)


def test_constant_maps_have_no_box_and_scale_does_not_matter():
    assert locate_box(np.ones((4, 4))) is None
    values = np.random.default_rng(3).random((12, 12))
    assert locate_box(values) == locate_box(7 * values - 3)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="blur: must be >= 0 pixels, got -1"):
        locate_box(np.ones((4, 4)), blur=-1)
