"""What the analysis looks at: the stored explanations of one image by one explainer, for the whole committee.

Functions of this room take an iterable of these and hold one image at a time, so their memory does not grow with the
number of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from consensus_onnx.analysis.alignment import average_precision, segments_average_precision
from consensus_onnx.arrays import AnyArray, BoolArray, Float64Array, Int32Array, Int64Array, UInt8Array
from consensus_onnx.consensus import to_grid


@dataclass(frozen=True)
class ImageEvidence:
    """One image as all members see it.

    Parameters
    ----------
    values : ndarray of shape (M, K), float64, or (M, g, g), float32
        One explanation per member: superpixel weights, or maps on the common grid. Rows of absent members are not
        looked at.
    present : ndarray of shape (M,), bool
        Members that have an explanation.
    canvas : ndarray of shape (H, W, 3), uint8
        The picture.
    segments : ndarray of shape (H, W), int32, optional
        Superpixel of each pixel; None for maps.
    mask : ndarray of shape (H, W), bool, optional
        The object, where one is known.
    """

    values: AnyArray
    present: BoolArray
    canvas: UInt8Array
    segments: Int32Array | None = None
    mask: BoolArray | None = None

    @property
    def flat(self) -> AnyArray:
        """The explanations as rows (M, N)."""
        return self.values.reshape(len(self.values), -1)

    @property
    def has_object(self) -> bool:
        """Whether there is a mask that is not empty."""
        return self.mask is not None and bool(self.mask.any())

    def on_canvas(self, values: AnyArray) -> AnyArray:
        """Paint weights (K,), or bring a map (g * g,) or (g, g) from the grid, onto the canvas (H, W)."""
        if self.segments is not None:
            painted: AnyArray = values[self.segments]
            return painted
        side = self.values.shape[1]
        height, width = self.canvas.shape[:2]
        return to_grid(values.reshape(side, -1).astype(np.float32), (height, width))

    def average_precision(self, values: AnyArray) -> float:
        """Return the average precision of weights or of a map against the mask; nan without an object."""
        if self.mask is None or not self.has_object:
            return float("nan")
        if self.segments is None:
            return average_precision(self.mask, self.on_canvas(values))
        sizes, inside = self._counts
        return segments_average_precision(values, sizes, inside)

    def pooled(self, heat: Float64Array) -> AnyArray:
        """Bring a map (H, W) of the canvas to the form of these explanations: means of superpixels, or of cells."""
        if self.segments is None:
            return to_grid(heat.astype(np.float32), (self.values.shape[1], self.values.shape[2])).ravel()
        count = self.values.shape[1]
        labels = self.segments.ravel()
        sums = np.bincount(labels, heat.ravel(), minlength=count)
        return sums / np.maximum(np.bincount(labels, minlength=count), 1)

    @cached_property
    def _counts(self) -> tuple[Int64Array, Int64Array]:
        """Pixels of each superpixel, and those of them on the object."""
        assert self.segments is not None
        assert self.mask is not None
        labels, count = self.segments.ravel(), self.values.shape[1]
        return np.bincount(labels, minlength=count), np.bincount(labels[self.mask.ravel()], minlength=count)
