"""What the gate found of a candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from consensus_onnx.arrays import AnyArray

Status: TypeAlias = Literal["passed", "failed", "unjudged"]
Verdict: TypeAlias = Literal["passed", "failed", "incomplete", "broken"]


@dataclass(frozen=True)
class Check:
    """One condition, measured.

    Attributes
    ----------
    condition, explainer : str
        Its name in the settings; '' where it is of no explainer.
    status : str
        'failed' only if the bound lies beyond limit and noise; 'unjudged' where it could not be measured.
    measured, low, high : float
        Mean over images and the ends of its interval; a drop is reference less candidate.
    bound : float
        One-sided: what the drop is at least, or the share, similarity or place at most.
    limit : float
        As set.
    noise : float
        What an unchanged model would show at most (a drop) or at least (a similarity) with other random numbers; nan
        where there is no noise.
    detectable : float
        The smallest true drop, or fall below 1, that this baseline could have found; nan where it cannot be said.
    images : int
        It was measured on.
    images_for_half : int or None
        How many images would find half of that; None where no number would.
    text : str
        In words.
    """

    condition: str
    explainer: str
    status: Status
    measured: float
    low: float
    high: float
    bound: float
    limit: float
    noise: float
    detectable: float
    images: int
    images_for_half: int | None
    text: str

    @property
    def name(self) -> str:
        """Condition and explainer as one word, 'max_score_drop.lime'."""
        return f"{self.condition}.{self.explainer}" if self.explainer else self.condition


@dataclass(frozen=True)
class Standing:
    """The candidate beside committee and reference, for one explainer.

    Attributes
    ----------
    explainer : str
        Which.
    score, score_low, score_high : float
        Consensus score and its interval.
    percentile, percentile_low, percentile_high : float
        Place among the members.
    members : int
        It was compared with.
    reference_score, similarity, mask_ap, reference_mask_ap : float
        Of the reference, to it, and average precisions; nan where there is none.
    split_half, reference_split_half : float
        Mean agreement of the halves of the samples.
    reruns : str
        Where the noise was taken from: 'measured', 'predicted', or '' without a reference.
    """

    explainer: str
    score: float
    score_low: float
    score_high: float
    percentile: float
    percentile_low: float
    percentile_high: float
    members: int
    reference_score: float
    similarity: float
    mask_ap: float
    reference_mask_ap: float
    split_half: float
    reference_split_half: float
    reruns: str


@dataclass(frozen=True)
class ImageDrift:
    """A picture on which candidate and reference (or consensus) are far apart, with what both said.

    Attributes
    ----------
    image : str
        Its name.
    explainer : str
        Which explanation.
    similarity, score, reference_score : float
        As in `Standing`, of this picture.
    target, predicted, reference_predicted : int
        Class explained; what either predicts, -1 where unknown.
    canvas : uint8 (H, W, 3)
        The picture.
    segments : int32 (H, W) or None
        Superpixels of the weights.
    candidate, reference, consensus : arrays (K,) or (g, g); reference may be None
        The explanations.
    """

    image: str
    explainer: str
    similarity: float
    score: float
    reference_score: float
    target: int
    predicted: int
    reference_predicted: int
    canvas: AnyArray
    segments: AnyArray | None
    candidate: AnyArray
    reference: AnyArray | None
    consensus: AnyArray


@dataclass(frozen=True)
class Failed:
    """A picture of which the candidate or the reference could give no explanation or prediction."""

    model: str
    explainer: str
    image: str
    status: str
    reason: str


@dataclass(frozen=True)
class CandidateResult:
    """Everything the gate found of one candidate.

    Attributes
    ----------
    candidate, path : str
        Its name, and its file as it was given.
    digest : str
        Of the model and its preprocessing; empty if it could not be opened.
    verdict : str
        'broken' if it could not be explained at all, 'incomplete' if no condition failed but something could not be
        judged.
    reason : str
        Why it is broken; else empty.
    reference : str
        Name or file; empty without.
    preprocessing : str
        Where it came from, and what it is.
    targets : str
        Which classes were explained, in words.
    checks : tuple of Check
        One per condition.
    standings : tuple of Standing
        One per explainer.
    agreement, accuracy, reference_accuracy : float
        Shares; nan where unknown.
    worst : tuple of ImageDrift
        The pictures with the largest drift.
    failures : tuple of Failed
        What could not be had.
    notices : tuple of str
        What a person should know.
    """

    candidate: str
    path: str
    digest: str
    verdict: Verdict
    reason: str
    reference: str
    preprocessing: str
    targets: str
    checks: tuple[Check, ...]
    standings: tuple[Standing, ...]
    agreement: float
    accuracy: float
    reference_accuracy: float
    worst: tuple[ImageDrift, ...]
    failures: tuple[Failed, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class GateResult:
    """The gate's whole outcome.

    Attributes
    ----------
    baseline, baseline_sha256, committee : str
        File, its digest, the committee's name.
    members, images : int
        In it.
    seed : int
        Used.
    settings : mapping
        The conditions, as plain values.
    candidates : tuple of CandidateResult
        In the order given.
    versions : mapping of str to str
        Software now.
    """

    baseline: str
    baseline_sha256: str
    committee: str
    members: int
    images: int
    seed: int
    settings: Mapping[str, Any]
    candidates: tuple[CandidateResult, ...]
    versions: Mapping[str, str]

    @property
    def verdict(self) -> Verdict:
        """The gravest of the candidates': broken, failed, incomplete, passed."""
        order: tuple[Verdict, ...] = ("broken", "failed", "incomplete", "passed")
        found = {candidate.verdict for candidate in self.candidates}
        return next(verdict for verdict in order if verdict in found)
