from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image, ImageDraw

from consensus_onnx.report.pictures import DISPLAY_SIDE, grey_photograph, outline, overlay, photograph


def decoded(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))


def test_pictures_survive_their_compression():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 32:] = [200, 100, 50]
    back = decoded(photograph(picture)).astype(int)
    assert np.abs(back - picture).mean() < 4
    grey = decoded(grey_photograph(picture)).astype(int)
    assert (grey.max(axis=2) - grey.min(axis=2)).max() <= 3
    assert grey[:, :28].mean() > 40  # black is paler than black


def test_superpixels_are_kept_exactly_and_maps_at_display_size():
    segments = np.arange(64 * 64).reshape(64, 64) // 512
    weights = np.linspace(-1, 1, 8)
    kept = decoded(overlay(weights, segments))
    assert len(np.unique(kept[..., 3])) == 4  # eight weights, four magnitudes
    noise = np.random.default_rng(0).random((224, 224), np.float32)
    assert decoded(overlay(noise, None)).shape == (DISPLAY_SIDE, DISPLAY_SIDE, 4)
    assert decoded(overlay(np.ones((28, 28), np.float32), None)).shape == (28, 28, 4)


def filled(path: str, side: int) -> np.ndarray:
    """Fill the outline again with Pillow, eight times as fine."""
    sheet = Image.new("1", (8 * side, 8 * side))
    draw = ImageDraw.Draw(sheet)
    for piece in re.findall("M([^Z]*)Z", path):
        corners = [tuple(8 * float(value) for value in corner.split()) for corner in piece.split("L")]
        draw.polygon(corners, fill=1)
    return np.asarray(sheet)[4::8, 4::8]


def test_outline_encloses_the_mask():
    y, x = np.mgrid[:100, :100]
    disc = (y - 40) ** 2 + (x - 60) ** 2 < 25**2
    corner = (y > 80) & (x > 70)  # touches the border
    mask = disc | corner
    back = filled(outline(mask), 100)
    assert (back & mask).sum() / (back | mask).sum() > 0.97


def test_outline_of_nothing_is_empty():
    assert outline(np.zeros((10, 10), np.bool_)) == ""
