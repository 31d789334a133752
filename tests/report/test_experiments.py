from __future__ import annotations

import numpy as np
import pytest

from consensus_onnx.analysis import correlate
from consensus_onnx.report.evidence import StoredEvidence
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.finding_objects import MEASURES


@pytest.fixture(scope="module")
def experiments(run) -> Experiments:
    return Experiments(run)


def test_evidence_is_what_the_run_stores(run):
    stored = StoredEvidence(run, "smoothgrad")
    assert (len(stored), stored.grid, stored.members.tolist()) == (4, 28, [True, True, True, False, True, True, False])
    for number, image in enumerate(stored):
        assert image.present.tolist() == stored.members.tolist()
        np.testing.assert_array_equal(image.values[0], run.explanation("smoothgrad", "alpha", number).values)
        np.testing.assert_array_equal(image.canvas, run.canvas(number))
        np.testing.assert_array_equal(image.mask, run.mask(number))
    assert stored.image(0) is stored.image(0)


def test_evidence_beyond_the_budget_is_read_anew(run, monkeypatch):
    monkeypatch.setattr("consensus_onnx.report.evidence._KEPT_BYTES", 0)
    stored = StoredEvidence(run, "lime")
    assert stored.image(0) is not stored.image(0)
    np.testing.assert_array_equal(stored.image(0).values, StoredEvidence(run, "lime").image(0).values)


def test_maps_come_on_any_grid_from_their_own_size(run):
    fine = StoredEvidence(run, "smoothgrad", grid=56)
    assert fine.image(0).values.shape == (7, 56, 56)
    assert fine.sigma == StoredEvidence(run, "smoothgrad").sigma


@pytest.mark.parametrize("explainer", ["lime", "smoothgrad"])
def test_the_first_row_of_sensitivity_is_the_audit(experiments, explainer):
    first = experiments.sensitivity(explainer)[0]
    np.testing.assert_allclose(first.scores, experiments.scores(explainer), rtol=1e-9)
    assert first.agreement.pearson == pytest.approx(1.0)
    others = {change.name: change for change in experiments.sensitivity(explainer)}
    rows = {row.member: row.leave_one_out for row in experiments.run.score_rows if row.explainer == explainer}
    expected = [rows[member.name] for member in experiments.run.members]
    np.testing.assert_allclose(others["leave-one-out"].scores, expected, rtol=1e-9)


def test_against_accuracy_is_the_plain_correlation(experiments, run):
    found = experiments.against_accuracy("lime").over_members
    expected = correlate(experiments.accuracy, experiments.scores("lime"))
    assert found.pearson == pytest.approx(expected.pearson)
    assert found.n == 6


@pytest.mark.parametrize("explainer", ["lime", "smoothgrad"])
def test_objects_agree_with_the_runs_own_precision(experiments, run, explainer):
    found = experiments.objects(explainer)
    place = MEASURES.index("average_precision")
    assert found.images == 4
    assert found.consensus[place] == pytest.approx(np.nanmean(run.consensus_ap(explainer)), rel=1e-5)
    precision = run.mask_ap(explainer)
    for member in np.flatnonzero(np.isfinite(precision).any(axis=1)):
        assert found.members[member, place] == pytest.approx(np.nanmean(precision[member]), rel=1e-5)
    best = MEASURES.index("box_iou")
    assert found.members[0, best] > found.members[5, best]  # alpha sees the disc, zeta nothing


def test_ensemble_counts_all_that_predicted(experiments):
    found = experiments.ensemble
    assert found.images == 4
    assert found.members.size == 6  # the broken one is out, the one without SmoothGrad is in
    measured = [m.accuracy_measured for m in experiments.run.members if m.accuracy_measured is not None]
    assert found.members.tolist() == pytest.approx(measured)


def test_simple_properties_are_known_for_members_with_explanations(experiments):
    lime, maps = experiments.simple_properties("lime"), experiments.simple_properties("smoothgrad")
    assert "size of its weights" in lime
    assert "brightness" in maps
    assert maps["input size"][:3].tolist() == [56, 56, 28]
    assert np.isnan(maps["brightness"][3])
    assert np.isnan(lime["sparsity"][6])


def test_results_are_computed_once(experiments):
    assert experiments.structure("lime") is experiments.structure("lime")


def test_few_members_have_no_committees(make_run, fakes):
    small = Experiments(make_run(fakes[:2], explainers=["lime"]))
    assert small.convergence("lime") is None
    assert small.cross_committee("lime") is None
    assert small.by_family("lime") == ()


def test_at_most_so_many_images_are_opened(run):
    assert len(Experiments(run, most_images=2).images) == 2
    assert Experiments(run, most_images=99).images == [0, 1, 2, 3]
