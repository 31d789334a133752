import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, jaccard_score

from consensus_onnx.analysis import average_precision, localise, paint, segments_average_precision


@st.composite
def masks_and_maps(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    mask = rng.random(shape) < draw(st.floats(0.05, 1.0))
    values = rng.integers(-2, draw(st.integers(1, 9)), shape).astype(float)  # with ties
    return mask, values


@given(masks_and_maps())
@settings(max_examples=80, deadline=None)
def test_all_measures_equal_their_slow_twins(drawn):
    mask, values = drawn
    found = localise(mask, values)
    if not mask.any():
        assert all(math.isnan(value) for value in vars(found).values())
        return
    thresholds = [jaccard_score(mask.ravel(), (values >= t).ravel()) for t in np.unique(values)]
    assert found.best_iou == pytest.approx(max(thresholds), abs=1e-12)
    assert found.average_precision == pytest.approx(average_precision_score(mask.ravel(), values.ravel()), abs=1e-12)
    brightest = [(y, x) for y in range(mask.shape[0]) for x in range(mask.shape[1]) if values[y, x] == values.max()]
    assert found.pointing == pytest.approx(sum(bool(mask[place]) for place in brightest) / len(brightest))
    positive = np.maximum(values, 0)
    if positive.any():
        assert found.energy == pytest.approx(positive[mask].sum() / positive.sum())
    else:
        assert math.isnan(found.energy)


def test_full_mask_gives_one_and_a_perfect_map_too():
    rng = np.random.default_rng(0)
    values = rng.random((6, 5))
    full = localise(np.ones((6, 5), bool), values)
    assert (full.average_precision, full.pointing, full.best_iou, full.energy, full.chance) == (1, 1, 1, 1, 1)
    mask = rng.random((6, 5)) < 0.4
    perfect = localise(mask, mask.astype(float))
    assert (perfect.average_precision, perfect.pointing, perfect.best_iou, perfect.energy) == (1, 1, 1, 1)


def test_tiny_and_huge_values_are_the_same_map():
    rng = np.random.default_rng(1)
    mask, values = rng.random((8, 8)) < 0.3, rng.random((8, 8))
    assert localise(mask, values * 1e-300).energy == pytest.approx(localise(mask, values * 1e300).energy)


@given(st.integers(1, 12), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_superpixels_need_no_painting(count, seed):
    rng = np.random.default_rng(seed)
    segments = rng.integers(0, count, (7, 6)).astype(np.int32)
    mask = rng.random((7, 6)) < 0.4
    weights = rng.integers(-2, 4, count).astype(float)
    sizes = np.bincount(segments.ravel(), minlength=count)
    inside = np.bincount(segments[mask], minlength=count)
    ours = segments_average_precision(weights, sizes, inside)
    if mask.any():
        assert ours == pytest.approx(average_precision(mask, paint(weights, segments)), abs=1e-12)
    else:
        assert math.isnan(ours)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"explanation: expected shape \(2, 2\), got \(3, 2\)"):
        localise(np.ones((2, 2), bool), np.ones((3, 2)))
    with pytest.raises(ValueError, match="1 of 4 values are nan"):
        localise(np.ones((2, 2), bool), np.array([[1.0, math.nan], [0, 0]]))
