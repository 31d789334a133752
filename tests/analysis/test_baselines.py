import math

import numpy as np
import pytest

from consensus_onnx.analysis import baseline_scores, centre_prior, edge_map
from consensus_onnx.consensus import PIXEL_CONSENSUS, SUPERPIXEL_CONSENSUS, similarity, vote

SKILLS = np.array([0.9, 0.7, 0.5, 0.3])


def test_centre_prior_is_round_and_brightest_in_the_middle():
    prior = centre_prior(21, 21)
    assert np.unravel_index(prior.argmax(), prior.shape) == (10, 10)
    np.testing.assert_allclose(prior, prior.T)
    np.testing.assert_allclose(prior, prior[::-1, ::-1])
    assert prior[10, 0] == pytest.approx(math.exp(-0.5 * (10 / 21 / 0.25) ** 2))


def test_edges_are_where_the_picture_changes():
    canvas = np.zeros((20, 20, 3), np.uint8)
    canvas[:, 10:] = 200
    edges = edge_map(canvas)
    assert set(np.flatnonzero(edges.sum(axis=0))) == {9, 10}
    assert not edge_map(np.full((8, 8, 3), 77, np.uint8)).any()


@pytest.mark.parametrize(("kind", "settings"), [("superpixel", SUPERPIXEL_CONSENSUS), ("pixel", PIXEL_CONSENSUS)])
def test_baselines_are_scored_as_members_are(make_committee, kind, settings):
    world = make_committee(SKILLS, 3, kind)
    found = baseline_scores(world.images, world.everyone, settings, 3.0)
    expected = []
    for image in world.images:
        prior = np.asarray(image.pooled(centre_prior(28, 28)), np.float64)
        agreed = vote(image.values, settings.vote).ravel()
        expected.append(similarity(prior, agreed, settings.similarity, form="absolute", sigma=3.0))
    assert found.scores["centre"] == pytest.approx(np.mean(expected))
    assert set(found.scores) == set(found.mask_ap) == {"random", "centre", "edges"}


def test_what_looks_at_the_place_loses_by_shuffling(make_committee):
    world = make_committee(SKILLS, 12)
    found = baseline_scores(world.images, world.everyone, SUPERPIXEL_CONSENSUS, None)
    own = [similarity(image.values[0], vote(image.values), "cosine") for image in world.images]
    assert found.shuffled[0] < np.mean(own) - 0.3
    chance = np.mean([image.mask.mean() for image in world.images])
    assert found.mask_ap["random"] == pytest.approx(chance, abs=0.12)


def test_a_score_that_place_has_no_part_in_stays(make_committee):
    """A map that is dark but for one pixel is as far from the consensus wherever that pixel is."""
    world = make_committee(SKILLS, 2, "pixel")
    for image in world.images:
        image.values[0] = 0.0
        image.values[0, 0, 0] = 1.0
    found = baseline_scores(world.images, world.everyone, PIXEL_CONSENSUS, 5.0)
    own = [similarity(im.values[0], vote(im.values, "minmax_mean"), "rbf", sigma=5.0) for im in world.images]
    assert found.shuffled[0] == pytest.approx(np.mean(own), abs=0.02)


def test_without_masks_or_members(make_committee):
    world = make_committee(SKILLS, 2, masks=False, absent=((3, 0), (3, 1)))
    found = baseline_scores(world.images, world.everyone, SUPERPIXEL_CONSENSUS, None)
    assert math.isnan(found.mask_ap["random"])
    assert math.isnan(found.shuffled[3])
    assert np.isfinite(found.shuffled[:3]).all()
    assert np.isnan(list(baseline_scores([], world.everyone, SUPERPIXEL_CONSENSUS, None).scores.values())).all()
