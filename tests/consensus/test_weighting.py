import numpy as np

from consensus_onnx.consensus import family_weights, vote


def test_every_family_has_one_vote():
    weights = family_weights(["a", "b", "a", "a", "", ""])
    np.testing.assert_allclose(weights, np.array([1 / 3, 1, 1 / 3, 1 / 3, 1, 1]) / 4)


def test_absent_members_leave_their_share_to_the_family():
    present = np.array([True, False, True, False])
    np.testing.assert_allclose(family_weights(["a", "a", "b", "c"], present), [0.5, 0, 0.5, 0])
    assert not family_weights(["a"], np.array([False])).any()


def test_copies_of_a_member_do_not_change_a_family_vote():
    values = np.random.default_rng(0).normal(size=(3, 6))
    copied = values[[0, 0, 0, 1, 2]]
    families = ["x", "x", "x", "y", "z"]
    np.testing.assert_allclose(vote(copied, weights=family_weights(families)), vote(values), rtol=1e-12)
