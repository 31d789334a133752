import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from consensus_onnx.analysis import map_properties
from consensus_onnx.analysis.properties import gini, smoothness

finite = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))


@given(hnp.arrays(np.float64, st.integers(1, 30), elements=finite))
@settings(deadline=None)
def test_gini_is_half_the_mean_difference_over_the_mean(values):
    sizes = np.abs(values)
    if not sizes.any():
        assert math.isnan(gini(values))
        return
    differences = np.abs(sizes[:, np.newaxis] - sizes).mean()
    assert gini(values) == pytest.approx(differences / (2 * sizes.mean()), abs=1e-9)
    assert gini(values) == pytest.approx(gini(-5 * values), abs=1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_smoothness_is_morans_i(seed):
    values = np.random.default_rng(seed).normal(size=(5, 4))
    centred = values - values.mean()
    total, pairs = 0.0, 0
    for y in range(5):
        for x in range(4):
            for other in ((y + 1, x), (y, x + 1)):
                if other[0] < 5 and other[1] < 4:
                    total += centred[y, x] * centred[other]
                    pairs += 1
    assert smoothness(values) == pytest.approx(total / pairs / centred.var())


def test_smooth_maps_are_smoother_than_noise():
    y, x = np.mgrid[:40, :40] / 40
    assert smoothness(x + y) > 0.9
    assert abs(smoothness(np.random.default_rng(0).normal(size=(40, 40)))) < 0.1
    assert math.isnan(smoothness(np.full((5, 5), 0.1)))


def test_means_over_the_images_there_are(make_committee):
    world = make_committee(np.array([0.9, 0.5, 0.1]), 3, "pixel", absent=((1, 0), (2, 0), (2, 1), (2, 2)))
    found = map_properties(world.images, 3)
    first = [image.values[0] for image in world.images]
    scaled = [(one - one.min()) / (one.max() - one.min()) for one in first]
    assert found.brightness[0] == pytest.approx(np.mean(scaled))
    assert found.sparsity[1] == pytest.approx(np.mean([gini(image.values[1].ravel()) for image in world.images[1:]]))
    assert found.magnitude[0] == pytest.approx(np.mean([np.linalg.norm(one) for one in first]))
    assert (found.negative[:2] == 0).all()
    assert all(math.isnan(column[2]) for column in vars(found).values())
    weights = make_committee(np.array([0.9, 0.5]), 1)
    found = map_properties(weights.images, 2)
    assert np.isnan(found.smoothness).all()
    row = weights.images[0].values[1]
    assert found.negative[1] == pytest.approx(-row[row < 0].sum() / np.abs(row).sum())
