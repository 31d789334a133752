import math

import numpy as np
import pytest
from scipy.cluster import hierarchy

from consensus_onnx.analysis import (
    agreement_structure,
    cluster,
    family_likeness,
    mean_similarity,
    outliers,
)
from consensus_onnx.analysis.structure import pairwise
from consensus_onnx.consensus import similarity

SKILLS = np.array([0.9, 0.8, 0.5, 0.2])


def test_superpixels_by_cosine_of_magnitudes(make_committee):
    image = make_committee(SKILLS, 1).images[0]
    found = pairwise(image)
    for one in range(4):
        for other in range(4):
            expected = similarity(image.values[one], np.abs(image.values[other]), "cosine")
            assert found[one, other] == pytest.approx(expected, abs=1e-12)


def test_maps_by_correlation(make_committee):
    image = make_committee(SKILLS, 1, "pixel").images[0]
    np.testing.assert_allclose(pairwise(image), np.corrcoef(image.flat.astype(float)), atol=1e-12)


def test_means_over_images_and_images_by_agreement(make_committee):
    world = make_committee(SKILLS, 3, absent=((3, 1),))
    found = agreement_structure(world.images, 4)
    every = np.array([pairwise(image) for image in world.images])
    np.testing.assert_allclose(found.similarity, np.nanmean(every, axis=0))
    assert np.isnan(every[1, 3]).all()
    upper = np.triu_indices(4, 1)
    np.testing.assert_allclose(found.image_agreement, [np.nanmean(one[upper]) for one in every])
    np.testing.assert_allclose(
        mean_similarity(found.similarity)[0], np.mean([found.similarity[0, other] for other in (1, 2, 3)])
    )


def test_clusters_part_two_kinds():
    kinds = np.array([0, 1, 0, 1, 0, 1, 1])
    matrix = np.where(kinds[:, np.newaxis] == kinds, 0.9, 0.2) + 0.0
    np.fill_diagonal(matrix, 1.0)
    found = cluster(matrix)
    ordered = kinds[list(found.members)]
    assert np.count_nonzero(np.diff(ordered)) == 1
    flat = hierarchy.fcluster(found.linkage, 2, "maxclust")
    assert len({(kind, label) for kind, label in zip(kinds, flat, strict=True)}) == 2


def test_members_without_numbers_are_left_out_of_the_tree():
    matrix = np.full((4, 4), 0.5)
    matrix[2] = matrix[:, 2] = math.nan
    assert sorted(cluster(matrix).members) == [0, 1, 3]
    assert cluster(np.full((1, 1), 1.0)).members == ()
    assert cluster(np.full((3, 3), math.nan)).members == ()


def test_relatives_are_alike_where_they_are():
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(4), 5)
    noise = rng.normal(0, 0.05, (20, 20))
    matrix = 0.3 + 0.4 * (kinds[:, np.newaxis] == kinds) + (noise + noise.T) / 2
    names = [f"family{kind}" for kind in kinds]
    found = family_likeness(matrix, names, draws=999)
    assert found.within == pytest.approx(0.7, abs=0.03)
    assert found.between == pytest.approx(0.3, abs=0.03)
    assert found.p == pytest.approx(1 / 1000)


def test_the_permutation_test_is_uniform_where_nothing_is_there():
    rng = np.random.default_rng(1)
    names = ["a"] * 5 + ["b"] * 5 + ["", ""]
    values = []
    for _ in range(150):
        noise = rng.normal(size=(12, 12))
        values.append(family_likeness((noise + noise.T) / 2, names, draws=99).p)
    assert 0.01 <= np.mean(np.array(values) <= 0.05) <= 0.1
    assert np.mean(values) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("names", [["a"] * 4, ["a", "b", "c", "d"], ["", "", "", ""]])
def test_no_pairs_of_a_kind_no_p(names):
    assert math.isnan(family_likeness(np.full((4, 4), 0.5), names).p)


def test_outliers_are_far_below_the_rest():
    values = np.array([0.7, 0.71, 0.69, 0.72, math.nan, 0.1, 0.68, 0.3])
    assert outliers(values) == (5, 7)
    assert outliers(np.array([0.7, 0.71, 0.69, 0.72, 0.99])) == ()  # above is no outlier
    assert outliers(np.array([0.1, 0.9, 0.9])) == ()
    assert outliers(np.array([0.5, 0.5, 0.5, 0.5, 0.1])) == ()
