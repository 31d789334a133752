"""Every setting of an audit; configs/default.yaml is this, written out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from consensus_onnx.config import check_settings, setting
from consensus_onnx.consensus import PIXEL_CONSENSUS, SUPERPIXEL_CONSENSUS, ConsensusSettings
from consensus_onnx.engine.map_coding import MapForm
from consensus_onnx.explainers import Lime, SmoothGrad
from consensus_onnx.images import CanvasSettings
from consensus_onnx.runtime import RuntimeSettings


@dataclass(frozen=True)
class VotingSettings:
    """How explanations become a consensus, by what they weigh."""

    superpixel: ConsensusSettings = setting(SUPERPIXEL_CONSENSUS, "for weights of superpixels, such as LIME's")
    pixel: ConsensusSettings = setting(PIXEL_CONSENSUS, "for maps of pixels, such as SmoothGrad's")
    grid: int | Literal["auto"] = setting(
        "auto",
        "side of the square grid on which maps are compared; auto takes the largest divisor of the canvas that no "
        "member's input exceeds",
        minimum=1,
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class EngineSettings:
    """How the work is carried out; changes no result."""

    workers: int = setting(1, "members side by side, each in its own process; the cores are shared out", minimum=1)
    opening_seconds: float = setting(300.0, "limit for a worker to start and open its model", above=0.0)
    command_seconds: float = setting(1800.0, "limit for one explanation of one image", above=0.0)
    memory: int | Literal["auto"] = setting(
        "auto",
        "megabytes one worker may take on the CPU; auto shares out nine tenths of the machine's (or its control "
        "group's)",
        minimum=100,
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class StorageSettings:
    """In what form explanations are kept. Scores come from what is kept, so it is part of what an audit found."""

    maps: MapForm = setting(
        "float32",
        "maps of pixels: float32 (exact, about 360 kB for one of 224 x 224 with its errors), float16 (180 kB), or "
        "uint8 (50 kB: 101 levels of the map's own range, even in the square root; standard errors within 25 %)",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class AuditSettings:
    """What an audit does, apart from its committee and its pictures."""

    explainers: tuple[Literal["lime", "smoothgrad"], ...] = setting(("lime", "smoothgrad"), "which explainers run")
    target: int | Literal["predicted", "label", "majority"] = setting(
        "predicted",
        "the class that is explained: the member's own top-1, the image's label, the committee's majority, or a class",
        minimum=0,
    )
    seed: int = setting(0, "of everything random", minimum=0)
    limit: int | None = setting(None, "take the first N images only; a later, larger limit reuses the work", minimum=1)
    canvas: CanvasSettings = setting(CanvasSettings(), "the common picture every member is asked about")
    lime: Lime = setting(Lime(), "LIME over superpixels")
    smoothgrad: SmoothGrad = setting(SmoothGrad(), "SmoothGrad through gradient graphs")
    consensus: VotingSettings = setting(VotingSettings(), "from explanations to votes and scores")
    storage: StorageSettings = setting(StorageSettings(), "how explanations are kept")
    runtime: RuntimeSettings = setting(RuntimeSettings(), "how models are executed")
    engine: EngineSettings = setting(EngineSettings(), "processes and limits")

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.explainers or len(set(self.explainers)) != len(self.explainers):
            raise ValueError(f"AuditSettings.explainers: must name each explainer once, got {list(self.explainers)}")

    def chosen_explainers(self) -> tuple[Lime | SmoothGrad, ...]:
        """Return the explainers named by `explainers`, with their settings."""
        return tuple(self.lime if name == "lime" else self.smoothgrad for name in self.explainers)
