"""The canvas: the one common picture that every member of a committee is asked about.

The geometry is that of the usual ImageNet evaluation, so that a member meets pictures framed as it was tested on: the
shorter side is resized, the centre cropped.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from consensus_onnx.arrays import BoolArray, UInt8Array, require
from consensus_onnx.config import check_settings, setting
from consensus_onnx.errors import ImageError
from consensus_onnx.images.decoding import MAX_PIXELS, load_object, load_picture

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class CanvasSettings:
    """How a picture becomes the canvas.

    Parameters
    ----------
    resize : int or None
        Length of the shorter side after resizing, in pixels; None leaves the picture at its size.
    crop : int
        Side of the square cut from the centre, in pixels; every canvas of an audit has this size.
    """

    resize: int | None = setting(
        256, "Shorter side after resizing, in pixels; null: the picture keeps its size.", minimum=1, maximum=4096
    )
    crop: int = setting(224, "Side of the square cut from the centre: the canvas, in pixels.", minimum=1, maximum=4096)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.resize is not None and self.crop > self.resize:
            raise ValueError(f"CanvasSettings.crop: must be <= resize ({self.resize}), got {self.crop}")


def load_canvas(path: str | Path, settings: CanvasSettings | None = None) -> UInt8Array:
    """Decode a picture and bring it to the canvas.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, BMP or WebP file; see `load_picture` for what is done with modes, transparency and EXIF.
    settings : CanvasSettings, optional
        The geometry; 256/224 by default.

    Returns
    -------
    uint8 (H, W, 3)
        RGB in 0..255, H = W = ``settings.crop``.

    Raises
    ------
    ImageError
        If the file cannot be decoded, or cannot be brought to the canvas.
    """
    picture = load_picture(path)
    try:
        return canvas_of(picture, settings)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def canvas_of(picture: UInt8Array, settings: CanvasSettings | None = None) -> UInt8Array:
    """Bring a decoded picture to the canvas: shorter side resized (bilinear, antialiased), centre cropped.

    A picture whose shorter side already has the length asked for is not resampled. The longer side is rounded down and
    the crop starts at half the difference, rounded half to even, as torchvision does it.

    Parameters
    ----------
    picture : uint8 (h, w, 3)
        Any RGB picture.
    settings : CanvasSettings, optional
        The geometry; 256/224 by default.

    Returns
    -------
    uint8 (H, W, 3)
        The canvas, C-contiguous.

    Raises
    ------
    ImageError
        If the picture is smaller than the crop and is not resized, or so elongated that resizing would make more than
        50 million pixels.
    ValueError
        If it is not a uint8 RGB array.
    """
    require("picture", picture, shape=("h", "w", 3), dtype=np.uint8)
    from PIL import Image
    from PIL.Image import Resampling

    return np.array(_framed(Image.fromarray(picture), settings or CanvasSettings(), Resampling.BILINEAR))


def load_mask(path: str | Path, settings: CanvasSettings, size_of_image: tuple[int, int]) -> BoolArray:
    """Decode the mask of a picture and bring it to the picture's canvas.

    Parameters
    ----------
    path : str or Path
        A PNG or BMP file; what is not zero is object (see `load_object`).
    settings : CanvasSettings
        The geometry; that of the picture.
    size_of_image : (int, int)
        Height and width of the decoded picture the mask belongs to.

    Returns
    -------
    bool (H, W)
        True on the object; nearest neighbour, so on the same frame as the canvas of the picture.

    Raises
    ------
    ImageError
        If the mask cannot be decoded, or has another size than its picture.
    """
    mask = load_object(path)
    if mask.shape != tuple(size_of_image):
        (height, width), (mask_height, mask_width) = size_of_image, mask.shape
        raise ImageError(
            f"{path}: the mask is {mask_width} x {mask_height} but its picture is {width} x {height} (width x height); "
            "export it at the size of the picture"
        )
    from PIL import Image
    from PIL.Image import Resampling

    try:
        framed = _framed(Image.fromarray(mask.astype(np.uint8)), settings, Resampling.NEAREST)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    return np.array(framed, dtype=np.bool_)


def canvas_digest(canvas: UInt8Array) -> str:
    """Digest a canvas: SHA-256 over its shape and its bytes.

    Parameters
    ----------
    canvas : uint8 (H, W, 3)
        The canvas.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    require("canvas", canvas, shape=("H", "W", 3), dtype=np.uint8)
    digest = hashlib.sha256(f"canvas uint8 {canvas.shape[0]}x{canvas.shape[1]}x3\n".encode())
    digest.update(np.ascontiguousarray(canvas).data)
    return digest.hexdigest()


def _framed(image: Image.Image, settings: CanvasSettings, resampling: Image.Resampling) -> Image.Image:
    """Resize the shorter side, crop the centre."""
    width, height = image.size
    shorter = min(width, height)
    if settings.resize is not None and shorter != settings.resize:
        longer = settings.resize * max(width, height) // shorter
        if settings.resize * longer > MAX_PIXELS:
            raise ImageError(
                f"the picture is {width} x {height}: too elongated to resize its shorter side to {settings.resize}; "
                "crop it or leave it out"
            )
        resized = (settings.resize, longer) if width <= height else (longer, settings.resize)
        image = image.resize(resized, resampling)
        width, height = resized
    if min(width, height) < settings.crop:
        raise ImageError(
            f"the picture is {width} x {height}, smaller than canvas.crop ({settings.crop}); "
            "set canvas.resize or a smaller canvas.crop"
        )
    left, top = round((width - settings.crop) / 2), round((height - settings.crop) / 2)
    return image.crop((left, top, left + settings.crop, top + settings.crop))
