import numpy as np
import pytest

from consensus_onnx.analysis import committee_scores, correlate, cross_committee, family_consistency
from consensus_onnx.consensus import SUPERPIXEL_CONSENSUS

SKILLS = np.concatenate([np.linspace(0.95, 0.3, 8), np.full(12, 0.5)])
FAMILIES = ["Res"] * 8 + ["Vgg"] * 4 + ["Odd"] * 3 + [""] * 5


def test_scores_hardly_depend_on_the_others(make_committee):
    world = make_committee(SKILLS, 6)
    found = cross_committee(world.images, world.everyone, range(8), SUPERPIXEL_CONSENSUS, None, others=(5, 12))
    assert found.pearson.shape == (20,)
    assert found.mean == pytest.approx(found.pearson.mean())
    assert found.deviation == pytest.approx(found.pearson.std())
    assert 0.9 < found.mean < 1
    assert found.others == (5, 12)


def test_all_others_give_the_full_committee_back(make_committee):
    world = make_committee(SKILLS, 2)
    found = cross_committee(world.images, world.everyone, range(8), SUPERPIXEL_CONSENSUS, None, others=(50, 60))
    assert found.others == (12, 12)
    np.testing.assert_allclose(found.pearson, 1.0)


def test_noise_is_not_consistent(make_committee):
    """The measure can fail: members without any skill are ranked by chance."""
    world = make_committee(np.zeros(20), 1)
    found = cross_committee(world.images, world.everyone, range(8), SUPERPIXEL_CONSENSUS, None, others=(2, 3))
    assert found.mean < 0.9


@pytest.mark.parametrize("targets", [[0, 1], range(20), [0, 1, 99]])
def test_wrong_targets_are_named(make_committee, targets):
    world = make_committee(SKILLS, 1)
    with pytest.raises(ValueError, match="targets: expected three or more of the 20 members, and others beside them"):
        cross_committee(world.images, world.everyone, list(targets), SUPERPIXEL_CONSENSUS, None)


def test_families_of_four_or_more_by_size(make_committee):
    world = make_committee(SKILLS, 4)
    res, vgg = family_consistency(world.images, FAMILIES, world.everyone, SUPERPIXEL_CONSENSUS, None)
    assert (res.family, res.members, vgg.family, vgg.members) == ("Res", tuple(range(8)), "Vgg", (8, 9, 10, 11))
    seats = np.array([name == "Res" for name in FAMILIES])[np.newaxis]
    own = committee_scores(world.images, seats, SUPERPIXEL_CONSENSUS, None)[0, :8]
    np.testing.assert_allclose(res.by_family, own)
    assert res.found == correlate(res.by_all, own)
    assert res.found.spearman > 0.8


def test_no_large_family(make_committee):
    world = make_committee(SKILLS, 1)
    assert family_consistency(world.images, [""] * 20, world.everyone, SUPERPIXEL_CONSENSUS, None) == ()
