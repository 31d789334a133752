"""LIME over superpixels, by batched perturbation inference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array, Int32Array, UInt8Array, require
from consensus_onnx.committee import Classifier, Member
from consensus_onnx.committee.preprocessing import colours_for, labels_for, normalise, picture_for
from consensus_onnx.config import check_settings, setting
from consensus_onnx.explainers.explanation import Explanation, ExplanationError, split_half_agreement
from consensus_onnx.explainers.protocol import Kind, Target, opened, resolve_target
from consensus_onnx.explainers.randomness import stream_key
from consensus_onnx.explainers.surrogate import make_design, perturbation_rows
from consensus_onnx.images import Superpixels, canvas_digest
from consensus_onnx_kernels.masking import mask_batch, segment_means


@dataclass(frozen=True)
class Lime:
    """Which superpixels make the member see the target: a linear surrogate of its probability.

    The member is asked about `samples` versions of the canvas in which each superpixel is kept or masked by a fair
    coin (the first keeps all); its probability of the target is fitted by a weighted ridge on the coins.

    Attributes
    ----------
    samples, alpha, kernel_width, fill, superpixels
        Settings; their documentation is in configs/default.yaml. The default is the paper's.

    Notes
    -----
    The ``lime`` preset is the lime package's: quickshift 4/200/0.2 and alpha 1. With either, coefficients equal the
    package's to 1e-6 given the same rows and predictions. Mean colours are truncated to whole numbers, as both
    implementations do on uint8 pictures.

    Randomness: rows come from Philox keyed by seed and canvas, row p by its index alone, so that the explanation is
    the same for any batch size, order or number of threads, and members share rows.

    References
    ----------
    Ribeiro, Singh, Guestrin: "Why Should I Trust You?" (KDD 2016).
    """

    samples: int = setting(1000, "perturbed pictures per member and image, the unmasked one included", minimum=2)
    alpha: float = setting(0.0, "ridge penalty of the surrogate; 0 is weighted least squares", minimum=0.0)
    kernel_width: float = setting(0.25, "width of the kernel that weighs perturbations by cosine distance", above=0.0)
    fill: int | Literal["mean"] = setting(
        "mean", "what masked superpixels show: their mean colour, or a grey level 0..255", minimum=0, maximum=255
    )
    superpixels: Superpixels = setting(Superpixels(), "how the canvas is cut, once per image for all members")
    name: ClassVar[str] = "lime"
    kind: ClassVar[Kind] = "superpixel"
    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "paper": {"alpha": 0.0, "superpixels": {"preset": "paper"}},
        "lime": {"alpha": 1.0, "superpixels": {"preset": "lime"}},
    }

    def __post_init__(self) -> None:
        check_settings(self)

    def explain(
        self,
        member: Member | Classifier,
        canvas: UInt8Array,
        target: Target = "predicted",
        seed: int = 0,
        *,
        segments: Int32Array | None = None,
    ) -> Explanation:
        """Explain why `member` sees `target` in `canvas`; see `Explainer.explain` for the parameters.

        Raises
        ------
        ModelError
            If the member fails or answers NaN.
        ValueError
            If `samples` rows cannot determine the weights of all superpixels, or `segments` do not fit the canvas.
        """
        classifier = opened(member)
        if segments is None:
            segments = self.superpixels.segment(canvas)
        count = superpixel_count(segments, canvas)
        rows = perturbation_rows(stream_key(seed, "lime.rows", canvas_digest(canvas)), self.samples, count)
        design = make_design(rows, self.kernel_width, self.alpha)

        probabilities = np.empty(self.samples)
        resolved = predicted = 0
        start = 0
        for batch in masked_batches(classifier, canvas, segments, rows, self.fill):
            answers = classifier.probabilities(batch)
            if start == 0:
                resolved, predicted = resolve_target(target, answers[0])
            probabilities[start : start + len(batch)] = answers[:, resolved]
            start += len(batch)

        fit = design.fit(probabilities[:, None])
        error = ExplanationError(fit.standard_errors[0], self._split_half(rows, probabilities), float(fit.r2[0]))
        return Explanation(
            self.name, fit.coefficients[0], segments, resolved, predicted, float(probabilities[0]), error, self.samples
        )

    def _split_half(self, rows: UInt8Array, probabilities: Float64Array) -> float:
        """Fit even and odd rows apart; NaN where half the rows cannot determine the weights."""
        halves = []
        for first in (0, 1):
            half = np.ascontiguousarray(rows[first::2])
            try:
                design = make_design(half, self.kernel_width, self.alpha)
            except ValueError:
                return float("nan")
            halves.append(design.fit(probabilities[first::2, None]).coefficients[0])
        return split_half_agreement(*halves)


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


def masked_batches(
    classifier: Classifier, canvas: UInt8Array, segments: Int32Array, rows: UInt8Array, fill: int | str
) -> Iterator[AnyArray]:
    """Yield the member's inputs for all rows, batch by batch, in one reused buffer.

    Parameters
    ----------
    classifier : Classifier
        Decides layout, size, normalisation, dtype and batch size.
    canvas : uint8 (H, W, 3)
        The picture.
    segments : int32 (H, W)
        Its superpixels 0..K-1.
    rows : uint8 (P, K)
        1 keeps a superpixel, 0 masks it.
    fill : int or 'mean'
        What masked ones show.

    Raises
    ------
    ValueError
        If superpixels and rows do not fit the canvas and each other.
    """
    require("rows", rows, shape=("P", superpixel_count(segments, canvas)), dtype=np.uint8)
    facts, preprocessing = classifier.facts.input, classifier.facts.preprocessing
    shown = colours_for(fill_colours(canvas, segments, fill), facts)
    picture = normalise(picture_for(canvas, facts), facts, preprocessing).astype(facts.dtype, copy=False)  # (h, w, C)
    colours = normalise(shown, facts, preprocessing).astype(facts.dtype, copy=False)  # (K, C)
    labels = labels_for(segments, facts).ravel()
    planes, masked = picture.reshape(len(labels), facts.channels), colours[labels]
    if facts.layout == "NCHW":
        planes, masked = np.ascontiguousarray(planes.T), np.ascontiguousarray(masked.T)
    else:  # one plane in which every number, not every pixel, has its superpixel
        planes, masked, labels = planes.reshape(1, -1), masked.reshape(1, -1), np.repeat(labels, facts.channels)
    buffer: Any = classifier.new_batch(min(classifier.batch, len(rows)))
    out = buffer.reshape(len(buffer), *planes.shape)
    for start in range(0, len(rows), len(buffer)):
        some = rows[start : start + len(buffer)]
        mask_batch(some, labels, planes, masked, out[: len(some)])
        yield buffer[: len(some)]
