"""Explanations as transparent pictures to lay over a canvas: what is not relevant stays clear.

Only the display is scaled and clipped here; scores are computed from the unclipped explanations.
"""

from __future__ import annotations

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array, UInt8Array, require
from consensus_onnx.report.colours import AGAINST_CLASS, FOR_CLASS, heat_colours

HEAT_PERCENTILE = 99.0  # a map's few brightest pixels would leave the rest of it dark
_OPAQUE = 230  # of 255: the picture stays visible under the largest weight
_HEAT_FADE = 1.5  # above 1: the noise floor of a gradient map would lay a haze over the picture


def superpixel_overlay(weights: AnyArray, segments: AnyArray) -> UInt8Array:
    """Paint signed superpixel weights: orange for the class, blue against it, clear at zero.

    Parameters
    ----------
    weights : float (K,)
        Any finite values; the largest magnitude is painted strongest.
    segments : int (H, W)
        Superpixel of every pixel, 0..K-1.

    Returns
    -------
    uint8 (H, W, 4)
        RGBA, alpha not multiplied in.
    """
    require("weights", weights, shape=("K",))
    require("segments", segments, shape=("H", "W"))
    strength = np.abs(weights.astype(np.float64))
    strength /= max(float(strength.max(initial=0.0)), np.finfo(np.float64).tiny)
    palette = np.empty((len(weights), 4), np.uint8)
    palette[:, :3] = np.where(weights[:, None] >= 0, FOR_CLASS, AGAINST_CLASS)
    palette[:, 3] = np.round(_OPAQUE * strength)
    painted: UInt8Array = palette[segments]
    return painted


def heat_overlay(heat: AnyArray) -> UInt8Array:
    """Paint a map of non-negative relevance: clear and dark where low, bright and dense where high.

    Parameters
    ----------
    heat : float (h, w)
        Any finite values. The least is clear; those above the 99th percentile look alike.

    Returns
    -------
    uint8 (h, w, 4)
        RGBA, alpha not multiplied in.
    """
    require("heat", heat, shape=("h", "w"))
    low, high = float(heat.min()), float(np.percentile(heat, HEAT_PERCENTILE))
    if high <= low:  # all but one pixel in a hundred are the same
        high = float(heat.max())
    spread = max(high - low, np.finfo(np.float64).tiny)
    level = np.clip((heat.astype(np.float64) - low) / spread, 0.0, 1.0)
    alpha = np.round(255 * heat_density(level)).astype(np.uint8)
    return np.dstack([heat_colours(level), alpha])


def heat_density(level: Float64Array) -> Float64Array:
    """Return how much heat of this level (0..1) covers what is below it, 0..1."""
    return _OPAQUE / 255 * level**_HEAT_FADE


def explanation_overlay(values: AnyArray, segments: AnyArray | None) -> UInt8Array:
    """Paint an explanation or a consensus of either kind; see the two functions above."""
    return heat_overlay(values) if segments is None else superpixel_overlay(values, segments)
