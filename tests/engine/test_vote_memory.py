"""Voting reads one image's explanations at a time: what it holds does not grow with the images of a run."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
from consensus_onnx.consensus import PIXEL_CONSENSUS, compare, to_scores
from consensus_onnx.engine import scoring
from drawn_runs import DrawnRun

SIDE = 64
MAP = SIDE * SIDE * 4  # bytes


@pytest.fixture(autouse=True)
def two_images_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "threads_per_worker", lambda workers: 2)


def peak(folder: Path, members: int, images: int) -> int:
    """Return the most bytes that were held at once while a drawn run was voted on."""
    run = DrawnRun(folder / f"{members}x{images}", members, images, SIDE).draw()
    with collected_soon():
        tracemalloc.start()
        run.vote()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found


@contextmanager
def collected_soon() -> Iterator[None]:
    """Let no garbage lie about, which nobody holds: how much would, depends on when the tests before were collected."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.collect()  # finds next to nothing, and the fewer objects it finds, the sooner Python collects all again
    gc.set_threshold(100, 2, 2)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def test_memory_grows_with_members_by_their_maps_and_with_images_by_less_than_one(tmp_path: Path) -> None:
    peak(tmp_path, 3, 2)  # what is imported and kept on first use
    few, more_images, more_members = (peak(tmp_path, *size) for size in ((3, 4), (3, 24), (12, 4)))
    assert more_images - few < 20 * MAP / 4  # receipts and numbers; a map, or a vote, of each would be 20 and 40
    assert more_members - few < 2 * 9 * SIDE**2 * scoring._BYTES_A_NUMBER  # two images in work


def test_a_stack_that_is_kept_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    stack = scoring._ImageScorer._stack
    monkeypatch.setattr(scoring._ImageScorer, "_stack", lambda *given: kept.append(stack(*given)) or kept[-1])
    with pytest.raises(AssertionError):
        test_memory_grows_with_members_by_their_maps_and_with_images_by_less_than_one(tmp_path)


def test_threads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = DrawnRun(tmp_path, 4, 6, SIDE, "uint8").draw()
    together = run.vote()
    votes = [together.consensus("smoothgrad", image) for image in range(6)]
    scores, precision = together.scores("smoothgrad"), together.mask_ap("smoothgrad")
    monkeypatch.setattr(scoring, "threads_per_worker", lambda workers: 1)
    alone = run.vote()
    assert alone.scores("smoothgrad").tobytes() == scores.tobytes()
    assert alone.mask_ap("smoothgrad").tobytes() == precision.tobytes()
    for image in range(6):
        assert alone.consensus("smoothgrad", image).tobytes() == votes[image].tobytes()


def test_every_image_has_its_own_scores(tmp_path: Path) -> None:
    run = DrawnRun(tmp_path, 3, 5, SIDE).draw().vote()
    sigma = run.settings["consensus"]["smoothgrad"]["sigma_used"]
    for image in range(5):
        maps = np.stack([run.values("smoothgrad", member, image) for member in range(3)])
        agreement = compare(maps, PIXEL_CONSENSUS)
        expected = to_scores(agreement.raw[:, np.newaxis], PIXEL_CONSENSUS, sigma)[:, 0]
        np.testing.assert_allclose(run.scores("smoothgrad")[:, image], expected, rtol=1e-12)
        assert run.mask_ap("smoothgrad")[0, image] == co.analysis.average_precision(run.mask(image), maps[0])


def test_what_breaks_in_a_thread_ends_the_audit(tmp_path: Path) -> None:
    run = DrawnRun(tmp_path, 3, 5, SIDE).draw()
    next(iter((tmp_path / "explanations.zarr/smoothgrad").rglob("values/c.3.0.0"))).unlink()
    with pytest.raises(co.StoreError, match=r"row 3, differ from their receipt"):
        run.vote()
