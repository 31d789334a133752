"""Uneven light, blur and noise: what stands between a scene and its picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from consensus_onnx_zoo.scenes.draws import Draws, Purpose


def photographed(scene: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    """Return a (side, side, 3) picture under light that falls off to one side, out of focus, noisy."""
    draws, side = Draws(seed, Purpose.CAMERA), scene.shape[0]
    x = np.arange(side) / side - 0.5
    light = draws.between(0.8, 1.15) + draws.between(-0.4, 0.4) * x + draws.between(-0.4, 0.4) * x[:, None]
    cast = 0.85 + 0.3 * draws.grid(3)
    picture = scene * light[:, :, None] * cast
    for _ in range(draws.below(3)):
        picture = _softened(picture)
    grain = draws.between(2, 16)
    noisy: npt.NDArray[np.float64] = picture + grain * Draws(seed, Purpose.NOISE).bell(*scene.shape)
    return noisy


def _softened(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the picture filtered with 1 2 1 along both axes; edges repeat."""
    for axis in (0, 1):
        padded = np.pad(picture, [(1, 1) if other == axis else (0, 0) for other in range(3)], mode="edge")
        before, after = (np.take(padded, np.arange(start, start + picture.shape[axis]), axis) for start in (0, 2))
        picture = (before + 2 * picture + after) / 4
    return picture
