"""What an explainer says of one member and one picture, and how far that can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consensus_onnx.arrays import AnyArray, Int32Array


@dataclass(frozen=True)
class ExplanationError:
    """How far an explanation may be off for want of samples.

    Attributes
    ----------
    standard_error : array of the explanation's shape and dtype
        Of every value. LIME: heteroscedasticity-consistent (HC1), since the kernel's weights are importances, not
        inverse variances. SmoothGrad: Monte-Carlo, of the channel sum with channels taken as independent.
    split_half : float
        Pearson correlation of the explanations from either half of the samples, -1..1; NaN where a half cannot be
        solved or is constant. The agreement to expect from a rerun with half the samples.
    r2 : float
        Share of the weighted variance of the probabilities that the linear surrogate explains (LIME); NaN for
        explainers without a surrogate.
    """

    standard_error: AnyArray
    split_half: float
    r2: float = float("nan")


@dataclass(frozen=True)
class Explanation:
    """One explainer's answer for one member, picture and target.

    Attributes
    ----------
    explainer : str
        Name of the explainer.
    values : float64 (K,) or float32 (h, w)
        Weight of each superpixel, or map at the member's own input size.
    segments : int32 (H, W) or None
        The canvas' superpixels, labels 0..K-1, where the values are theirs.
    target : int
        The class that is explained, in the common label space.
    predicted : int
        The member's own top-1 on the clean canvas.
    probability : float
        Of the target on the clean canvas, 0..1.
    error : ExplanationError
        How far the values may be off.
    samples : int
        Pictures the member was asked about.
    """

    explainer: str
    values: AnyArray
    segments: Int32Array | None
    target: int
    predicted: int
    probability: float
    error: ExplanationError
    samples: int

    def on_canvas(self) -> AnyArray:
        """Return superpixel weights painted onto the canvas, float64 (H, W); a map as it is."""
        return self.values if self.segments is None else self.values[self.segments]


def split_half_agreement(first: AnyArray, second: AnyArray) -> float:
    """Return the Pearson correlation of two halves, NaN where either is constant or not finite."""
    a = first.astype(np.float64).ravel()
    b = second.astype(np.float64).ravel()
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if np.isfinite(scale) and scale > 0 else float("nan")
