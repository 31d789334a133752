"""What a candidate must fulfil: the `gate` section of a YAML file; configs/gate.yaml is this, written out."""

from __future__ import annotations

from dataclasses import dataclass

from consensus_onnx.config import check_settings, setting
from consensus_onnx.engine.settings import EngineSettings


@dataclass(frozen=True)
class ByExplainer:
    """A limit for each explainer; null sets none."""

    lime: float | None = setting(None, "for LIME", minimum=-1.0, maximum=1.0)
    smoothgrad: float | None = setting(None, "for SmoothGrad", minimum=-1.0, maximum=1.0)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class GateSettings:
    """The conditions; a number for an explainer's condition means both explainers, null none."""

    min_score_percentile: float | None = setting(
        10.0,
        "least place of the candidate's consensus score among the committee's members, in per cent; not held against a "
        "candidate whose reference is below it, too",
        minimum=0.0,
        maximum=100.0,
    )
    max_score_drop: float | ByExplainer | None = setting(
        0.03, "most that its consensus score may lie below the reference's", minimum=0.0, maximum=1.0
    )
    min_similarity_to_reference: float | ByExplainer | None = setting(
        0.95, "least mean cosine of its explanations with the reference's", minimum=-1.0, maximum=1.0
    )
    min_prediction_agreement: float | None = setting(
        0.98, "least share of pictures on which it predicts the reference's class", minimum=0.0, maximum=1.0
    )
    max_accuracy_drop: float | None = setting(
        0.02, "most that its accuracy may lie below the reference's, on labelled pictures", minimum=0.0, maximum=1.0
    )
    max_mask_ap_drop: float | ByExplainer | None = setting(
        0.05,
        "most that the average precision of its explanations against object masks may lie below the reference's",
        minimum=0.0,
        maximum=1.0,
    )
    level: float = setting(
        0.95, "confidence with which a condition must be broken to fail, and of intervals", above=0.5, below=1.0
    )
    power: float = setting(0.8, "probability with which the smallest detectable drop is found", minimum=0.5, below=1.0)

    def __post_init__(self) -> None:
        check_settings(self)

    def limit(self, condition: str, explainer: str) -> float | None:
        """Return the limit of an explainer's condition, None where none is set."""
        value = getattr(self, condition)
        limit: float | None = getattr(value, explainer) if isinstance(value, ByExplainer) else value
        return limit


@dataclass(frozen=True)
class GateFile:
    """A whole YAML file of the gate."""

    gate: GateSettings = setting(GateSettings(), "what a candidate must fulfil")
    engine: EngineSettings = setting(EngineSettings(), "processes and limits")

    def __post_init__(self) -> None:
        check_settings(self)
