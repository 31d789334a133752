"""From a file of unknown origin to pixels: the only place that lets Pillow parse bytes.

Caps are checked before anything is decoded: for a 20 KB PNG of 13,000 x 13,000 pixels Pillow takes 1.8 GB of memory and
only warns. The formats are listed because Pillow, left to itself, hands files that look like EPS to Ghostscript.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from consensus_onnx.arrays import BoolArray, UInt8Array
from consensus_onnx.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

MAX_BYTES = 100_000_000
MAX_PIXELS = 50_000_000
PICTURE_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
MASK_FORMATS = ("PNG", "BMP")
"""Lossless only: around an object JPEG leaves values such as 1 and 2, which would count as object."""

_NAMES = {"PNG": "PNG", "JPEG": "JPEG", "BMP": "BMP", "WEBP": "WebP"}
_ORIENTATION_TAG = 0x0112
# The first bytes of what people hand over by mistake.
_STRANGERS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the picture itself; run `git lfs pull`"),
    (b"GIF8", "a GIF"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "a PostScript file"),
    (b"<svg", "an SVG"),
    (b"<?xml", "an XML or SVG file"),
    (b"<!DOCTYPE", "a web page, perhaps of a failed download"),
    (b"<html", "a web page, perhaps of a failed download"),
    (b"PK\x03\x04", "a ZIP archive"),
)


def load_picture(path: str | Path) -> UInt8Array:
    """Decode a picture to 8-bit RGB, turned as its EXIF orientation says.

    Grey, palette, 1-bit and CMYK pictures become RGB without colour profiles; 16-bit grey is scaled to 8 bit;
    transparency is laid on white; of an animation the first frame is taken.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, BMP or WebP file of at most 100 MB and 50 million pixels.

    Returns
    -------
    uint8 (H, W, 3)
        The picture at its own size.

    Raises
    ------
    ImageError
        If the file is missing, too large, of another format, or damaged; names the file and the cause.
    """
    with _decoded(Path(path), PICTURE_FORMATS) as image:
        return np.array(_on_white(image), dtype=np.uint8)


def load_object(path: str | Path) -> BoolArray:
    """Decode a mask: true where it is not zero.

    A palette mask holds class indices: the index counts, not its colour (so the void border 255 of VOC masks is
    object). In a colour mask a pixel is object if any channel is not zero; a fully transparent pixel never is.

    Parameters
    ----------
    path : str or Path
        A PNG or BMP file within the caps of `load_picture`.

    Returns
    -------
    bool (H, W)
        The mask at its own size, EXIF-turned.

    Raises
    ------
    ImageError
        As `load_picture`.
    """
    with _decoded(Path(path), MASK_FORMATS) as image:
        values = np.asarray(image)
        alpha = np.asarray(image.getchannel("A")) if "A" in image.getbands() else None
    colours = values if alpha is None else values[..., :-1]
    is_object: BoolArray = (colours != 0).any(axis=-1) if values.ndim == 3 else values != 0
    return is_object if alpha is None else is_object & (alpha != 0)


@contextmanager
def _decoded(path: Path, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Open, check, decode and turn a picture; everything Pillow raises becomes an ImageError."""
    from PIL import Image, UnidentifiedImageError

    _check_file(path)
    wanted = _wanted(formats)
    try:
        with warnings.catch_warnings():
            # Pillow's other warnings concern metadata, which is not used.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats) as image:
                _check_pixels(path, image.size)
                image.load()
                yield _turned(image)
    except (ImageError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path}: has more than {MAX_PIXELS // 10**6} million pixels; make it smaller") from error
    except UnidentifiedImageError as error:
        raise ImageError(_stranger(path, wanted)) from error
    except Exception as error:
        # Damaged files make Pillow raise OSError, SyntaxError, ValueError, struct.error, zlib.error and others.
        cause = " ".join(str(error).split())[:120] or type(error).__name__
        raise ImageError(f"{path}: cannot be decoded as {wanted} ({cause}); re-export it or leave it out") from error


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise ImageError(f"{path}: is a folder, expected a picture file")
        if path.exists() and not path.is_file():
            # Reading a pipe or a device might never end.
            raise ImageError(f"{path}: is not a regular file, expected a picture file")
        size = path.stat().st_size
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if size == 0:
        raise ImageError(f"{path}: is empty (0 bytes); copy or download it again")
    if size > MAX_BYTES:
        raise ImageError(
            f"{path}: has {size / 1e6:.0f} MB, at most {MAX_BYTES // 10**6} MB are read; re-export it smaller"
        )


def _check_pixels(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"{path}: has no pixels ({width} x {height}); re-export it or leave it out")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{path}: has {width} x {height} = {width * height / 1e6:.0f} million pixels, "
            f"at most {MAX_PIXELS // 10**6} million are decoded; make it smaller"
        )


def _turned(image: Image.Image) -> Image.Image:
    """Turn a picture upright by its EXIF orientation; unreadable EXIF data says nothing."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # the EXIF parser meets damaged data with as many exceptions as the decoders
        turn = None
    return image if turn is None else image.transpose(turn)


def _on_white(image: Image.Image) -> Image.Image:
    """Make 8-bit RGB of any mode, transparency laid on white."""
    from PIL import Image as Images

    if image.mode.startswith("I"):
        # Pillow's own conversion clips 16-bit values at 255; 257 = 65535 / 255.
        grey = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        image = Images.fromarray(((grey + 128) // 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Images.alpha_composite(Images.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _wanted(formats: tuple[str, ...]) -> str:
    *most, last = (_NAMES[name] for name in formats)
    return f"{', '.join(most)} or {last}"


def _stranger(path: Path, wanted: str) -> str:
    """Say what a file is that is none of the formats."""
    with path.open("rb") as file:
        head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    for start, name in _STRANGERS:
        if head[: len(start)].lower() == start.lower():
            return (
                f"{path}: is {name}" if ";" in name else f"{path}: is {name}, not {wanted}; convert it or leave it out"
            )
    if head[4:8] == b"ftyp":
        return f"{path}: is a HEIC or AVIF picture or a video, not {wanted}; convert it or leave it out"
    return f"{path}: is not {wanted}, or its header is damaged; re-export it or leave it out"
