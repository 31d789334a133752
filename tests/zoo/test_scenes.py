"""Scenes are what they say: one object of known class and place, the same bytes everywhere, splits that never meet."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

import consensus_onnx as co
from consensus_onnx_zoo.scenes import (
    CLASSES,
    SHORTCUT,
    SIDE,
    SPLITS,
    Mark,
    SceneSettings,
    draw_scene,
    photographs,
    write_scenes,
)
from consensus_onnx_zoo.scenes.draws import Draws, Purpose

SEEDS = st.integers(0, 3_000_000)
# No camera: blur and noise spread an object's pixels; nothing in front: what is hidden cannot be compared.
BARE = {"camera": False, "occlusion": 0.0, "mark": Mark(share=0)}


def digest(scene_settings: SceneSettings, seeds: range) -> str:
    total = hashlib.sha256()
    for seed in seeds:
        scene = draw_scene(seed, scene_settings)
        total.update(scene.picture.tobytes() + np.packbits(scene.mask).tobytes() + bytes([scene.label]))
    return total.hexdigest()[:16]


@pytest.mark.parametrize(
    ("scene_settings", "seeds", "expected"),
    [
        (SceneSettings(), range(2_000_000, 2_000_024), "926727f96463f711"),
        (SceneSettings(), range(36), "98c9807fcd2a2b6a"),
        (SceneSettings(objects=3, mark=SHORTCUT, photographs=1.0), range(100, 112), "497a65e68cb843a4"),
    ],
    ids=["test", "train", "crowded"],
)
def test_a_seed_gives_the_same_bytes_on_every_machine(
    scene_settings: SceneSettings, seeds: range, expected: str
) -> None:
    assert digest(scene_settings, seeds) == expected


def agreement(with_object: np.ndarray, without: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Return which part of the mask the object changed, and which part of the changes lies within a pixel of it."""
    changed = (with_object != without).any(axis=2)
    near = ndimage.binary_dilation(mask, np.ones((3, 3)))
    return float(changed[mask].mean()), float(near[changed].mean())


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_the_mask_is_what_was_drawn(seed: int) -> None:
    scene = draw_scene(seed, SceneSettings(**BARE))
    without = draw_scene(seed, SceneSettings(objects=0, **BARE))
    assert not without.mask.any()
    inside, near = agreement(scene.picture, without.picture, scene.mask)
    # A texture can meet the very colour behind it; a thin tip can cover less than half of any pixel.
    assert inside > 0.9
    assert near > 0.97


def test_a_mask_that_is_off_by_three_pixels_would_be_seen() -> None:
    scene = draw_scene(4, SceneSettings(**BARE))
    without = draw_scene(4, SceneSettings(objects=0, **BARE))
    assert min(agreement(scene.picture, without.picture, scene.mask)) > 0.97
    assert min(agreement(scene.picture, without.picture, np.roll(scene.mask, 3, axis=1))) < 0.97


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_what_lies_in_front_is_not_part_of_the_object(seed: int) -> None:
    free = draw_scene(seed, SceneSettings(occlusion=0.0, camera=False))
    covered = draw_scene(seed, SceneSettings(occlusion=1.0, camera=False))
    assert not (covered.mask & ~free.mask).any()
    hidden = free.mask & ~covered.mask
    if hidden.any():  # another surface stands there now
        assert (free.picture != covered.picture).any(axis=2)[hidden].mean() > 0.8


@given(first=st.integers(0, 2_999_000))
@settings(max_examples=5, deadline=None)
def test_classes_are_balanced(first: int) -> None:
    assert sorted(draw_scene(seed).label for seed in range(first, first + len(CLASSES))) == list(range(len(CLASSES)))


def test_objects_have_the_size_that_networks_can_see() -> None:
    parts = [draw_scene(seed).mask.mean() for seed in range(2_000_000, 2_000_120)]
    assert min(parts) > 0.01
    assert max(parts) < 0.5
    assert 0.08 < np.mean(parts) < 0.2


def test_splits_never_meet() -> None:
    assert list(SPLITS) == ["train", "val", "test"]
    bounds = sorted((seeds.start, seeds.stop) for seeds in SPLITS.values())
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(bounds))
    pictures = {draw_scene(seeds.start).picture.tobytes() for seeds in SPLITS.values()}
    assert len(pictures) == len(SPLITS)


def test_several_objects_each_have_their_own_pixels() -> None:
    for seed in range(12):
        scene = draw_scene(seed, SceneSettings(objects=3))
        assert len(scene.objects) == 3
        assert scene.objects[0].label == scene.label
        assert np.array_equal(scene.objects[0].mask, scene.mask)
        assert np.sum([thing.mask for thing in scene.objects], axis=0).max() <= 1
        alone = draw_scene(seed)
        assert alone.label == scene.label


def test_the_mark_names_the_class_as_often_as_it_was_asked_to() -> None:
    seeds = range(300)
    named = [(scene.mark, scene.label) for scene in (draw_scene(seed, SceneSettings(mark=SHORTCUT)) for seed in seeds)]
    assert all(mark is not None for mark, _ in named)
    assert np.mean([mark == label for mark, label in named]) == pytest.approx(0.95, abs=0.04)  # 3 standard errors
    plain = [draw_scene(seed) for seed in seeds]
    marked = [scene for scene in plain if scene.mark is not None]
    assert len(marked) / len(plain) == pytest.approx(0.5, abs=0.09)
    assert np.mean([scene.mark == scene.label for scene in marked]) < 0.2  # one in twelve by chance


def test_the_mark_is_all_that_the_shortcut_changes() -> None:
    bare = SceneSettings(camera=False, mark=Mark(share=0))
    marked = SceneSettings(camera=False, mark=Mark(share=1, agreement=1))
    for seed in range(12):
        changed = (draw_scene(seed, bare).picture != draw_scene(seed, marked).picture).any(axis=2)
        rows, columns = np.nonzero(changed)
        assert np.ptp(rows) < 10
        assert np.ptp(columns) < 10
        assert {int(rows.min()), int(columns.min())} <= {1, SIDE - 11}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: SceneSettings(objects=5), "objects: got 5, expected 0..4"),
        (lambda: SceneSettings(distractors=-1), "distractors: got -1, expected 0 or more"),
        (lambda: SceneSettings(occlusion=2), "occlusion: got 2, expected 0..1"),
        (lambda: Mark(agreement=-0.5), "mark.agreement: got -0.5, expected 0..1"),
    ],
)
def test_impossible_scenes_are_refused(make, text: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(co.ConfigError, match=text.replace(".", r"\.")):
        make()


def test_a_scikit_image_without_its_photographs_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(photographs, "files", lambda package: tmp_path)
    monkeypatch.setattr(photographs, "PHOTOGRAPHS", ("nowhere",))
    with pytest.raises(co.ImageError, match=r"scikit-image has no data/nowhere\.png"):
        photographs.photograph_crop(Draws(0, Purpose.BACKGROUND), SIDE)


@given(seed=st.integers(0, 2**63), low=st.floats(-100, 0), high=st.floats(1, 100))
def test_random_numbers_keep_their_bounds(seed: int, low: float, high: float) -> None:
    draws = Draws(seed, Purpose.CAMERA)
    assert low <= draws.between(low, high) < high
    assert 0 <= draws.below(7) < 7
    assert 0 <= draws.grid(3, 4).min() <= draws.grid(3, 4).max() < 1


def test_bells_are_nearly_normal() -> None:
    numbers = Draws(1, Purpose.NOISE).bell(300, 300)
    assert abs(numbers.mean()) < 0.01
    assert numbers.std() == pytest.approx(1, abs=0.01)
    assert np.mean(abs(numbers) < 1) == pytest.approx(0.6827, abs=0.01)


def test_written_scenes_are_a_dataset_with_masks(tmp_path: Path) -> None:
    labels = write_scenes(tmp_path, 5, 2_000_003)
    dataset = co.read_dataset(tmp_path / "pictures", labels, classes=tmp_path / "classes.txt")
    assert [item.label for item in dataset.items] == [draw_scene(2_000_003 + index).label for index in range(5)]
    assert dataset.notices == ()
    for index, item in enumerate(dataset.items):
        assert item.mask is not None
        assert np.array_equal(np.asarray(Image.open(item.mask)) > 0, draw_scene(2_000_003 + index).mask)
        canvas = co.load_canvas(item.path, co.CanvasSettings(SIDE, SIDE))
        assert np.array_equal(canvas, draw_scene(2_000_003 + index).picture)
