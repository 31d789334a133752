from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from consensus_onnx.analysis import Variant, rank_changes, standard_variants, variant_scores
from consensus_onnx.consensus import (
    PIXEL_CONSENSUS,
    SUPERPIXEL_CONSENSUS,
    compare,
    family_weights,
    member_scores,
    to_grid,
)

SKILLS = np.linspace(0.95, 0.2, 8)
FAMILIES = ["a", "a", "a", "b", "b", "", "c", "c"]


@pytest.fixture(scope="module")
def weights(make_committee):
    return make_committee(SKILLS, 4, absent=((2, 1),))


@pytest.fixture(scope="module")
def maps(make_committee):
    return make_committee(SKILLS, 3, "pixel")


def test_every_cosine_variant_is_what_an_audit_with_it_would_say(weights):
    variants = [v for v in standard_variants(SUPERPIXEL_CONSENSUS, None, None) if v.settings.similarity == "cosine"]
    names = [variant.name for variant in variants]
    assert names[:3] == ["as audited", "leave-one-out", "family weights"]
    assert {"cosine of L", "cosine of L²", "vote median"} <= set(names)
    table = variant_scores(weights.images, variants, FAMILIES)
    for row, variant in zip(table, variants, strict=True):
        columns = []
        for image in weights.images:
            votes = family_weights(FAMILIES, image.present) if variant.settings.weighting == "family" else None
            found = compare(image.values, variant.settings, weights=votes, present=image.present)
            columns.append(found.raw_leave_one_out if variant.leave_one_out else found.raw)
        np.testing.assert_allclose(row, member_scores(np.stack(columns, axis=1)))


def test_rbf_variants_use_their_own_sigma(maps):
    variants = standard_variants(PIXEL_CONSENSUS, 28, 4.0)
    table = dict(zip([v.name for v in variants], variant_scores(maps.images, variants, FAMILIES), strict=True))
    raw = np.stack([compare(image.values, PIXEL_CONSENSUS).raw for image in maps.images], axis=1)
    np.testing.assert_allclose(table["as audited"], np.exp(-0.5 * (raw / 4.0) ** 2).mean(axis=1))
    np.testing.assert_allclose(table["sigma 8 (twice)"], np.exp(-0.5 * (raw / 8.0) ** 2).mean(axis=1))
    small = [np.stack([to_grid(one, (7, 7)) for one in image.values]) for image in maps.images]
    coarse = np.stack([compare(one, PIXEL_CONSENSUS).raw for one in small], axis=1)
    np.testing.assert_allclose(table["grid 7"], np.exp(-0.5 * (coarse / np.median(coarse)) ** 2).mean(axis=1))
    assert "cosine of |L|" in table


def test_brighter_maps_fall_by_the_rbf_and_not_by_the_cosine(make_committee):
    """The lesson of the real models, made on purpose: a constant haze over good maps."""
    world = make_committee(np.array([0.9, 0.9, 0.9, 0.9, 0.9, 0.5]), 3, "pixel")
    hazed = [replace(image, values=image.values.copy()) for image in world.images]
    for image in hazed:
        image.values[0] = np.sqrt(image.values[0])
    variants = [
        Variant("rbf", replace(PIXEL_CONSENSUS, sigma=5.0)),
        Variant("cosine", replace(PIXEL_CONSENSUS, similarity="cosine")),
    ]
    before, after = (variant_scores(images, variants, FAMILIES[:6]) for images in (world.images, hazed))
    lost = before[:, 0] - after[:, 0]
    assert lost[0] > 3 * lost[1]


def test_rank_changes_by_hand():
    base = np.array([4.0, 3.0, 2.0, 1.0, np.nan])
    accuracy = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    same, turned = rank_changes(["same", "turned"], np.array([base, -base]), base, accuracy)
    assert (same.agreement.spearman, same.largest_move, same.first, same.last) == (pytest.approx(1), 0, 0, 3)
    assert (turned.agreement.spearman, turned.largest_move, turned.first) == (pytest.approx(-1), 3, 3)
    assert turned.accuracy.pearson == pytest.approx(-1)
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 9))
    (found,) = rank_changes(["x"], one[np.newaxis], other, np.full(9, np.nan))
    assert found.agreement.kendall == pytest.approx(stats.kendalltau(one, other).statistic)
    moved = np.abs(stats.rankdata(-one) - stats.rankdata(-other)).max()
    assert found.largest_move == moved
    (nobody,) = rank_changes(["none"], np.full((1, 9), np.nan), other, np.full(9, np.nan))
    assert (nobody.first, nobody.last, nobody.largest_move) == (-1, -1, 0)
