from dataclasses import replace

import numpy as np
import pytest

from consensus_onnx.analysis import committee_scores, committee_votes, random_committees
from consensus_onnx.consensus import PIXEL_CONSENSUS, SUPERPIXEL_CONSENSUS, compare, vote

SKILLS = np.linspace(0.9, 0.1, 7)


def test_committees_are_what_was_asked_for_and_depend_on_nothing_else():
    drawn = random_committees([0, 2, 3, 5], 3, 50, 7, seed=4)
    assert drawn.shape == (50, 7)
    assert (drawn.sum(axis=1) == 3).all()
    assert not drawn[:, [1, 4, 6]].any()
    assert np.array_equal(drawn[:20], random_committees([0, 2, 3, 5], 3, 20, 7, seed=4))
    assert not np.array_equal(drawn, random_committees([0, 2, 3, 5], 3, 50, 7, seed=5))
    counts = random_committees(range(6), 2, 6000, 6).sum(axis=0)
    assert abs(counts / 6000 - 1 / 3).max() < 0.03


@pytest.mark.parametrize("size", [0, 5])
def test_wrong_sizes_are_named(size):
    with pytest.raises(ValueError, match=rf"size: expected 1\.\.4, the members to draw from, got {size}"):
        random_committees([0, 2, 3, 5], size, 1, 7)


@pytest.mark.parametrize("method", ["lime_paper", "minmax_mean", "mean_absolute", "median", "rank_mean", "m4"])
@pytest.mark.parametrize("kind", ["superpixel", "pixel"])
def test_votes_of_committees_are_votes_of_their_members(make_committee, method, kind):
    image = make_committee(SKILLS, 1, kind, absent=((2, 0),)).images[0]
    seats = random_committees(range(7), 4, 6, 7)
    for row, found in zip(seats, committee_votes(image, seats, method), strict=True):
        members = np.flatnonzero(row & image.present)
        np.testing.assert_allclose(found, vote(image.values[members], method).ravel(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("settings", [SUPERPIXEL_CONSENSUS, PIXEL_CONSENSUS, replace(PIXEL_CONSENSUS, vote="median")])
def test_scores_in_the_full_committee_are_the_audits(make_committee, settings):
    kind = "superpixel" if settings.similarity == "cosine" else "pixel"
    world = make_committee(SKILLS, 3, kind, absent=((1, 1),))
    found = committee_scores(world.images, world.everyone[np.newaxis], settings, 3.0)[0]
    raw = np.stack([compare(image.values, settings, present=image.present).raw for image in world.images], axis=1)
    scores = raw if settings.similarity == "cosine" else np.exp(-0.5 * (raw / 3.0) ** 2)
    np.testing.assert_allclose(found, np.nanmean(scores, axis=1), rtol=1e-10)


def test_outsiders_are_scored_and_nobody_is_nobody(make_committee):
    world = make_committee(SKILLS, 2)
    seats = np.zeros((2, 7), bool)
    seats[0, :2] = True
    found = committee_scores(world.images, seats, SUPERPIXEL_CONSENSUS, None)
    assert np.isfinite(found[0]).all()
    assert found[0, 2] > found[0, 6]
    assert np.isnan(found[1]).all()


def test_weights_count_as_repetitions(make_committee):
    image = make_committee(SKILLS, 1).images[0]
    twice = np.concatenate([image.values, image.values[:1]])
    weights = np.ones((1, 7))
    weights[0, 0] = 2.0
    np.testing.assert_allclose(committee_votes(image, weights, "lime_paper")[0], vote(twice), rtol=1e-12)
