from __future__ import annotations

import numpy as np
from skimage.color import rgb2lab

from consensus_onnx.report.colours import AGAINST_CLASS, FOR_CLASS, HEAT_ANCHORS, heat_colours


def test_heat_grows_lighter_in_even_steps():
    lab = rgb2lab(heat_colours(np.linspace(0, 1, 33))[None])[0]
    steps = np.diff(lab[:, 0])
    assert steps.min() > 1.5  # 72 units of lightness in 32 steps are 2.25 each
    assert steps.max() < 3.0


def test_heat_ends_at_its_anchors_and_clips():
    ends = heat_colours(np.array([-1.0, 0.0, 1.0, 2.0]))
    assert ["#{:02x}{:02x}{:02x}".format(*colour) for colour in ends] == [HEAT_ANCHORS[0]] * 2 + [HEAT_ANCHORS[-1]] * 2


def test_signed_colours_stay_apart_without_red_and_green():
    # Viénot's matrix for deuteranopia: red and green are seen as the same mixture.
    linear = np.array([FOR_CLASS, AGAINST_CLASS]) / 255.0
    mixed = linear @ np.array([[0.29275, 0.29275, -0.02234], [0.70725, 0.70725, 0.02234], [0, 0, 1]])
    first, second = rgb2lab(np.clip(mixed, 0, 1)[None])[0]
    assert np.linalg.norm(first - second) > 60
