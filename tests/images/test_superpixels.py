from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from skimage.measure import label as connected
from skimage.segmentation import quickshift, slic

from consensus_onnx.config import build_settings
from consensus_onnx.images import Superpixels, canvas_of, load_canvas

METHODS = ("quickshift", "slic", "felzenszwalb", "grid")
PAPER, LIME = (build_settings(Superpixels, {"preset": name}, source="test") for name in ("paper", "lime"))


@pytest.fixture(scope="module")
def cat() -> np.ndarray:
    return canvas_of(data.chelsea())


def blobs(side: int, colours: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (colours, 3), dtype=np.uint8)
    return np.kron(palette[rng.integers(0, colours, (side, side))], np.ones((8, 8, 1), np.uint8))


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(METHODS), st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**32))
def test_labels_are_contiguous_and_all_used(method: Any, side: int, colours: int, seed: int) -> None:
    canvas = blobs(side, colours, seed)
    labels = Superpixels(method, segments=9, min_size=5).segment(canvas)
    assert labels.dtype == np.int32
    assert labels.shape == canvas.shape[:2]
    assert labels.flags.c_contiguous
    np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 2, 17])
def test_one_colour_and_tiny_pictures_are_divided_or_left_whole(method: Any, size: int) -> None:
    labels = Superpixels(method).segment(np.full((size, size, 3), 77, np.uint8))
    np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))


def test_the_presets_are_the_parameters_of_the_two_implementations(cat: np.ndarray) -> None:
    # InterpretDL gives sigma and leaves the rest at scikit-image's defaults; lime gives the other three.
    assert Superpixels() == PAPER
    assert Superpixels(**Superpixels.PRESETS["lime"]) == LIME  # type: ignore[arg-type]
    np.testing.assert_array_equal(PAPER.segment(cat), quickshift(cat, sigma=1))
    np.testing.assert_array_equal(LIME.segment(cat), quickshift(cat, kernel_size=4, max_dist=200, ratio=0.2, rng=42))


def test_no_superpixel_of_slic_is_lost(cat: np.ndarray) -> None:
    from_one = slic(cat, n_segments=50, compactness=10, sigma=1, start_label=1)
    labels = Superpixels("slic", segments=50).segment(cat)
    assert from_one.min() == 1
    assert labels.min() == 0
    assert labels.max() + 1 == len(np.unique(from_one))


def test_a_grid_has_equal_cells() -> None:
    labels = Superpixels("grid", segments=9).segment(np.zeros((9, 12, 3), np.uint8))
    np.testing.assert_array_equal(labels, np.kron(np.arange(9).reshape(3, 3), np.ones((3, 4), int)))
    uneven = Superpixels("grid", segments=4).segment(np.zeros((5, 5, 3), np.uint8))
    assert sorted(np.bincount(uneven.ravel())) == [4, 6, 6, 9]


def test_quickshift_joins_neighbours_only(cat: np.ndarray) -> None:
    labels = PAPER.segment(cat)
    pieces = connected(labels + 1, connectivity=2)
    assert pieces.max() <= 1.2 * (labels.max() + 1)


def test_the_same_canvas_gives_the_same_superpixels_in_any_process(cat: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "cat.npy", cat)
    code = (
        "import sys, numpy as np; from consensus_onnx.images import Superpixels; np.random.seed(1);"
        "np.save(sys.argv[2], Superpixels().segment(np.load(sys.argv[1])))"
    )
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "cat.npy", tmp_path / "labels.npy"],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    np.random.seed(2)  # noqa: NPY002 - shows that the global generator plays no part
    np.testing.assert_array_equal(PAPER.segment(cat), np.load(tmp_path / "labels.npy"))


def test_settings_that_the_method_does_not_read_are_not_parameters() -> None:
    assert Superpixels("grid", segments=9).parameters == {"method": "grid", "segments": 9}
    assert Superpixels("grid", sigma=3).parameters == Superpixels("grid").parameters
    assert PAPER.parameters == {
        "method": "quickshift",
        "sigma": 1.0,
        "ratio": 1.0,
        "kernel_size": 5.0,
        "max_dist": 10.0,
    }
    assert "compactness" in Superpixels("slic").parameters
    assert "min_size" in Superpixels("felzenszwalb").parameters


@pytest.mark.parametrize("method", METHODS)
def test_every_parameter_changes_the_result_and_no_other_does(method: Any, cat: np.ndarray) -> None:
    small = np.ascontiguousarray(cat[::3, ::3])
    other = {
        "sigma": 2.0, "ratio": 0.1, "kernel_size": 2.0, "max_dist": 3.0, "segments": 16,
        "compactness": 0.1, "scale": 5.0, "min_size": 400,
    }  # fmt: skip
    base = Superpixels(method)
    labels = base.segment(small)
    for name, value in other.items():
        changed = Superpixels(method, **{name: value}).segment(small)  # type: ignore[arg-type]
        assert np.array_equal(labels, changed) == (name not in base.parameters), name


def test_bad_settings_and_canvases_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"Superpixels\.method: must be one of 'quickshift', .*; did you mean 'quickshift'\?"
    ):
        Superpixels("quikshift")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Superpixels\.kernel_size: must be >= 1 and <= 100, got 0"):
        Superpixels(kernel_size=0)
    with pytest.raises(ValueError, match="canvas: expected dtype uint8, got float64"):
        Superpixels().segment(np.zeros((4, 4, 3)))


# Counts at 256/224 with scikit-image 0.26, on pictures that come with it.
@pytest.mark.parametrize(
    ("name", "paper", "lime"), [("chelsea", 72, 32), ("coffee", 76, 29), ("astronaut", 157, 30), ("rocket", 54, 33)]
)
@pytest.mark.skipif(not skimage.__version__.startswith("0.26."), reason="counts are pinned for scikit-image 0.26")
def test_counts_are_those_pinned(name: str, paper: int, lime: int) -> None:
    canvas = canvas_of(getattr(data, name)())
    assert PAPER.segment(canvas).max() + 1 == paper
    assert LIME.segment(canvas).max() + 1 == lime


@pytest.mark.real
@pytest.mark.skipif(not skimage.__version__.startswith("0.26."), reason="counts are pinned for scikit-image 0.26")
def test_counts_of_real_pictures_are_those_pinned(real_data: Path) -> None:
    pinned = {
        "imagenet/images/ILSVRC2012_val_00000355.JPEG": (84, 40),
        "imagenet/images/ILSVRC2012_val_00000657.JPEG": (85, 35),
        "segmented/images/coco_train2017_000000000009.jpg": (198, 32),
    }
    for name, counts in pinned.items():
        canvas = load_canvas(real_data / name)
        assert (PAPER.segment(canvas).max() + 1, LIME.segment(canvas).max() + 1) == counts
