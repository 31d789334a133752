"""Pictures with some superpixels masked, in the form a member reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array, Int32Array, UInt8Array, require
from consensus_onnx.committee import Classifier
from consensus_onnx.committee.preprocessing import colours_for, labels_for, normalise, picture_for
from consensus_onnx_kernels.masking import mask_batch, segment_means


@dataclass(frozen=True)
class Masking:
    """A canvas and what hides it, normalised once for all rows.

    Attributes
    ----------
    classifier : Classifier
        Whose input it is.
    count : int
        K, the number of superpixels.
    labels : int32 (n,)
        The superpixel of every pixel (NCHW) or of every number (NHWC) of a plane.
    shown, hidden : array (planes, n)
        The canvas, and what it is replaced by, in the member's own numbers.
    """

    classifier: Classifier
    count: int
    labels: Int32Array
    shown: AnyArray
    hidden: AnyArray

    def pictures(self, rows: UInt8Array, out: AnyArray | None = None, spread: bool = True) -> AnyArray:
        """Return the member's inputs for rows.

        Parameters
        ----------
        rows : uint8 (P, K)
            1 keeps a superpixel, 0 masks it.
        out : array (P, ...), optional
            An input batch of the member to write them into.
        spread : bool
            Whether many may be spread over all threads: not while other threads make some, too.

        Raises
        ------
        ValueError
            If the rows are not of K superpixels.
        """
        require("rows", rows, shape=("P", self.count), dtype=np.uint8)
        batch = self.classifier.new_batch(len(rows)) if out is None else out
        planes: Any = batch.reshape(len(rows), *self.shown.shape)
        mask_batch(rows, self.labels, self.shown, self.hidden, planes, spread)
        return batch


def make_masking(classifier: Classifier, canvas: UInt8Array, segments: Int32Array, fill: int | str) -> Masking:
    """Prepare a canvas for a member.

    Parameters
    ----------
    classifier : Classifier
        Decides layout, size, normalisation, dtype and batch size.
    canvas : uint8 (H, W, 3)
        The picture.
    segments : int32 (H, W)
        Its superpixels 0..K-1.
    fill : int or 'mean'
        What masked ones show.

    Raises
    ------
    ValueError
        If the superpixels do not fit the canvas.
    """
    count = superpixel_count(segments, canvas)
    facts, preprocessing = classifier.facts.input, classifier.facts.preprocessing
    colours = colours_for(fill_colours(canvas, segments, fill), facts)
    picture = normalise(picture_for(canvas, facts), facts, preprocessing).astype(facts.dtype, copy=False)  # (h, w, C)
    fills = normalise(colours, facts, preprocessing).astype(facts.dtype, copy=False)  # (K, C)
    labels = labels_for(segments, facts).ravel()
    shown, hidden = picture.reshape(len(labels), facts.channels), fills[labels]
    if facts.layout == "NCHW":
        shown, hidden = np.ascontiguousarray(shown.T), np.ascontiguousarray(hidden.T)
    else:  # one plane in which every number, not every pixel, has its superpixel
        shown, hidden, labels = shown.reshape(1, -1), hidden.reshape(1, -1), np.repeat(labels, facts.channels)
    return Masking(classifier, count, labels, shown, hidden)


def superpixel_count(segments: Int32Array, canvas: UInt8Array) -> int:
    """Return K, the number of superpixels.

    Raises
    ------
    ValueError
        If they are not labels 0..K-1 of the canvas' pixels: the kernels index by them unchecked.
    """
    require("segments", segments, shape=canvas.shape[:2], dtype=np.int32)
    if segments.min() < 0:
        raise ValueError(f"segments: labels must be 0..K-1, got {segments.min()}")
    return int(segments.max()) + 1


def fill_colours(canvas: UInt8Array, segments: Int32Array, fill: int | str) -> Float64Array:
    """Return the RGB colour each masked superpixel shows, whole numbers 0..255, float64 (K, 3)."""
    count = superpixel_count(segments, canvas)
    if isinstance(fill, int):
        return np.full((count, 3), float(fill))
    means: Float64Array = segment_means(canvas.reshape(-1, 3), segments.ravel(), count)
    return np.trunc(means)
