"""What is frozen of a run: all that a candidate is held against, and nothing that a model would be needed for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from consensus_onnx.arrays import AnyArray, BoolArray, Float64Array, Int32Array, Int64Array, UInt8Array
from consensus_onnx.consensus import ConsensusSettings
from consensus_onnx.engine.settings import StorageSettings
from consensus_onnx.explainers import Lime, SmoothGrad
from consensus_onnx.gate.scoring import Yardstick
from consensus_onnx.images import CanvasSettings
from consensus_onnx.runtime import RuntimeSettings

BuiltIn: TypeAlias = Lime | SmoothGrad
RerunSource: TypeAlias = Literal["measured", "predicted"]


@dataclass(frozen=True)
class FrozenImage:
    """One picture.

    Attributes
    ----------
    name : str
        As in the run.
    label : int or None
        True class.
    file_digest, canvas_digest : str
        sha256 of the picture's file, and of the canvas.
    """

    name: str
    label: int | None
    file_digest: str
    canvas_digest: str


@dataclass(frozen=True)
class FrozenMember:
    """One member that was explained.

    Attributes
    ----------
    name, family, digest : str
        As in committee.csv.
    provider : str
        That ran it.
    accuracy : float or None
        Measured on the frozen pictures, 0..1.
    inheritable : mapping of str to mapping
        What a new export of it keeps: preprocessing, colour order, class offset.
    """

    name: str
    family: str
    digest: str
    provider: str
    accuracy: float | None
    inheritable: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Reruns:
    """What members would show if they were explained again with other random numbers.

    Attributes
    ----------
    source : 'measured' or 'predicted'
        By explaining them again, or from the explanations' standard errors.
    scores, similarities, mask_ap : float64 (R, M, I)
        Score of a rerun, its cosine with the frozen explanation, its average precision; nan where unknown.
    """

    source: RerunSource
    scores: Float64Array
    similarities: Float64Array
    mask_ap: Float64Array


@dataclass(frozen=True)
class FrozenExplainer:
    """One explainer's part.

    Attributes
    ----------
    explainer : Lime or SmoothGrad
        With its settings.
    voting : ConsensusSettings
        How the consensus was voted and is compared with.
    sigma : float or None
        Width of the RBF that was used.
    grid : int or None
        Side of the grid maps are compared on.
    consensus : tuple of float64 (K,) or (g, g)
        One per picture.
    scores, leave_one_out, mask_ap, split_half : float64 (M, I)
        Of every member; nan where there is none.
    targets : int64 (M, I)
        Class explained; -1 where there is no explanation.
    consensus_ap : float64 (I,)
        Average precision of the consensus.
    explanations : mapping of str to tuple of arrays
        Of the members that can be a reference without their file, one per picture, (K,) or (g, g) float32; empty
        where there is none.
    reruns : Reruns
        The noise of all this.
    """

    explainer: BuiltIn
    voting: ConsensusSettings
    sigma: float | None
    grid: int | None
    consensus: tuple[Float64Array, ...]
    scores: Float64Array
    leave_one_out: Float64Array
    mask_ap: Float64Array
    split_half: Float64Array
    targets: Int64Array
    consensus_ap: Float64Array
    explanations: Mapping[str, tuple[AnyArray, ...]]
    reruns: Reruns

    @property
    def name(self) -> str:
        """Of the explainer."""
        return self.explainer.name

    def yardstick(self, picture: int, mask: BoolArray | None) -> Yardstick:
        """Return what explanations of a picture are held against."""
        return Yardstick(self.consensus[picture], self.voting, self.sigma, self.grid, mask)


@dataclass(frozen=True)
class Baseline:
    """A frozen run.

    Attributes
    ----------
    committee : str
        Its name.
    classes : int
        Size of the label space, L.
    target : str or int
        Policy of the run.
    seed : int
        Of everything random.
    canvas : CanvasSettings
        Geometry of the canvas.
    runtime : RuntimeSettings
        Provider and optimisation as the run asked for them.
    storage : StorageSettings
        How the run kept its maps: candidates' are kept alike, so that the same model shows the same.
    members : tuple of FrozenMember
        M, those that were explained.
    images : tuple of FrozenImage
        I.
    predicted : int64 (M, I)
        Members' own top-1; -1 where unknown.
    canvases : uint8 (I, H, W, 3) or None
        None where pictures are frozen by reference.
    masks : bool (I, H, W) or None
        Objects; all False where a picture has no mask. None where no picture has one.
    segments : mapping of str to int32 (I, H, W)
        Superpixels by explainer.
    explainers : tuple of FrozenExplainer
        One or two.
    versions : mapping of str to str
        Software of the run.
    """

    committee: str
    classes: int
    target: str | int
    seed: int
    canvas: CanvasSettings
    runtime: RuntimeSettings
    storage: StorageSettings
    members: tuple[FrozenMember, ...]
    images: tuple[FrozenImage, ...]
    predicted: Int64Array
    canvases: UInt8Array | None
    masks: BoolArray | None
    segments: Mapping[str, Int32Array]
    explainers: tuple[FrozenExplainer, ...]
    versions: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the members."""
        return tuple(member.name for member in self.members)

    @property
    def labels(self) -> Int64Array:
        """True classes (I,), -1 where unknown."""
        return np.array([-1 if image.label is None else image.label for image in self.images], np.int64)

    @property
    def shared_targets(self) -> Int64Array | None:
        """The class explained on each picture (I,), where the policy gives all members the same; None for their own."""
        if self.target == "predicted":
            return None
        return np.asarray(self.explainers[0].targets.max(axis=0))

    def mask(self, image: int) -> BoolArray | None:
        """Return the object mask (H, W) of a picture, None if it has none."""
        if self.masks is None or not self.masks[image].any():
            return None
        return np.asarray(self.masks[image])
