"""A run that keeps its maps small reads, scores, resumes and is verified like any other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
from consensus_onnx.consensus import PIXEL_CONSENSUS, compare, to_scores
from consensus_onnx.engine import map_coding
from consensus_onnx.engine.events import MemberStarted, UnitDone
from consensus_onnx.engine.verification import verify
from consensus_onnx.errors import StoreError
from worlds import COMPACT, SETTINGS, World, tree


def size_of_maps(run: co.Run) -> int:
    return sum(path.stat().st_size for path in (run.path / "explanations.zarr/smoothgrad").rglob("c.*"))


def test_maps_come_back_as_float32_and_near(finished: co.Run, compact: co.Run) -> None:
    for member in range(2):
        for image in range(4):
            exact, kept = (run.native_explanation("smoothgrad", member, image) for run in (finished, compact))
            assert kept.values.dtype == kept.error.standard_error.dtype == np.float32
            assert 0 < np.abs(kept.values - exact.values).max() < exact.values.max() / STEP_AT_THE_TOP
            known, told = exact.error.standard_error, kept.error.standard_error
            assert (np.abs(told - known) <= 0.2501 * known).all()
            assert kept.error.split_half == exact.error.split_half
    assert size_of_maps(compact) < size_of_maps(finished) / 3


STEP_AT_THE_TOP = 100  # even steps between roots are widest at the largest value, twice 1/100 of it; half one is lost


def test_scores_come_from_what_is_stored(compact: co.Run) -> None:
    sigma = compact.settings["consensus"]["smoothgrad"]["sigma_used"]
    for image in range(4):
        maps = np.stack([compact.values("smoothgrad", member, image) for member in range(2)])
        agreement = compare(maps, PIXEL_CONSENSUS)
        expected = to_scores(agreement.raw[:, np.newaxis], PIXEL_CONSENSUS, sigma)[:, 0]
        np.testing.assert_allclose(compact.scores("smoothgrad")[:, image], expected, rtol=1e-12)
        np.testing.assert_allclose(compact.consensus("smoothgrad", image), agreement.consensus, rtol=1e-6)


def test_superpixel_weights_are_kept_exactly(finished: co.Run, compact: co.Run) -> None:
    ours, theirs = tree(compact.path / "explanations.zarr/lime"), tree(finished.path / "explanations.zarr/lime")
    assert ours == theirs
    assert (compact.path / "scores.csv").read_text().split("\n")[1] != ""  # both explainers are scored


def test_a_second_audit_asks_nobody_and_changes_nothing(world: World, compact: co.Run, tmp_path: Path) -> None:
    shutil.copytree(compact.path, tmp_path / "run")
    before = tree(tmp_path / "run")
    _, events = world.audit(tmp_path / "run", settings=COMPACT)
    assert not [event for event in events if isinstance(event, MemberStarted | UnitDone)]
    assert tree(tmp_path / "run") == before


def test_a_run_that_keeps_maps_otherwise_is_refused(world: World, compact: co.Run, tmp_path: Path) -> None:
    shutil.copytree(compact.path, tmp_path / "run")
    with pytest.raises(StoreError, match=r"belongs to another audit: storage.maps is 'uint8' there, 'float32' now"):
        world.audit(tmp_path / "run")


def test_a_resumed_run_leaves_the_bytes_of_an_unbroken_one(world: World, compact: co.Run, tmp_path: Path) -> None:
    world.audit(tmp_path / "run", settings=COMPACT, limit=2)
    world.audit(tmp_path / "run", settings=COMPACT)
    ours, theirs = (tree(path / "explanations.zarr") for path in (tmp_path / "run", compact.path))
    assert ours == theirs


def test_a_wrong_decoder_is_caught(compact: co.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a later version meant other numbers by the same codes: receipts vouch for what the codes mean too."""
    monkeypatch.setattr(map_coding, "RATIO", 0.59)
    with pytest.raises(StoreError, match=r"stored standard_error of smoothgrad/.*, row 0, differ from their receipt"):
        compact.native_explanation("smoothgrad", 0, 0)
    found = verify(compact.path).findings
    assert len(found) == 2 * 4
    assert {finding.path.rpartition("/")[2] for finding in found} == {"standard_error"}


def test_half_precision_is_between(world: World, finished: co.Run, tmp_path: Path) -> None:
    half = replace(SETTINGS, storage=co.StorageSettings(maps="float16"))
    run, _ = world.audit(tmp_path / "run", settings=half, limit=1)
    exact, kept = (source.native_explanation("smoothgrad", 0, 0) for source in (finished, run))
    assert (np.abs(kept.values - exact.values) <= exact.values / 2048).all()
    assert verify(run.path).intact
