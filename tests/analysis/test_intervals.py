import numpy as np
import pytest
from scipy import stats

from consensus_onnx.analysis import mean_interval


def test_close_to_the_normal_interval_of_a_mean():
    scores = np.random.default_rng(0).normal(size=(3, 400))
    result = mean_interval(scores)
    np.testing.assert_allclose(result.mean, scores.mean(axis=1), rtol=1e-12)
    errors = scores.std(axis=1) / 20
    np.testing.assert_allclose(result.low, scores.mean(axis=1) - 1.96 * errors, atol=0.15 * errors.max())
    np.testing.assert_allclose(result.high, scores.mean(axis=1) + 1.96 * errors, atol=0.15 * errors.max())
    narrow = mean_interval(scores, level=0.5)
    assert ((narrow.low > result.low) & (narrow.high < result.high)).all()


def test_equals_scipys_bootstrap_within_its_own_noise():
    scores = np.random.default_rng(1).exponential(size=(1, 50))
    ours = mean_interval(scores, resamples=4000)
    oracle = stats.bootstrap(
        (scores[0],), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(5)
    ).confidence_interval
    assert ours.low[0] == pytest.approx(oracle.low, abs=0.02)
    assert ours.high[0] == pytest.approx(oracle.high, abs=0.03)


def test_members_share_the_resampled_images():
    """A member that is another one plus a constant keeps exactly that distance at both ends."""
    scores = np.random.default_rng(2).normal(size=(1, 30))
    result = mean_interval(np.concatenate([scores, scores + 0.25]))
    np.testing.assert_allclose(np.diff(result, axis=1)[:, 0], 0.25, atol=1e-12)


def test_missing_scores():
    scores = np.random.default_rng(3).normal(size=(3, 40))
    scores[1, ::2] = np.nan
    scores[2] = np.nan
    result = mean_interval(scores)
    assert result.mean[1] == pytest.approx(np.nanmean(scores[1]))
    assert result.low[1] < result.mean[1] < result.high[1]
    assert result.high[1] - result.low[1] > result.high[0] - result.low[0]
    assert all(np.isnan(part[2]) for part in result)
    alone = mean_interval(scores[:1])
    assert np.array_equal(np.array(result)[:, :1], np.array(alone))


def test_one_image_or_group_has_a_mean_but_no_interval():
    scores = np.array([[0.3, np.nan, np.nan], [0.1, 0.2, np.nan]])
    result = mean_interval(scores)
    assert result.mean[0] == 0.3
    assert np.isnan([result.low[0], result.high[0]]).all()
    assert [result.low[1], result.high[1]] == pytest.approx([0.1, 0.2])
    assert np.isnan(mean_interval(scores, groups=["film", "film", "film"]).low).all()
    assert np.isnan(mean_interval(np.empty((2, 0)))).all()


def test_groups_are_drawn_whole():
    scores = np.repeat(np.random.default_rng(4).normal(size=(1, 12)), 10, axis=1)
    films = [f"film {image // 10}" for image in range(120)]
    frames, grouped = mean_interval(scores), mean_interval(scores, groups=films)
    single = mean_interval(np.ascontiguousarray(scores[:, ::10]))
    assert grouped.high - grouped.low > 2.5 * (frames.high - frames.low)
    assert (grouped.high - grouped.low) == pytest.approx(single.high - single.low, rel=0.1)


def test_seed():
    scores = np.random.default_rng(5).normal(size=(2, 20))
    assert np.array_equal(mean_interval(scores, seed=1), mean_interval(scores, seed=1))
    assert not np.array_equal(mean_interval(scores, seed=1), mean_interval(scores, seed=2))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"level": 1.0}, "level: must be > 0 and < 1, got 1.0"),
        ({"resamples": 0}, "resamples: must be >= 1, got 0"),
        ({"groups": ["a"]}, "groups: expected one per image, 3 of them, got 1"),
    ],
)
def test_wrong_input_is_named(options, text):
    with pytest.raises(ValueError, match=text):
        mean_interval(np.zeros((2, 3)), **options)
    with pytest.raises(ValueError, match=r"scores: expected shape \(M, I\), got \(3,\)"):
        mean_interval(np.zeros(3))
