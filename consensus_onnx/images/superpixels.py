"""Superpixels of the canvas, computed once per picture for the whole committee."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from consensus_onnx.arrays import AnyArray, Int32Array, UInt8Array, require
from consensus_onnx.config import check_settings, setting

# Quickshift breaks ties by random numbers; 42 is scikit-image's own default, named so that it stays.
_QUICKSHIFT_SEED = 42
_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "quickshift": ("sigma", "ratio", "kernel_size", "max_dist"),
    "slic": ("sigma", "segments", "compactness"),
    "felzenszwalb": ("sigma", "scale", "min_size"),
    "grid": ("segments",),
}


@dataclass(frozen=True)
class Superpixels:
    """How the canvas is divided into superpixels.

    The default is the preset `paper`, which is what InterpretDL's LIME does; the preset `lime` is what the lime package
    does. Each method reads only its own parameters. The result depends on the canvas and these settings alone.

    References
    ----------
    Vedaldi and Soatto, Quick shift and kernel methods for mode seeking, 2008. Achanta et al., SLIC superpixels, 2012.
    Felzenszwalb and Huttenlocher, Efficient graph-based image segmentation, 2004. Implementations: scikit-image.
    """

    method: Literal["quickshift", "slic", "felzenszwalb", "grid"] = setting(
        "quickshift", "How the canvas is divided into superpixels."
    )
    sigma: float = setting(
        1.0, "Gaussian blur before dividing, in pixels (quickshift, slic, felzenszwalb).", minimum=0, maximum=100
    )
    ratio: float = setting(
        1.0, "Weight of colour against nearness: 0 looks at places only (quickshift).", minimum=0, maximum=1
    )
    kernel_size: float = setting(
        5.0,
        "Width of the density estimate, in pixels; more means fewer superpixels (quickshift).",
        minimum=1,
        maximum=100,
    )
    max_dist: float = setting(
        10.0, "Longest step between joined pixels; more means fewer superpixels (quickshift).", above=0, maximum=10_000
    )
    segments: int = setting(
        100, "About how many superpixels; a grid takes the nearest square (slic, grid).", minimum=1, maximum=10_000
    )
    compactness: float = setting(
        10.0, "Weight of nearness against colour; more means squarer superpixels (slic).", above=0, maximum=1e6
    )
    scale: float = setting(100.0, "Preference for large superpixels (felzenszwalb).", minimum=0, maximum=1e6)
    min_size: int = setting(50, "Smallest superpixel, in pixels (felzenszwalb).", minimum=1, maximum=1_000_000)

    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": {"method": "quickshift", "sigma": 1.0, "ratio": 1.0, "kernel_size": 5.0, "max_dist": 10.0},
        "lime": {"method": "quickshift", "sigma": 0.0, "ratio": 0.2, "kernel_size": 4.0, "max_dist": 200.0},
    }

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings that decide the result: the method and the parameters it reads."""
        return {"method": self.method} | {name: getattr(self, name) for name in _PARAMETERS[self.method]}

    def segment(self, canvas: UInt8Array) -> Int32Array:
        """Divide a canvas into superpixels.

        Parameters
        ----------
        canvas : uint8 (H, W, 3)
            The canvas, RGB.

        Returns
        -------
        int32 (H, W)
            The superpixel of each pixel, 0..K-1, each of them used; K can be 1.

        Raises
        ------
        ValueError
            If the canvas is not a uint8 RGB array.
        """
        require("canvas", canvas, shape=("H", "W", 3), dtype=np.uint8)
        labels = {
            "quickshift": self._quickshift,
            "slic": self._slic,
            "felzenszwalb": self._felzenszwalb,
            "grid": self._grid,
        }[self.method](canvas)
        # Methods may skip labels, or count from 1, whereupon a loop over range(K) silently loses a superpixel.
        _, contiguous = np.unique(labels, return_inverse=True)
        return contiguous.reshape(canvas.shape[:2]).astype(np.int32)

    def _quickshift(self, canvas: UInt8Array) -> AnyArray:
        from skimage.segmentation import quickshift

        labels: AnyArray = quickshift(
            canvas,
            ratio=self.ratio,
            kernel_size=self.kernel_size,
            max_dist=self.max_dist,
            sigma=self.sigma,
            rng=_QUICKSHIFT_SEED,
        )
        return labels

    def _slic(self, canvas: UInt8Array) -> AnyArray:
        from skimage.segmentation import slic

        labels: AnyArray = slic(
            canvas, n_segments=self.segments, compactness=self.compactness, sigma=self.sigma, start_label=0
        )
        return labels

    def _felzenszwalb(self, canvas: UInt8Array) -> AnyArray:
        from skimage.segmentation import felzenszwalb

        labels: AnyArray = felzenszwalb(canvas, scale=self.scale, sigma=self.sigma, min_size=self.min_size)
        return labels

    def _grid(self, canvas: UInt8Array) -> AnyArray:
        height, width = canvas.shape[:2]
        cells = max(1, round(math.sqrt(self.segments)))
        row, column = (np.arange(size) * cells // size for size in (height, width))
        labels: AnyArray = row[:, None] * cells + column
        return labels
