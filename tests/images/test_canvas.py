from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from consensus_onnx.errors import ImageError
from consensus_onnx.images import CanvasSettings, canvas_digest, canvas_of, load_canvas, load_mask, load_picture


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def resized_by_hand(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Triangle filter in float64, stretched when shrinking: the definition of antialiased bilinear."""

    def weights(source: int, target: int) -> np.ndarray:
        scale = source / target
        support = max(scale, 1.0)
        centres = (np.arange(target) + 0.5) * scale
        distance = np.abs(np.arange(source)[None, :] + 0.5 - centres[:, None]) / support
        matrix = np.clip(1 - distance, 0, None)
        return matrix / matrix.sum(axis=1, keepdims=True)

    rows, columns = weights(values.shape[0], height), weights(values.shape[1], width)
    return np.einsum("ah,hwc,bw->abc", rows, values.astype(np.float64), columns)


@pytest.mark.parametrize(("height", "width"), [(40, 60), (60, 40), (17, 23), (300, 32), (32, 32)])
def test_the_canvas_is_the_shorter_side_resized_and_the_centre_cropped(height: int, width: int) -> None:
    geometry = CanvasSettings(resize=32, crop=24)
    values = picture(height, width)
    canvas = canvas_of(values, geometry)
    assert canvas.shape == (24, 24, 3)
    assert canvas.dtype == np.uint8
    assert canvas.flags.c_contiguous
    shorter = min(height, width)
    full = resized_by_hand(values, 32 * height // shorter, 32 * width // shorter)
    top, left = round((full.shape[0] - 24) / 2), round((full.shape[1] - 24) / 2)
    # Pillow rounds to 8 bit after each of its two passes.
    np.testing.assert_allclose(canvas, full[top : top + 24, left : left + 24], atol=1.01)


def test_a_picture_of_the_right_size_is_not_resampled() -> None:
    values = picture(227, 227)
    canvas = canvas_of(values, CanvasSettings(resize=227, crop=224))
    np.testing.assert_array_equal(canvas, values[2:226, 2:226])  # 1.5 rounds half to even: 2
    np.testing.assert_array_equal(canvas_of(values, CanvasSettings(resize=None, crop=227)), values)


def test_without_resizing_only_the_centre_is_cut() -> None:
    values = picture(30, 51)
    canvas = canvas_of(values, CanvasSettings(resize=None, crop=20))
    np.testing.assert_array_equal(canvas, values[5:25, 16:36])  # 15.5 rounds half to even: 16


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(1, 40))
def test_every_canvas_has_the_size_asked_for(height: int, width: int, resize: int, crop: int) -> None:
    geometry = CanvasSettings(resize=resize, crop=min(crop, resize))
    assert canvas_of(picture(height, width), geometry).shape == (geometry.crop, geometry.crop, 3)


def test_the_default_geometry_is_256_and_224(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", picture(300, 400))
    np.testing.assert_array_equal(load_canvas(path), load_canvas(path, CanvasSettings(resize=256, crop=224)))
    assert load_canvas(path).shape == (224, 224, 3)


def test_pictures_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    small = save(tmp_path / "small.png", picture(10, 30))
    with pytest.raises(
        ImageError, match=r"small\.png: the picture is 30 x 10, smaller than canvas\.crop \(20\); set canvas"
    ):
        load_canvas(small, CanvasSettings(resize=None, crop=20))
    thin = save(tmp_path / "thin.png", picture(1, 9000))
    with pytest.raises(
        ImageError, match=r"thin\.png: the picture is 9000 x 1: too elongated to resize its shorter side to 256"
    ):
        load_canvas(thin)


def test_arrays_that_are_no_pictures_are_argument_errors() -> None:
    with pytest.raises(ValueError, match=r"picture: expected shape \(h, w, 3\), got \(4, 4\)"):
        canvas_of(np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="picture: expected dtype uint8, got float64"):
        canvas_of(np.zeros((4, 4, 3)))


def test_bad_geometry_is_refused() -> None:
    with pytest.raises(ValueError, match=r"CanvasSettings\.crop: must be <= resize \(200\), got 224"):
        CanvasSettings(resize=200)
    with pytest.raises(ValueError, match=r"CanvasSettings\.crop: must be a whole number"):
        CanvasSettings(crop=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"CanvasSettings\.resize: must be >= 1 and <= 4096, got 0"):
        CanvasSettings(resize=0)


@settings(max_examples=30, deadline=None)
@given(st.integers(8, 70), st.integers(8, 70), st.integers(0, 2**32))
def test_a_mask_frames_what_its_picture_frames(height: int, width: int, seed: int) -> None:
    # A two-colour picture of large blocks: where bilinear leaves it pure, the mask must agree.
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.random((height // 4 + 1, width // 4 + 1)) < 0.5, np.ones((4, 4), bool))[:height, :width]
    geometry = CanvasSettings(resize=40, crop=33)
    canvas = canvas_of(np.stack([mask * np.uint8(255)] * 3, axis=-1), geometry)[..., 0]
    with tempfile.TemporaryDirectory() as folder:
        path = save(Path(folder, "mask.png"), mask)
        framed = load_mask(path, geometry, (height, width))
    assert framed.shape == (33, 33)
    assert framed.dtype == np.bool_
    assert framed[canvas == 255].all()
    assert not framed[canvas == 0].any()


def test_a_mask_takes_the_nearest_pixel(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((50, 75)) < 0.3
    path = save(tmp_path / "mask.png", mask)
    rows = ((np.arange(20) + 0.5) * 50 / 20).astype(int)
    columns = ((np.arange(30) + 0.5) * 75 / 30).astype(int)
    np.testing.assert_array_equal(
        load_mask(path, CanvasSettings(20, 10), (50, 75)), mask[rows][:, columns][5:15, 10:20]
    )


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "mask.png", np.ones((30, 40), np.uint8))
    with pytest.raises(ImageError) as raised:
        load_mask(path, CanvasSettings(), (40, 30))
    assert str(raised.value) == (
        f"{path}: the mask is 40 x 30 but its picture is 30 x 40 (width x height); export it at the size of the picture"
    )


def test_masks_are_compared_with_the_turned_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(30, 40)).save(tmp_path / "a.png", exif=exif)
    turned = load_picture(tmp_path / "a.png")
    assert turned.shape == (40, 30, 3)
    path = save(tmp_path / "mask.png", np.ones((40, 30), np.uint8))
    assert load_mask(path, CanvasSettings(32, 24), turned.shape[:2]).all()


def test_the_digest_covers_shape_and_bytes() -> None:
    canvas = picture(4, 6)
    assert canvas_digest(canvas) == hashlib.sha256(b"canvas uint8 4x6x3\n" + canvas.tobytes()).hexdigest()
    assert canvas_digest(canvas) == canvas_digest(np.asfortranarray(canvas))
    assert canvas_digest(canvas) != canvas_digest(canvas.reshape(6, 4, 3))
    changed = canvas.copy()
    changed[0, 0, 0] ^= 1
    assert canvas_digest(canvas) != canvas_digest(changed)


@pytest.mark.real
def test_real_pictures_and_masks_share_the_canvas(real_data: Path) -> None:
    pictures = sorted((real_data / "segmented" / "images").iterdir())[::20]
    assert len(pictures) == 10
    objects = 0
    for path in pictures:
        shape = load_picture(path).shape[:2]
        assert load_canvas(path).shape == (224, 224, 3)
        mask = load_mask(real_data / "segmented" / "masks" / f"{path.stem}.png", CanvasSettings(), shape)
        assert not mask.all()
        objects += mask.any()
    assert objects >= 9  # the centre crop may cut an object off
