"""The colours of explanations: a signed pair for superpixel weights, one even ramp for heat."""

from __future__ import annotations

import numpy as np

from consensus_onnx.arrays import Float64Array, UInt8Array

FOR_CLASS = (242, 110, 18)  # orange and blue stay apart for colour-blind readers and over grey pictures
AGAINST_CLASS = (30, 106, 214)

# Equal steps of CIELAB lightness from 22 to 94, hue from violet over red to yellow; a test holds that it never darkens.
_HEAT = ("#391593", "#7d108c", "#ad1986", "#dd2072", "#fa4b59", "#fb8057", "#fca95e", "#fecd71", "#fff24d")
HEAT_ANCHORS: tuple[str, ...] = _HEAT


def heat_colours(values: Float64Array) -> UInt8Array:
    """Colour values by the heat ramp.

    Parameters
    ----------
    values : float64 array of any shape
        0 is the dark end, 1 the bright one; what lies outside is clipped.

    Returns
    -------
    uint8 (..., 3)
        RGB.
    """
    anchors = np.array([[int(text[start : start + 2], 16) for start in (1, 3, 5)] for text in _HEAT], dtype=np.float64)
    places = np.linspace(0.0, 1.0, len(anchors))
    channels = [np.interp(values, places, anchors[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def hex_colour(colour: tuple[int, int, int]) -> str:
    """Return an RGB colour as '#rrggbb'."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
