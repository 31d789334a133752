import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics.pairwise import cosine_similarity

import naive
from consensus_onnx.consensus import (
    PIXEL_CONSENSUS,
    SUPERPIXEL_CONSENSUS,
    ConsensusSettings,
    compare,
    log_scores,
    member_scores,
    resolve_sigma,
    similarity,
    to_scores,
    vote,
)
from consensus_onnx.consensus.voting import VOTES

ALL_SETTINGS = [
    *(ConsensusSettings(vote=name, form="signed") for name in VOTES),
    SUPERPIXEL_CONSENSUS,
    PIXEL_CONSENSUS,
    ConsensusSettings(vote="median", similarity="rbf"),
    ConsensusSettings(vote="m4", form="squared"),
]
committees = st.tuples(st.integers(1, 6), st.integers(1, 9)).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.integers(-32, 32).map(lambda eighths: eighths / 8))
)


@pytest.mark.parametrize("chosen", ALL_SETTINGS, ids=lambda s: f"{s.vote}-{s.similarity}-{s.form}")
@given(values=committees, data=st.data())
@settings(max_examples=20, deadline=None)
def test_equals_the_definition_and_really_leaving_out(chosen, values, data):
    weights = data.draw(hnp.arrays(np.int64, len(values), elements=st.integers(0, 3))).astype(float)
    if not weights.any():
        weights += 1
    agreement = compare(values, chosen, weights)
    expected = naive.compare(values, chosen.vote, chosen.similarity, chosen.form, weights)
    for ours, twin in zip((agreement.consensus, agreement.raw, agreement.raw_leave_one_out), expected, strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-12)


def test_agrees_with_vote_and_similarity():
    maps = np.random.default_rng(0).random((4, 6, 5)).astype(np.float32)
    agreement = compare(maps, PIXEL_CONSENSUS)
    assert np.array_equal(agreement.consensus, vote(maps, "minmax_mean"))
    scores = to_scores(agreement.raw[:, np.newaxis], PIXEL_CONSENSUS, 0.7)[:, 0]
    for m in range(4):
        others = vote(np.delete(maps, m, axis=0), "minmax_mean")
        assert scores[m] == pytest.approx(similarity(maps[m], agreement.consensus, "rbf", sigma=0.7), rel=1e-12)
        left_out = math.exp(-0.5 * (agreement.raw_leave_one_out[m] / 0.7) ** 2)
        assert left_out == pytest.approx(similarity(maps[m], others, "rbf", sigma=0.7), rel=1e-12)


def test_m4_mode_equals_its_formula():
    maps = np.random.default_rng(1).normal(size=(5, 40))
    squares = maps**2
    expected = cosine_similarity(squares.mean(axis=0, keepdims=True), squares)[0]
    agreement = compare(maps, ConsensusSettings(vote="m4", form="squared"))
    np.testing.assert_allclose(agreement.raw, expected, rtol=1e-12)


def test_a_loud_member_does_not_drown_the_others_when_it_is_left_out():
    values = np.array([[1e12, 2e12, 3e12], [3.0, 1.0, 2.0], [1.0, 5.0, 1.0]])
    agreement = compare(values, SUPERPIXEL_CONSENSUS)
    others = vote(values[1:])
    assert agreement.raw_leave_one_out[0] == pytest.approx(similarity(values[0], others), rel=1e-14)


def test_absent_members_do_not_vote_and_have_no_score():
    values = np.random.default_rng(2).normal(size=(4, 7))
    values[1] = np.nan
    present = np.array([True, False, True, True])
    agreement = compare(values, SUPERPIXEL_CONSENSUS, [1.0, 9.0, 2.0, 3.0], present)
    alone = compare(values[present], SUPERPIXEL_CONSENSUS, [1.0, 2.0, 3.0])
    assert np.array_equal(agreement.consensus, alone.consensus)
    assert np.isnan(agreement.raw[1])
    assert np.isnan(agreement.raw_leave_one_out[1])
    assert np.array_equal(agreement.raw[present], alone.raw)
    assert np.array_equal(agreement.raw_leave_one_out[present], alone.raw_leave_one_out)


def test_nobody_present_gives_nan():
    agreement = compare(np.ones((2, 3, 4)), PIXEL_CONSENSUS, present=np.zeros(2, bool))
    assert agreement.consensus.shape == (3, 4)
    assert np.isnan(agreement.consensus).all()
    assert np.isnan(agreement.raw).all()
    only_weightless = compare(np.ones((2, 3)), SUPERPIXEL_CONSENSUS, [0.0, 1.0], np.array([True, False]))
    assert np.isnan(only_weightless.raw).all()


def test_a_lone_member_has_no_others():
    agreement = compare(np.array([[1.0, 2.0, 3.0]]), SUPERPIXEL_CONSENSUS)
    assert agreement.raw[0] == pytest.approx(36 / math.sqrt(14 * 98))
    assert np.isnan(agreement.raw_leave_one_out[0])


def test_a_member_that_is_not_finite_is_named_by_its_own_index():
    values = np.ones((4, 3))
    values[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"values\[2\]: 1 of 3 values"):
        compare(values, SUPERPIXEL_CONSENSUS, present=np.array([False, True, True, True]))
    with pytest.raises(ValueError, match=r"present: expected shape \(4,\), got \(3,\)"):
        compare(values, SUPERPIXEL_CONSENSUS, present=np.ones(3, bool))


def test_sigma_is_the_median_distance_above_zero():
    raw = np.array([[1.0, 3.0, np.nan], [5.0, 0.0, 2.0]])
    assert resolve_sigma(raw, PIXEL_CONSENSUS) == 2.5
    assert resolve_sigma(raw, ConsensusSettings(vote="median", similarity="rbf", sigma=4)) == 4.0
    assert resolve_sigma(raw, SUPERPIXEL_CONSENSUS) is None
    assert resolve_sigma(np.array([[0.0, np.nan]]), PIXEL_CONSENSUS) == 1.0


def test_scores():
    raw = np.array([[0.0, 2.0, np.nan, 400.0]])
    np.testing.assert_allclose(to_scores(raw, PIXEL_CONSENSUS, 2.0), [[1.0, math.exp(-0.5), np.nan, 0.0]])
    np.testing.assert_allclose(log_scores(raw, PIXEL_CONSENSUS, 2.0), [[0.0, -0.5, np.nan, -20000.0]])
    assert np.array_equal(to_scores(raw, SUPERPIXEL_CONSENSUS, None), raw, equal_nan=True)
    with pytest.raises(ValueError, match="sigma: the rbf needs a number > 0"):
        to_scores(raw, PIXEL_CONSENSUS, None)
    with pytest.raises(ValueError, match="log scores exist for similarity 'rbf' only"):
        log_scores(raw, SUPERPIXEL_CONSENSUS, None)


def test_member_scores_skip_missing_images():
    scores = np.array([[1.0, np.nan, 0.5], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(member_scores(scores), [0.75, np.nan])
