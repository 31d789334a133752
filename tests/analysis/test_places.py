"""A model's place among a committee."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import percentileofscore

from consensus_onnx.analysis import committee_place


def test_the_place_is_scipys() -> None:
    rng = np.random.default_rng(7)
    committee, own = rng.uniform(size=(9, 12)), rng.uniform(size=12)
    expected = percentileofscore(committee.mean(axis=1), own.mean(), kind="mean")
    found = committee_place(own, committee)
    assert found.percentile == pytest.approx(expected)
    assert found.low <= found.percentile <= found.high
    assert found.at_most <= found.high
    assert found.members == 9


def test_ties_count_half_and_all_draws_agree_on_them() -> None:
    row = np.random.default_rng(8).uniform(size=10)
    found = committee_place(row, np.stack([row, row + 1e-15, row - 0.5, row + 0.5]))
    assert (found.percentile, found.low, found.high) == (50.0, 50.0, 50.0)


def test_only_images_that_the_model_has_count() -> None:
    committee = np.array([[0.2, 0.9], [0.8, 0.1]])
    assert committee_place(np.array([0.5, np.nan]), committee).percentile == 50.0
    assert committee_place(np.array([np.nan, 0.95]), committee).percentile == 100.0


def test_nobody_to_compare_with_is_nan() -> None:
    assert np.isnan(committee_place(np.array([np.nan, np.nan]), np.ones((3, 2))).percentile)
    assert np.isnan(committee_place(np.ones(2), np.full((3, 2), np.nan)).percentile)
