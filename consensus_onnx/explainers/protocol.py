"""What an explainer is: anything with a name, a kind and `explain`. Users write their own this way."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

from consensus_onnx.arrays import Float64Array, Int32Array, UInt8Array
from consensus_onnx.committee import Classifier, Member
from consensus_onnx.explainers.explanation import Explanation
from consensus_onnx.images import Superpixels

Kind: TypeAlias = Literal["superpixel", "pixel"]
Target: TypeAlias = Literal["predicted"] | int


@runtime_checkable
class Explainer(Protocol):
    """Explains one member on one canvas.

    An explainer is a frozen dataclass: its fields are the settings that are written into the run and that decide
    which stored explanations can be reused. It must be importable by the worker processes of an audit (defined in a
    module, or in a script whose `audit` call stands under ``if __name__ == "__main__":``).

    Attributes
    ----------
    name : str
        Names its results; unique within an audit.
    kind : 'superpixel' or 'pixel'
        Whether `explain` returns weights of superpixels (K,) or a map (h, w); decides the default vote.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def kind(self) -> Kind: ...  # noqa: D102

    def explain(
        self,
        member: Member | Classifier,
        canvas: UInt8Array,
        target: Target = "predicted",
        seed: int = 0,
        *,
        segments: Int32Array | None = None,
    ) -> Explanation:
        """Explain why `member` sees `target` in `canvas`.

        Parameters
        ----------
        member : Member or Classifier
            A member (opened for this call alone) or an opened one.
        canvas : uint8 (H, W, 3)
            RGB picture.
        target : 'predicted' or int
            The member's own top-1, or a class of the common label space.
        seed : int
            Of everything random.
        segments : int32 (H, W), optional
            Superpixels of the canvas where they are known already; pixel explainers take no notice of them.
        """
        ...


@runtime_checkable
class SuperpixelExplainer(Explainer, Protocol):
    """An explainer over superpixels; an audit computes them once per picture for all members."""

    @property
    def superpixels(self) -> Superpixels: ...  # noqa: D102


def opened(member: Member | Classifier) -> Classifier:
    """Return the classifier itself, or the member opened with default runtime settings."""
    return member if isinstance(member, Classifier) else member.open()


def resolve_target(target: Target, probabilities: Float64Array) -> tuple[int, int]:
    """Return (target class, predicted class) for the clean canvas' probabilities (L,).

    Raises
    ------
    ValueError
        If the target is no class of the label space, or a policy that only an audit can resolve.
    """
    predicted = int(np.argmax(probabilities))
    if target == "predicted":
        return predicted, predicted
    if isinstance(target, str):
        raise ValueError(
            f"target: must be 'predicted' or a class index here, got {target!r}; an audit resolves the others"
        )
    if not 0 <= target < len(probabilities):
        raise ValueError(f"target: must be a class in 0..{len(probabilities) - 1}, got {target}")
    return int(target), predicted
