import numpy as np
import pytest

from consensus_onnx.analysis import converge, converged_at
from consensus_onnx.analysis.convergence import Convergence, Spread
from consensus_onnx.consensus import vote

SKILLS = np.full(16, 0.45)


def test_the_full_committee_is_the_line(make_committee):
    world = make_committee(SKILLS, 3)
    found = converge(world.images, world.everyone, "lime_paper", trials=5)
    assert found.sizes == (1, 2, 3, 5, 8, 12, 16)
    expected = [image.average_precision(vote(image.values)) for image in world.images]
    assert found.full_ap == pytest.approx(np.mean(expected))
    assert found.mask_ap.low[-1] == pytest.approx(found.full_ap)
    assert found.mask_ap.high[-1] == pytest.approx(found.full_ap)
    assert found.to_full.mean[-1] == pytest.approx(1.0)
    assert (found.images, found.masked) == (3, 3)


def test_more_members_come_closer(make_committee):
    world = make_committee(SKILLS, 4)
    found = converge(world.images, world.everyone, "lime_paper")
    assert (np.diff(found.to_full.mean) > 0).all()
    another = found.to_another.mean[:5]
    assert (np.diff(another) > 0).all()
    assert np.isnan(found.to_another.mean[5:]).all()  # no two committees of 12 among 16 without a common member
    assert found.mask_ap.mean[0] < found.full_ap - 0.1
    assert (another < found.to_full.mean[:5]).all()  # sharing members flatters


def test_single_members_are_the_members(make_committee):
    world = make_committee(SKILLS[:4], 2)
    found = converge(world.images, world.everyone, "mean_absolute", sizes=[1], trials=400)
    each = [[image.average_precision(np.abs(row)) for row in image.values] for image in world.images]
    assert found.mask_ap.mean[0] == pytest.approx(np.mean(each), abs=0.02)


def test_no_masks_no_precision_and_absent_members_stay_out(make_committee):
    world = make_committee(SKILLS, 2, masks=False, absent=((0, 0), (0, 1)))
    seated = world.everyone.copy()
    seated[0] = False
    found = converge(world.images, seated, "lime_paper", trials=3)
    assert found.sizes[-1] == 15
    assert np.isnan(found.full_ap)
    assert np.isnan(found.mask_ap.mean).all()
    assert np.isfinite(found.to_full.mean).all()
    assert converged_at(found) is None


def test_same_seed_same_numbers(make_committee):
    world = make_committee(SKILLS, 2)
    one, two, other = (converge(world.images, world.everyone, "m4", trials=4, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.mask_ap.mean, two.mask_ap.mean)
    assert not np.array_equal(one.mask_ap.mean, other.mask_ap.mean)


@pytest.mark.parametrize(
    ("means", "size"), [([0.1, 0.2, 0.3, 0.3], 3), ([0.3, 0.1, 0.3, 0.3], 3), ([0.3, 0.3, 0.3, 0.3], 1)]
)
def test_converged_from_where_on_it_stays_near(means, size):
    values = np.array(means)
    spread = Spread(values, values, values, values)
    found = Convergence((1, 2, 3, 4), 1, spread, spread, spread, 0.3, 1, 1)
    assert converged_at(found) == size


def test_wrong_input_is_named(make_committee):
    world = make_committee(SKILLS, 1)
    with pytest.raises(ValueError, match="converge: expected members and trials >= 1, got 0 and 20"):
        converge(world.images, np.zeros(16, bool), "m4")
    with pytest.raises(ValueError, match=r"size: expected 1\.\.16"):
        converge(world.images, world.everyone, "m4", sizes=[0])
