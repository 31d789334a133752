"""SmoothGrad through gradient graphs: the mean gradient under noise, without a training framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from consensus_onnx.arrays import AnyArray, Float32Array, Int32Array, UInt8Array
from consensus_onnx.committee import Classifier, Member
from consensus_onnx.config import check_settings, setting
from consensus_onnx.explainers.explanation import Explanation, ExplanationError, split_half_agreement
from consensus_onnx.explainers.gradient_sums import GradientSums, gradient_sums
from consensus_onnx.explainers.protocol import Kind, Target, opened, resolve_target
from consensus_onnx.explainers.randomness import stream_key
from consensus_onnx.images import canvas_digest
from consensus_onnx_kernels.noise import standard_normal


@dataclass(frozen=True)
class SmoothGrad:
    """Where small changes of the canvas change the member's answer: mean of signed gradients under noise.

    The member's input gets Gaussian noise `samples` times; the signed gradients of the target are averaged, then
    the absolute mean is summed over channels.

    Attributes
    ----------
    samples, noise, of
        Settings; their documentation is in configs/default.yaml. The default is the paper's.

    Notes
    -----
    `noise` is relative: the standard deviation is noise x (max - min) of the member's own input, over all channels.
    All draws are noisy, none is the clean picture. Noise is drawn in RGB order of the member's input size, keyed by
    seed and canvas, draw s by its index alone: members of one input size share it, and the explanation is the same
    for any batch size, order or number of threads.

    References
    ----------
    Smilkov et al.: SmoothGrad: removing noise by adding noise (2017).
    """

    samples: int = setting(50, "noisy copies of the input per member and image", minimum=2)
    noise: float = setting(
        0.1, "noise standard deviation as a share of the input's value range", above=0.0, maximum=1.0
    )
    of: Literal["logits", "probabilities"] = setting(
        "logits", "what is differentiated", choices=("logits", "probabilities")
    )
    name: ClassVar[str] = "smoothgrad"
    kind: ClassVar[Kind] = "pixel"

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
        UnsupportedOperatorError
            If an operator of the member has no gradient rule.
        ModelError
            If the member fails, or its gradient is NaN or infinite.
        """
        classifier = opened(member)
        probabilities = classifier.predict(canvas)
        resolved, predicted = resolve_target(target, probabilities)
        clean = classifier.input_tensor(canvas)
        deviation = np.float32(self.noise) * (clean.max() - clean.min())
        noise = input_noise(classifier, stream_key(seed, "smoothgrad.noise", canvas_digest(canvas)), self.samples)
        noise *= deviation
        noise += clean
        noisy = noise.astype(classifier.facts.input.dtype, copy=False)
        sums = gradient_sums(classifier, self.of)
        middle = (self.samples + 1) // 2
        first = sums.over(noisy[:middle], resolved)
        second = sums.over(noisy[middle:], resolved)
        values, error = self._reduce(first, second, 0 if classifier.facts.input.layout == "NCHW" else -1)
        return Explanation(
            self.name, values, None, resolved, predicted, float(probabilities[resolved]), error, self.samples
        )

    def _reduce(self, first: GradientSums, second: GradientSums, axis: int) -> tuple[Float32Array, ExplanationError]:
        """Turn the sums of both halves into the map and its error."""
        count = self.samples
        mean = (first.sum + second.sum) / count
        variance = np.maximum((first.squares + second.squares) / count - mean**2, 0) * (count / (count - 1))
        values = np.abs(mean).sum(axis=axis).astype(np.float32)
        standard_error = np.sqrt(variance.sum(axis=axis) / count).astype(np.float32)
        halves = (np.abs(part.sum).sum(axis=axis) for part in (first, second))
        return values, ExplanationError(standard_error, split_half_agreement(*halves))


def input_noise(classifier: Classifier, key: Any, samples: int) -> AnyArray:
    """Return S draws of unit noise in a member's layout and channel order, float32 (S, C, h, w) or (S, h, w, C)."""
    facts = classifier.facts.input
    height, width = facts.size
    noise = standard_normal(key, 0, samples, facts.channels * height * width)
    noise = noise.reshape(samples, facts.channels, height, width)
    if facts.color == "BGR":
        noise = noise[:, ::-1]
    if facts.layout == "NHWC":
        noise = noise.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(noise)
