"""An audit from end to end: what the run folder holds is what explainers, votes and scores say on their own."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import consensus_onnx as co
from consensus_onnx.engine.store import RunStore
from worlds import IMAGES, SETTINGS, World

COLUMNS = {
    "committee.csv": ["member", "family", "digest", "status", "reason"],
    "scores.csv": ["member", "explainer", "score", "ci_low", "ci_high", "leave_one_out", "mask_ap", "images"],
    "images.csv": ["image", "row", "label", "split", "mask", "segments", "committee_prediction"],
    "per_image.csv": ["member", "explainer", "image", "target", "predicted"],
}


def test_the_run_folder_holds_what_it_promises(finished: co.Run) -> None:
    for name, columns in COLUMNS.items():
        with (finished.path / name).open(newline="", encoding="utf-8") as file:
            assert next(csv.reader(file))[: len(columns)] == columns
    assert {member.status for member in finished.members} == {"ok"}
    assert [image.mask for image in finished.images] == [True] * IMAGES


def test_explanations_are_those_of_a_direct_call(finished: co.Run, world: World) -> None:
    committee = co.load_committee(world.models)
    for explainer in (SETTINGS.lime, SETTINGS.smoothgrad):
        direct = explainer.explain(committee[1], finished.canvas(2), target="predicted", seed=0)
        stored = finished.explanation(explainer.name, 1, 2)
        assert stored.values.tobytes() == direct.values.tobytes()
        assert stored.error.standard_error.tobytes() == direct.error.standard_error.tobytes()
        assert (stored.target, stored.predicted) == (direct.target, direct.predicted)


def test_votes_and_scores_are_those_of_the_formulas(finished: co.Run) -> None:
    for image in range(IMAGES):
        lime = [finished.explanation("lime", member, image) for member in range(2)]
        consensus = co.vote(lime, "lime_paper")
        np.testing.assert_allclose(finished.consensus("lime", image), consensus, rtol=1e-12)
        maps = [finished.explanation("smoothgrad", member, image) for member in range(2)]
        pixels = co.vote(maps, "minmax_mean")
        np.testing.assert_allclose(finished.consensus("smoothgrad", image), pixels, rtol=1e-6)
        sigma = finished.settings["consensus"]["smoothgrad"]["sigma_used"]
        for member in range(2):
            cosine = co.similarity(lime[member], consensus, "cosine", form="absolute")
            assert finished.scores("lime")[member, image] == pytest.approx(cosine, abs=1e-12)
            rbf = co.similarity(maps[member], pixels, "rbf", sigma=sigma)
            assert finished.scores("smoothgrad")[member, image] == pytest.approx(rbf, abs=1e-9)
            other = co.vote([lime[1 - member]], "lime_paper")
            alone = co.similarity(lime[member], other, "cosine", form="absolute")
            assert finished.leave_one_out("lime")[member, image] == pytest.approx(alone, abs=1e-12)


def test_mask_precision_is_scikit_learns(finished: co.Run) -> None:
    mask = finished.mask(1)
    assert mask is not None
    painted = finished.explanation("lime", 0, 1).on_canvas()
    expected = average_precision_score(mask.ravel(), painted.ravel())
    assert finished.mask_ap("lime")[0, 1] == pytest.approx(expected, abs=1e-12)


def test_tables_and_arrays_agree(finished: co.Run) -> None:
    rows = {(row.member, row.explainer): row for row in finished.score_rows}
    for index, member in enumerate(finished.members):
        for explainer in finished.explainers:
            row = rows[member.name, explainer]
            assert row.score == pytest.approx(finished.scores(explainer)[index].mean(), abs=1e-12)
            assert row.ci_low <= row.score <= row.ci_high
            assert row.images == IMAGES
    assert len(finished.per_image_rows) == 2 * 2 * IMAGES


@pytest.mark.parametrize(("target", "expected"), [("label", None), (3, 3)])
def test_the_target_policy_decides_what_is_explained(
    target: str | int, expected: int | None, world: World, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, target=target, explainers=("lime",))
    run, _ = world.audit(tmp_path / "run", limit=2, settings=settings)
    for row in run.per_image_rows:
        assert row.target == (run.images[run.image_index(row.image)].label if expected is None else expected)


def test_majority_is_the_class_most_members_predict(world: World, tmp_path: Path) -> None:
    run, _ = world.audit(tmp_path / "run", limit=3, settings=replace(SETTINGS, target="majority", explainers=("lime",)))
    for image in range(3):
        rows = [row for row in run.per_image_rows if row.image == run.images[image].name]
        assert len({row.target for row in rows}) == 1
        predicted = {row.predicted for row in rows}
        mean = np.mean([run.probabilities(member, image) for member in range(2)], axis=0)
        assert rows[0].target == max(predicted, key=lambda index: mean[index])


def test_values_alone_are_those_of_the_explanation(finished: co.Run) -> None:
    for explainer in finished.explainers:
        values = finished.values(explainer, 0, 1)
        assert values.tobytes() == finished.explanation(explainer, 0, 1).values.tobytes()
        assert values.shape == finished.explanation(explainer, 0, 1).values.shape
    with pytest.raises(KeyError, match="no image named 'nowhere'"):
        finished.values("lime", 0, "nowhere")


def test_a_store_that_has_read_sees_rows_that_come_later(tmp_path: Path) -> None:
    store, maps = RunStore(tmp_path), np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    for index, values in enumerate(maps):
        arrays = {"values": values, "standard_error": values / 2}
        store.commit_explanation("smoothgrad", "ab" * 32, index, {}, arrays)
        receipt = store.explanation_receipts("smoothgrad", "ab" * 32)[index]
        found = store.explanation_array("smoothgrad", "ab" * 32, index, "values", receipt)
        assert np.array_equal(found, values)
