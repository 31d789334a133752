"""What a score's error is made of, found again in scores that were made with known parts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from consensus_onnx.analysis.planning import ErrorSources, best_split, error_sources, split_of

IMAGES, SAMPLES, DRIFT, SPREAD = 0.03**2, 4.0, 12.0, 0.05


def made(samples: int, bound: float, members: int = 40, images: int = 600) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    own = 0.7 + SPREAD * rng.standard_normal((members, 1))
    on_image = np.sqrt(IMAGES) * rng.standard_normal((members, images)) + 0.2 * rng.standard_normal(images)
    lowered = DRIFT * rng.choice([-1.0, 1.0], (members, 1)) + 30  # what lowers all alike does not matter
    tables = []
    for count in (samples, samples, 2 * samples):
        free = count - bound
        noise = np.sqrt(SAMPLES / free) * rng.standard_normal((members, images))
        tables.append(own + on_image - lowered / free + noise)
    return tables


@pytest.mark.parametrize("bound", [0.0, 90.0])
def test_the_parts_are_found_again(bound: float) -> None:
    found = error_sources(*made(400, bound), 400, bound)
    assert found.images == pytest.approx(IMAGES, rel=0.1)
    assert found.samples == pytest.approx(SAMPLES, rel=0.1)
    assert found.drift == pytest.approx(DRIFT, rel=0.15)
    assert found.spread == pytest.approx(SPREAD, rel=0.3)
    assert found.bound == bound


def test_images_without_all_scores_and_members_without_any_do_not_count() -> None:
    tables = made(400, 0.0, images=50)
    holed = [np.vstack([table, np.full((1, 50), np.nan)]) for table in tables]
    holed[1][3, 7] = np.nan
    kept = np.arange(50) != 7
    assert error_sources(*holed, 400) == error_sources(*(table[:, kept].copy() for table in tables), 400)


@pytest.mark.parametrize(("members", "images"), [(1, 9), (5, 2)])
def test_too_few_scores_are_refused(members: int, images: int) -> None:
    tables = made(400, 0.0, members=members, images=images)
    with pytest.raises(
        ValueError, match=f"needs 2 members with scores on the same 3 images, got {members} on {images}"
    ):
        error_sources(*tables, 400)


def test_the_error_of_a_mean_by_hand() -> None:
    source = ErrorSources(images=0.04, samples=2.0, drift=3.0, spread=0.1, bound=50.0)
    assert source.variances(10, 250) == pytest.approx((0.004, 0.001, 0.000225))
    assert source.error(10, 250) == pytest.approx(np.sqrt(0.005225))
    with pytest.raises(ValueError, match="samples: must be above 50, which the fit takes, got 50"):
        source.error(10, 50)


def test_the_best_split_is_the_best_of_all() -> None:
    sources = {"lime": ErrorSources(0.01, 3.0, 5.0, 0.1, 20.0), "smoothgrad": ErrorSources(0.02, 0.3, 0.2, 0.1)}
    costs = {"lime": 0.01, "smoothgrad": 0.04}
    choices = {"lime": (50, 100, 400, 1000), "smoothgrad": (4, 16, 64)}
    best = best_split(sources, costs, choices, seconds=3600.0, available=2000)
    assert best is not None
    assert best.seconds <= 3600
    everything = [
        split_of(sources, costs, {"lime": rows, "smoothgrad": draws}, 3600.0, 2000)
        for rows, draws in itertools.product(*choices.values())
    ]
    units = {"lime": sources["lime"].error(2, 50), "smoothgrad": sources["smoothgrad"].error(2, 4)}
    losses = [sum((one.errors[name] / units[name]) ** 2 for name in units) for one in everything if one]
    assert sum((best.errors[name] / units[name]) ** 2 for name in units) == pytest.approx(min(losses))
    assert best.images == min(2000, int(3600 / (0.01 * best.samples["lime"] + 0.04 * best.samples["smoothgrad"])))


def test_more_time_is_never_worse_and_too_little_is_said() -> None:
    sources = {"lime": ErrorSources(0.01, 3.0, 5.0, 0.1, 20.0)}
    splits = [
        best_split(sources, {"lime": 0.01}, {"lime": (50, 100, 400)}, hours * 3600.0, 10**6) for hours in (1, 4, 16)
    ]
    errors = [split.errors["lime"] for split in splits if split]
    assert errors == sorted(errors, reverse=True)
    assert best_split(sources, {"lime": 0.01}, {"lime": (50,)}, 0.9, 100) is None
