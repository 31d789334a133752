"""How explanations are voted on and compared, with one default for superpixels and one for pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal, TypeAlias

from consensus_onnx.config import check_settings, setting

Vote: TypeAlias = Literal["lime_paper", "minmax_mean", "mean_absolute", "median", "rank_mean", "m4"]
Measure: TypeAlias = Literal["cosine", "rbf"]
Form: TypeAlias = Literal["absolute", "signed", "squared"]
Weighting: TypeAlias = Literal["equal", "family"]

# The votes whose result lies on the scale of min-max-normalised explanations, as the RBF needs it.
_UNIT_SCALE_VOTES = ("minmax_mean", "median")


@dataclass(frozen=True)
class ConsensusSettings:
    """How members vote on an image, and how each is compared with the vote.

    The defaults are the paper's for superpixels; ``preset: pixels`` (`PIXEL_CONSENSUS`) is the paper's for pixel maps.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = MappingProxyType(
        {
            "superpixels": {"vote": "lime_paper", "similarity": "cosine", "form": "absolute"},
            "pixels": {"vote": "minmax_mean", "similarity": "rbf", "sigma": "median"},
            "m4": {"vote": "m4", "similarity": "cosine", "form": "squared"},
        }
    )

    vote: Vote = setting(
        "lime_paper",
        "how explanations become a consensus: lime_paper (mean of L^2/||L||), minmax_mean (mean of L scaled to 0..1), "
        "mean_absolute, median (of L scaled to 0..1), rank_mean (Borda count of |L|), m4 (mean of L^2)",
    )
    similarity: Measure = setting(
        "cosine", "cosine, or rbf: exp(-(d/sigma)^2/2) of the distance d between L scaled to 0..1 and the consensus"
    )
    form: Form = setting(
        "absolute", "what of an explanation enters the cosine; the paper does not say, and signed lowers every score"
    )
    sigma: float | Literal["median"] = setting(
        "median", "width of the rbf in units of d, or median: the median distance over the audit", above=0
    )
    weighting: Weighting = setting("equal", "equal: one vote per member; family: one vote per family, shared equally")

    def __post_init__(self) -> None:
        check_settings(self)
        if self.similarity == "rbf" and self.vote not in _UNIT_SCALE_VOTES:
            raise ValueError(
                f"ConsensusSettings.vote: must be {' or '.join(_UNIT_SCALE_VOTES)} with similarity rbf, which compares "
                f"explanations scaled to 0..1 with a consensus on that scale, got {self.vote!r}"
            )


SUPERPIXEL_CONSENSUS = ConsensusSettings()
PIXEL_CONSENSUS = ConsensusSettings(vote="minmax_mean", similarity="rbf")
