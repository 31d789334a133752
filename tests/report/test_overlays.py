from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from consensus_onnx.report.colours import AGAINST_CLASS, FOR_CLASS
from consensus_onnx.report.overlays import explanation_overlay, heat_overlay, superpixel_overlay

SEGMENTS = np.array([[0, 0, 1], [2, 2, 1]], np.int32)


def test_weights_are_painted_by_sign_and_size():
    painted = superpixel_overlay(np.array([2.0, -1.0, 0.0]), SEGMENTS)
    assert painted.shape == (2, 3, 4)
    assert tuple(painted[0, 0, :3]) == FOR_CLASS
    assert tuple(painted[1, 2, :3]) == AGAINST_CLASS
    assert painted[0, 0, 3] == 2 * painted[1, 2, 3] > 0
    assert painted[1, 0, 3] == 0


def test_all_zero_explanations_stay_clear():
    assert superpixel_overlay(np.zeros(3), SEGMENTS)[..., 3].max() == 0
    assert heat_overlay(np.zeros((5, 5), np.float32))[..., 3].max() == 0
    assert heat_overlay(np.full((5, 5), 7.0))[..., 3].max() == 0


# Not the least of all floats: halved, they lose digits.
@given(arrays(np.float64, 3, elements=st.integers(-(10**9), 10**9).map(float)), st.floats(1e-3, 1e3))
def test_scale_of_weights_does_not_matter(weights, factor):
    if np.abs(weights).max() < 1e-6:
        weights = np.array([1.0, -2.0, 0.0])
    first = superpixel_overlay(weights, SEGMENTS).astype(int)
    second = superpixel_overlay(weights * factor, SEGMENTS).astype(int)
    assert np.abs(first - second).max() <= 1


def test_heat_is_denser_where_higher_and_clips_one_in_a_hundred():
    heat = np.arange(400, dtype=np.float32).reshape(20, 20)
    alpha = heat_overlay(heat)[..., 3].astype(int).ravel()
    assert (np.diff(alpha) >= 0).all()
    assert alpha[0] == 0
    assert (alpha == alpha.max()).sum() == pytest.approx(4, abs=2)
    heat[-1, -1] = 1e9  # one outlier does not leave the rest dark
    assert np.abs(heat_overlay(heat)[..., 3].astype(int).ravel() - alpha).max() <= 1


def test_a_single_bright_pixel_is_shown():
    heat = np.zeros((30, 30))
    heat[3, 4] = 1.0
    alpha = heat_overlay(heat)[..., 3]
    assert alpha[3, 4] > 200
    assert (alpha > 0).sum() == 1


def test_kind_follows_from_segments():
    weights = np.array([1.0, -1.0, 0.5])
    assert (explanation_overlay(weights, SEGMENTS) == superpixel_overlay(weights, SEGMENTS)).all()
    heat = np.eye(4, dtype=np.float32)
    assert (explanation_overlay(heat, None) == heat_overlay(heat)).all()


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"weights: expected shape \(K,\), got \(2, 3\)"):
        superpixel_overlay(np.zeros((2, 3)), SEGMENTS)
