"""Pictures inside the page: small compressed data URIs, and masks as vector outlines."""

from __future__ import annotations

import base64
import io

import numpy as np
from markupsafe import Markup
from PIL import Image

from consensus_onnx.arrays import AnyArray, BoolArray, UInt8Array
from consensus_onnx.consensus import to_grid
from consensus_onnx.report.overlays import explanation_overlay

DISPLAY_SIDE = 112  # maps are shown about so large; 224 would take 3.4 times the bytes
_OUTLINE_TOLERANCE = 0.7  # pixels of the canvas


def photograph(picture: UInt8Array) -> Markup:
    """Return a picture (H, W, 3) as a data URI, about 10 kB for 224 pixels."""
    return _webp(Image.fromarray(picture), quality=78)


def paler_grey(picture: UInt8Array) -> UInt8Array:
    """Return a picture (H, W, 3) as greys (H, W) of 50..225, so that an overlay's colours are the only ones."""
    grey = np.asarray(Image.fromarray(picture).convert("L"), np.float64)
    return (50 + grey * (225 - 50) / 255).astype(np.uint8)


def grey_photograph(picture: UInt8Array) -> Markup:
    """Return a picture (H, W, 3) in paler grey as a data URI."""
    return _webp(Image.fromarray(paler_grey(picture)), quality=70)


def overlay(values: AnyArray, segments: AnyArray | None, side: int = DISPLAY_SIDE) -> Markup:
    """Return an explanation or a consensus as a transparent data URI.

    Parameters
    ----------
    values : float (K,) or (h, w)
        Weights of superpixels, or a map.
    segments : int (H, W) or None
        The superpixels of weights.
    side : int
        Maps are shrunk to at most so many pixels (2.5 kB for superpixels at 224, about 10 kB for maps at 112).
    """
    if segments is None and max(values.shape) > side:
        values = to_grid(values.astype(np.float32), (side, side))
    painted = Image.fromarray(explanation_overlay(values, segments))
    # Flat areas compress better without loss; noise compresses only with it.
    return _webp(painted, lossless=True) if segments is not None else _webp(painted, quality=68, alpha_quality=50)


def outline(mask: BoolArray) -> Markup:
    """Return the outline of a mask (H, W) as the `d` of an SVG path in canvas pixels; empty for an empty mask."""
    from skimage.measure import approximate_polygon, find_contours

    framed = np.pad(mask, 1).astype(np.float64)  # so that an object at the border is closed
    pieces = []
    for contour in find_contours(framed, 0.5):
        corners = approximate_polygon(contour, _OUTLINE_TOLERANCE) - 0.5  # pixel centres, and the padding
        if len(corners) > 3:
            pieces.append("M" + "L".join(f"{x:.1f} {y:.1f}" for y, x in corners) + "Z")
    return Markup("".join(pieces))  # numbers only


def _webp(image: Image.Image, quality: int = 80, alpha_quality: int = 100, *, lossless: bool = False) -> Markup:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, alpha_quality=alpha_quality, lossless=lossless, method=4)
    return Markup("data:image/webp;base64," + base64.b64encode(file.getvalue()).decode())
