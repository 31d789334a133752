"""Where the consensus says the object is: a box around it, and how it overlaps the mask's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from consensus_onnx.arrays import AnyArray, BoolArray, require
from consensus_onnx.consensus.stacking import explanation_values

_LEVELS = 256  # of Otsu's histogram, as usual


class Box(NamedTuple):
    """A rectangle of whole pixels: rows top..bottom-1, columns left..right-1."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """Pixels inside."""
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)


def mask_box(mask: BoolArray) -> Box | None:
    """Return the smallest box around an object.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        The object.

    Returns
    -------
    Box or None
        None for an empty mask.
    """
    require("mask", mask, shape=("H", "W"), dtype=np.bool_)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def locate_box(explanation: AnyArray, *, blur: float = 0.0) -> Box | None:
    """Draw a box around what a map finds, without knowing the object.

    Parameters
    ----------
    explanation : ndarray of shape (H, W), float32 or float64
        The map; higher means more relevant.
    blur : float
        Standard deviation in pixels of a Gaussian that is laid over the map first; 0 leaves it as it is. Maps of
        gradients are made of single pixels that no region would connect; weights of superpixels need none.

    Returns
    -------
    Box or None
        Around the connected region with most relevance among those above Otsu's threshold, which parts the values in
        two groups of least variance. None for a constant map.

    Raises
    ------
    ValueError
        If the map is not finite or not (H, W), or blur is negative.
    """
    require("explanation", explanation, shape=("H", "W"))
    if not 0 <= blur < float("inf"):
        raise ValueError(f"blur: must be >= 0 pixels, got {blur}")
    values = explanation_values(explanation, "explanation").astype(np.float64)
    if blur > 0:
        values = ndimage.gaussian_filter(values, blur)
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return None
    level = (values - low) / (high - low)
    above = level > _otsu(level)
    regions, count = ndimage.label(above, structure=np.ones((3, 3)))
    if not count:
        return None
    weights = ndimage.sum_labels(level, regions, np.arange(1, count + 1))
    return mask_box(regions == int(np.argmax(weights)) + 1)


def box_iou(first: Box, second: Box) -> float:
    """Return the intersection over union of two boxes, 0..1; 0 where both are empty.

    Examples
    --------
    >>> box_iou(Box(0, 0, 2, 2), Box(1, 0, 3, 2))
    0.3333333333333333
    """
    common = Box(
        max(first.left, second.left),
        max(first.top, second.top),
        min(first.right, second.right),
        min(first.bottom, second.bottom),
    ).area
    union = first.area + second.area - common
    return common / union if union else 0.0


def _otsu(level: AnyArray) -> float:
    """Return the value in 0..1 that parts a histogram in two groups of least variance within them."""
    counts, edges = np.histogram(level, bins=_LEVELS, range=(0.0, 1.0))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    means_below = sums[:-1] / np.maximum(below, 1)
    means_above = (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above * (means_below - means_above) ** 2
    # Any threshold in a gap does as well as another; the middle of the best ones.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float((edges[best[0] + 1] + edges[best[-1] + 1]) / 2)
