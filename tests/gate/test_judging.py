"""Conditions fail beyond limit, doubt and noise, and not before: simulated models that move by a known amount."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from consensus_onnx.arrays import Float64Array
from consensus_onnx.gate.evidence import Evidence, Explained, Noise
from consensus_onnx.gate.judging import (
    accuracy_check,
    agreement_check,
    place_check,
    precision_check,
    score_check,
    similarity_check,
)
from consensus_onnx.gate.settings import GateSettings
from gated import Gated

SETTINGS = GateSettings()
COUNT = 24
TRIALS = 300


def explained(scores: Float64Array, mask_ap: Float64Array | None = None) -> Explained:
    nothing = np.full(len(scores), np.nan)
    classes = np.zeros(len(scores), np.int64)
    precisions = nothing if mask_ap is None else mask_ap
    return Explained((None,) * len(scores), scores, precisions, nothing, classes, classes)


def evidence(gated: Gated, rng: np.random.Generator, drop: float, spread: float, noise: float = 0.02) -> Evidence:
    """A reference, a candidate whose scores lie lower by a drop on average, and 8 reruns of the reference."""
    truth = rng.uniform(0.5, 0.9, COUNT)
    reference = truth + noise * rng.standard_normal(COUNT)
    candidate = truth - drop + spread * rng.standard_normal(COUNT)
    reruns = truth + noise * rng.standard_normal((8, COUNT))
    similarities = 0.98 - np.abs(noise * rng.standard_normal((8, COUNT)))
    return Evidence(
        gated.baseline.explainers[0],
        explained(candidate, candidate),
        explained(reference, reference),
        Noise("measured", reruns, similarities, reruns),
        similarities[0],
        rng.uniform(0.4, 0.9, (20, COUNT)),
    )


def share_failing(gated: Gated, drop: float, **how: Any) -> float:
    drawn = (evidence(gated, np.random.default_rng((9, trial)), drop, **how) for trial in range(TRIALS))
    found = [score_check(one, SETTINGS) for one in drawn]
    return float(np.mean([check is not None and check.status == "failed" for check in found]))


def test_an_unchanged_model_never_fails_for_its_noise(gated: Gated) -> None:
    assert share_failing(gated, 0.0, spread=0.02) == 0.0
    assert share_failing(gated, 0.0, spread=0.15) <= 0.05  # reruns that move five times what is said


def test_at_the_limit_false_alarms_are_as_rare_as_said(gated: Gated) -> None:
    assert share_failing(gated, 0.03, spread=0.06) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / TRIALS)


def test_the_smallest_detectable_drop_is_detected(gated: Gated) -> None:
    """By the spread of each simulated model, which is a guess from 24 pictures, so on average over some of them."""
    rng = np.random.default_rng(1)
    told = [score_check(evidence(gated, rng, 0.1, 0.05), SETTINGS) for _ in range(20)]
    detectable = float(np.mean([check.detectable for check in told if check is not None]))
    assert share_failing(gated, detectable, spread=0.05) == pytest.approx(0.8, abs=0.1)
    assert share_failing(gated, 2 * detectable, spread=0.05) == 1.0
    assert all(check is not None and (check.images_for_half or 0) > COUNT for check in told)


def test_a_drop_within_the_noise_is_none(gated: Gated) -> None:
    found = evidence(gated, np.random.default_rng(2), 0.06, 0.01)
    assert found.noise is not None
    assert found.reference is not None
    check = score_check(found, SETTINGS)
    assert check is not None
    assert check.status == "failed"
    noisy = replace(found, noise=replace(found.noise, scores=found.reference.scores - 0.1 + 0 * found.noise.scores))
    check = score_check(noisy, SETTINGS)
    assert check is not None
    assert (check.status, round(check.noise, 3)) == ("passed", 0.1)
    assert "limit 0.03, reruns of the unchanged model 0.100" in check.text


def test_similarity_is_held_to_the_lower_of_limit_and_noise(gated: Gated) -> None:
    found = evidence(gated, np.random.default_rng(3), 0.0, 0.01)
    low = replace(found, similarities=np.full(COUNT, 0.90))
    check = similarity_check(low, SETTINGS)
    assert check is not None
    assert check.status == "failed"
    assert found.noise is not None
    noisy = replace(low, noise=replace(found.noise, similarities=np.full((8, COUNT), 0.85)))
    check = similarity_check(noisy, SETTINGS)
    assert check is not None
    assert check.status == "passed"


def test_precision_is_judged_only_where_there_are_masks(gated: Gated) -> None:
    found = evidence(gated, np.random.default_rng(4), 0.3, 0.01)
    check = precision_check(found, SETTINGS)
    assert check is not None
    assert check.status == "failed"
    assert found.reference is not None
    blind = replace(found, reference=replace(found.reference, mask_ap=np.full(COUNT, np.nan)))
    assert precision_check(blind, SETTINGS) is None


def test_few_other_predictions_are_no_proof(gated: Gated) -> None:
    same = np.zeros(COUNT, np.int64)
    for others, status in ((0, "passed"), (2, "passed"), (3, "failed")):
        candidate = same.copy()
        candidate[:others] = 1
        check = agreement_check(candidate, same, SETTINGS)
        assert check is not None
        assert check.status == status
        assert "fails from 3 other answers on" in check.text
    few = agreement_check(same[:2], same[:2], replace(SETTINGS, min_prediction_agreement=0.2))
    assert few is not None
    assert "too few to fail" in few.text


def test_accuracy_needs_labels_and_a_reference(gated: Gated) -> None:
    labels = np.arange(COUNT)
    assert accuracy_check(labels, None, labels, SETTINGS) is None
    assert accuracy_check(labels, labels, np.full(COUNT, -1), SETTINGS) is None
    worse = np.where(labels < 12, -1 + 0 * labels, labels)
    found = accuracy_check(np.where(worse < 0, 99, worse), labels, labels, SETTINGS)
    assert found is not None
    assert (found.status, found.measured) == ("failed", 0.5)


def test_a_low_place_is_not_held_against_an_export_of_a_low_reference(gated: Gated) -> None:
    found = evidence(gated, np.random.default_rng(5), 0.0, 0.01)
    low = np.full(COUNT, 0.1)
    lost = replace(found, candidate=explained(low))
    check = place_check(lost, SETTINGS)
    assert check is not None
    assert check.status == "failed"
    assert found.noise is not None
    noisy = replace(lost, noise=replace(found.noise, scores=np.full((8, COUNT), 0.05)))
    check = place_check(noisy, SETTINGS)
    assert check is not None
    assert (check.status, check.noise) == ("passed", 0.0)
    inherited = replace(lost, reference=explained(low + 0.01))
    check = place_check(inherited, SETTINGS)
    assert check is not None
    assert check.status == "passed"
    assert "the reference is below 10, too" in check.text
    assert place_check(lost, replace(SETTINGS, min_score_percentile=None)) is None
    alone = replace(found, committee=np.zeros((0, COUNT)))
    assert place_check(alone, SETTINGS) is None
    unplaced = place_check(replace(alone, reference=None), SETTINGS)
    assert unplaced is not None
    assert unplaced.status == "unjudged"


def test_the_consensus_of_one_is_no_consensus(gated: Gated) -> None:
    found = evidence(gated, np.random.default_rng(7), 0.5, 0.01)
    entry = replace(found.frozen, scores=found.frozen.scores[:1])
    assert score_check(replace(found, frozen=entry), SETTINGS) is None


def test_one_picture_proves_nothing(gated: Gated) -> None:
    found = evidence(gated, np.random.default_rng(6), 0.5, 0.01)
    single = np.full(COUNT, np.nan)
    single[0] = 0.1
    check = score_check(replace(found, candidate=explained(single)), SETTINGS)
    assert check is not None
    assert check.status == "unjudged"
    assert "cannot be judged (too few pictures)" in check.text
