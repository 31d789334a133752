"""Crops of the photographs that lie inside scikit-image's wheel: real textures without a download.

Only PNG: its decoding is exact, JPEG's depends on the decoder.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import numpy as np
import numpy.typing as npt
from PIL import Image

from consensus_onnx.errors import ImageError
from consensus_onnx_zoo.scenes.draws import Draws

PHOTOGRAPHS = ("astronaut", "brick", "chelsea", "coffee", "grass", "gravel", "ihc", "motorcycle_left")
_SHRINKS = (1, 2, 3)


def photograph_crop(draws: Draws, side: int) -> npt.NDArray[np.float64]:
    """Return a random crop (side, side, 3), 0..255, of a random photograph: shrunk, turned and mirrored at random."""
    photo = _shrunken(PHOTOGRAPHS[draws.below(len(PHOTOGRAPHS))], _SHRINKS[draws.below(len(_SHRINKS))])
    top, left = draws.below(photo.shape[0] - side + 1), draws.below(photo.shape[1] - side + 1)
    crop = photo[top : top + side, left : left + side]
    turn = draws.below(8)
    if turn & 1:
        crop = crop[::-1]
    if turn & 2:
        crop = crop[:, ::-1]
    if turn & 4:
        crop = crop.transpose(1, 0, 2)
    return crop.astype(np.float64)


@cache
def _shrunken(name: str, factor: int) -> npt.NDArray[np.uint8]:
    """Return a photograph whose pixels are means of factor x factor pixels."""
    source = files("skimage") / "data" / f"{name}.png"
    if not source.is_file():
        raise ImageError(
            f"scikit-image has no data/{name}.png: the scenes' backgrounds need the photographs of its wheel; "
            "install scikit-image from a wheel of 0.26 or later"
        )
    with as_file(source) as path, Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.int64)
    rows, columns = pixels.shape[0] // factor, pixels.shape[1] // factor
    blocks = pixels[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3)
    shrunken: npt.NDArray[np.uint8] = (blocks.sum(axis=(1, 3)) // factor**2).astype(np.uint8)
    return shrunken
