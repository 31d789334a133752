import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus_onnx.analysis import correlate, find_confounds, partial_correlation
from consensus_onnx.analysis.confounds import holm

RNG = np.random.default_rng(0)
N = 24
SIZE = RNG.normal(size=N)
ACCURACY = SIZE + 0.6 * RNG.normal(size=N)


def test_a_property_that_makes_both_is_found_out():
    score = SIZE + 0.2 * RNG.normal(size=N)
    luck = np.where(np.argsort(np.argsort(score)) % 2, 1.0, -1.0)
    found = find_confounds(score, ACCURACY, {"input size": SIZE, "luck": luck})
    size, luck = found.each
    assert found.plain == correlate(score, ACCURACY)
    assert found.plain.pearson_p < 0.001
    assert size.explains_away
    assert size.outdoes
    assert size.given == partial_correlation(score, ACCURACY, SIZE)
    assert [luck.explains_away, luck.outdoes, luck.goes_with_score] == [False] * 3
    assert found.jointly.degrees == N - 4


def test_a_property_beside_the_point_explains_nothing():
    score = ACCURACY + 0.2 * RNG.normal(size=N)
    (other,) = find_confounds(score, ACCURACY, {"other": RNG.normal(size=N)}).each
    assert not other.explains_away
    assert other.given.p < 0.001


def test_properties_that_do_not_vary_or_are_unknown_are_left_out():
    three = np.append(SIZE[:3], [math.nan] * 21)
    found = find_confounds(SIZE, ACCURACY, {"same": np.ones(N), "unknown": np.full(N, math.nan), "three": three})
    assert found.each == ()
    assert found.jointly.coefficient == pytest.approx(found.plain.pearson)


def test_many_tries_need_more():
    """Of 20 properties of pure chance one is taken seriously in one run of twenty, not in two of three."""
    p_values = np.random.default_rng(7).random((1000, 20))
    fooled = np.mean([any(holm(row.tolist())) for row in p_values])
    assert 0.03 < fooled < 0.07
    assert np.mean((p_values < 0.05).any(axis=1)) > 0.6


@given(st.lists(st.floats(0, 1), max_size=8))
@settings(deadline=None)
def test_holm_is_stricter_than_each_alone_and_laxer_than_bonferroni(p_values):
    falls = holm(p_values)
    for p, fell in zip(p_values, falls, strict=True):
        assert not fell or p <= 0.05
        assert fell or not p <= 0.05 / len(p_values)
