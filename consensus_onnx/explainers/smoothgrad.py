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
from consensus_onnx.explainers.stopping import Samples, Stopping
from consensus_onnx.images import canvas_digest
from consensus_onnx_kernels.noise import standard_normal

_LEAST = 16  # draws before the first look of `samples: auto`


@dataclass(frozen=True)
class SmoothGrad:
    """Where small changes of the canvas change the member's answer: mean of signed gradients under noise.

    The member's input gets Gaussian noise `samples` times; the signed gradients of the target are averaged, then
    the absolute mean is summed over channels.

    Attributes
    ----------
    samples, auto, noise, of
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

    samples: Samples = setting(
        50, "noisy copies of the input per member and image; auto asks until the map is steady", minimum=2
    )
    auto: Stopping = setting(Stopping(most=400), "when samples: auto stops")
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
        key = stream_key(seed, "smoothgrad.noise", canvas_digest(canvas))
        sums = gradient_sums(classifier, self.of)
        channels = 0 if classifier.facts.input.layout == "NCHW" else -1
        even = odd = None
        have = 0
        for total in self.auto.looks(self.samples, least=_LEAST):
            noisy = input_noise(classifier, key, total - have, first=have)
            noisy *= deviation
            noisy += clean
            inputs = noisy.astype(classifier.facts.input.dtype, copy=False)
            even = sums.over(inputs[0::2], resolved, even)  # a look is at an even number of draws, but for the last
            odd = sums.over(inputs[1::2], resolved, odd)
            values, error = map_of(even, odd, total, channels)
            have = total
            if self.auto.satisfied(error.split_half):
                break
        return Explanation(self.name, values, None, resolved, predicted, float(probabilities[resolved]), error, have)


def map_of(even: GradientSums, odd: GradientSums, count: int, channels: int) -> tuple[Float32Array, ExplanationError]:
    """Turn the sums over either half of `count` draws into the map and its error; `channels` is their axis."""
    mean = (even.sum + odd.sum) / count
    variance = np.maximum((even.squares + odd.squares) / count - mean**2, 0) * (count / (count - 1))
    values = np.abs(mean).sum(axis=channels).astype(np.float32)
    standard_error = np.sqrt(variance.sum(axis=channels) / count).astype(np.float32)
    halves = (np.abs(part.sum).sum(axis=channels) for part in (even, odd))
    return values, ExplanationError(standard_error, split_half_agreement(*halves))


def input_noise(classifier: Classifier, key: Any, samples: int, first: int = 0) -> AnyArray:
    """Return S draws of unit noise in a member's layout and channel order, float32 (S, C, h, w) or (S, h, w, C).

    Draw `first` + s depends on the key and its number alone.
    """
    facts = classifier.facts.input
    height, width = facts.size
    noise = standard_normal(key, first, samples, facts.channels * height * width)
    noise = noise.reshape(samples, facts.channels, height, width)
    if facts.color == "BGR":
        noise = noise[:, ::-1]
    if facts.layout == "NHWC":
        noise = noise.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(noise)
