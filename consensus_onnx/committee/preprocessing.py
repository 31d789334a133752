"""From the canvas to what a member reads."""

from __future__ import annotations

import numpy as np

from consensus_onnx.arrays import AnyArray, Float32Array, Int32Array, UInt8Array, require
from consensus_onnx.committee.facts import InputFacts, Preprocessing


def picture_for(canvas: UInt8Array, facts: InputFacts) -> UInt8Array:
    """Return the canvas at a member's size and in its channel order.

    Parameters
    ----------
    canvas : uint8 (H, W, 3)
        RGB.
    facts : InputFacts
        The member's input.

    Returns
    -------
    uint8 (h, w, C)
        Bilinear, antialiased where it shrinks; C is 3, or 1 for grey members (ITU-R 601 luma).
    """
    from PIL import Image

    require("canvas", canvas, shape=("H", "W", 3), dtype=np.uint8)
    picture = Image.fromarray(canvas)
    height, width = facts.size
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    if facts.color == "GRAY":
        picture = picture.convert("L")
    pixels = np.asarray(picture, dtype=np.uint8).reshape(height, width, -1)
    return np.ascontiguousarray(pixels[:, :, ::-1] if facts.color == "BGR" else pixels)


def normalise(values: AnyArray, facts: InputFacts, preprocessing: Preprocessing) -> Float32Array:
    """Return (x * scale - mean) / std in float32 for colours in the member's channel order, shape (..., C)."""
    mean = np.asarray(preprocessing.mean, np.float32)
    std = np.asarray(preprocessing.std, np.float32)
    scaled = values.astype(np.float32) * np.float32(preprocessing.scale)
    return np.ascontiguousarray((scaled - mean) / std)


def colours_for(colours: AnyArray, facts: InputFacts) -> AnyArray:
    """Return RGB colours (K, 3) in the member's channel order, (K, C)."""
    if facts.color == "BGR":
        return colours[:, ::-1]
    if facts.color == "GRAY":
        luma: AnyArray = colours.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        return luma[:, None]
    return colours


def input_tensor(canvas: UInt8Array, facts: InputFacts, preprocessing: Preprocessing) -> Float32Array:
    """Return one normalised picture in the member's layout: (C, h, w) or (h, w, C), float32."""
    pixels = normalise(picture_for(canvas, facts), facts, preprocessing)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)) if facts.layout == "NCHW" else pixels


def labels_for(segments: Int32Array, facts: InputFacts) -> Int32Array:
    """Return superpixel labels (H, W) at a member's size (h, w), nearest neighbour at pixel centres."""
    (height, width), (rows, columns) = segments.shape, facts.size
    if (height, width) == (rows, columns):
        return np.ascontiguousarray(segments)
    row = ((np.arange(rows) + 0.5) * height / rows).astype(np.intp)
    column = ((np.arange(columns) + 0.5) * width / columns).astype(np.intp)
    return np.ascontiguousarray(segments[row[:, None], column[None, :]])
