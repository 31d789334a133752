"""From evidence to checks: a condition fails only where it is broken beyond doubt and beyond the noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from consensus_onnx.analysis import (
    Bounded,
    RerunRange,
    bounded_mean,
    bounded_share,
    committee_place,
    images_needed,
    rerun_range,
    smallest_change,
)
from consensus_onnx.arrays import Float64Array, Int64Array
from consensus_onnx.gate.evidence import Evidence
from consensus_onnx.gate.results import Check, Status
from consensus_onnx.gate.settings import GateSettings

_TITLES = {"lime": "LIME", "smoothgrad": "SmoothGrad"}
_NO_NOISE = RerunRange(*(4 * (math.nan,)))


def place_check(evidence: Evidence, settings: GateSettings) -> Check | None:
    """Judge the candidate's place among the members; None without limit, or where the reference was the only one."""
    limit = settings.min_score_percentile
    if limit is None or (evidence.reference is not None and not len(evidence.committee)):
        return None
    explainer = evidence.frozen.name
    place = committee_place(evidence.candidate.scores, evidence.committee, level=settings.level)
    images = int(np.isfinite(evidence.candidate.scores).sum())
    text = f"{_TITLES[explainer]} score: place {place.percentile:.0f} of 100 among {place.members} members"
    noise = _rerun_place(evidence)
    broken = place.at_most < np.fmin(limit, noise)
    if broken and evidence.reference is not None:
        before = committee_place(evidence.reference.scores, evidence.committee, level=settings.level).percentile
        if before < limit:
            broken = False
            text += f"; the reference is below {limit:g}, too ({before:.0f})"
    status: Status = "unjudged" if math.isnan(place.at_most) else "failed" if broken else "passed"
    known = "" if math.isnan(noise) else f", reruns of the unchanged model {noise:.0f}"
    text += f"; at most {place.at_most:.0f}, limit {limit:g}{known}" if status != "unjudged" else "; cannot be placed"
    return Check(
        "min_score_percentile",
        explainer,
        status,
        place.percentile,
        place.low,
        place.high,
        place.at_most,
        limit,
        noise,
        math.nan,
        images,
        None,
        text,
    )


def _rerun_place(evidence: Evidence) -> float:
    """Return the lowest place that reruns of the unchanged reference take; nan without a reference."""
    if evidence.noise is None:
        return math.nan
    places = [committee_place(scores, evidence.committee).percentile for scores in evidence.noise.scores]
    return min((place for place in places if not math.isnan(place)), default=math.nan)


def score_check(evidence: Evidence, settings: GateSettings) -> Check | None:
    """Judge how far the consensus score fell below the reference's; None without limit, reference or committee."""
    reference, noise = evidence.reference, evidence.noise
    limit = settings.limit("max_score_drop", evidence.frozen.name)
    if limit is None or reference is None or len(evidence.frozen.scores) < 2:
        return None  # the consensus of one is its own explanation, and the RBF has no scale
    drops = reference.scores - evidence.candidate.scores
    reruns = _NO_NOISE if noise is None else rerun_range(reference.scores - noise.scores, level=settings.level)
    what = f"{_TITLES[evidence.frozen.name]} score"
    return _drop_check("max_score_drop", evidence.frozen.name, what, drops, reruns, limit, settings)


def precision_check(evidence: Evidence, settings: GateSettings) -> Check | None:
    """Judge how far the explanations' average precision fell; None without limit, reference or masks."""
    reference, noise = evidence.reference, evidence.noise
    limit = settings.limit("max_mask_ap_drop", evidence.frozen.name)
    if limit is None or reference is None or not np.isfinite(reference.mask_ap).any():
        return None
    drops = reference.mask_ap - evidence.candidate.mask_ap
    reruns = _NO_NOISE if noise is None else rerun_range(reference.mask_ap - noise.mask_ap, level=settings.level)
    what = f"{_TITLES[evidence.frozen.name]} mask AP"
    return _drop_check("max_mask_ap_drop", evidence.frozen.name, what, drops, reruns, limit, settings)


def accuracy_check(
    candidate: Int64Array, reference: Int64Array | None, labels: Int64Array, settings: GateSettings
) -> Check | None:
    """Judge how far accuracy fell; None without limit, reference or labels."""
    limit = settings.max_accuracy_drop
    if limit is None or reference is None or not (labels >= 0).any():
        return None
    known = (labels >= 0) & (candidate >= 0) & (reference >= 0)
    drops = np.where(known, (reference == labels).astype(np.float64) - (candidate == labels), np.nan)
    return _drop_check("max_accuracy_drop", "", "accuracy", drops, _NO_NOISE, limit, settings)


def similarity_check(evidence: Evidence, settings: GateSettings) -> Check | None:
    """Judge how like the reference's the explanations are; None without limit or reference."""
    noise, name = evidence.noise, evidence.frozen.name
    limit = settings.limit("min_similarity_to_reference", name)
    if limit is None or evidence.reference is None:
        return None
    found = bounded_mean(evidence.similarities, level=settings.level)
    reruns = _NO_NOISE if noise is None else rerun_range(noise.similarities, level=settings.level)
    least = np.fmin(limit, reruns.low)
    status = _status(found, lambda: found.at_most < least)
    spread = float(np.fmax(found.spread, reruns.spread))
    detectable = smallest_change(spread, found.images, threshold=1 - least, level=settings.level, power=settings.power)
    text = f"{_TITLES[name]} explanations: cosine with the reference's {_interval(found)}"
    text += _bound_in_words(found.at_most, "at most", limit, reruns.low) if status != "unjudged" else _UNKNOWN
    return _check(
        "min_similarity_to_reference",
        name,
        status,
        found,
        found.at_most,
        limit,
        reruns.low,
        detectable,
        _for_half(detectable, spread, 1 - float(np.fmin(limit, reruns.mean)), settings),
        text,
    )


def agreement_check(candidate: Int64Array, reference: Int64Array | None, settings: GateSettings) -> Check | None:
    """Judge on how many pictures both predict the same class; None without limit or reference."""
    limit = settings.min_prediction_agreement
    if limit is None or reference is None:
        return None
    known = (candidate >= 0) & (reference >= 0)
    count = int(known.sum())
    hits = int((candidate[known] == reference[known]).sum())
    found = bounded_share(hits, count, level=settings.level)
    status = _status(found, lambda: found.at_most < limit)
    failing = next(_failing_hits(count, limit, settings.level), None)
    text = f"predicts the reference's class on {hits} of {count} pictures"
    if status == "unjudged":
        text += _UNKNOWN
    else:
        text += f" (at most {found.at_most:.3f} of all, limit {limit:g}); "
        text += "too few to fail" if failing is None else f"fails from {count - failing} other answers on"
    detectable = math.nan if failing is None else 1 - failing / count
    return _check("min_prediction_agreement", "", status, found, found.at_most, limit, math.nan, detectable, None, text)


_UNKNOWN = ": cannot be judged (too few pictures)"


def _drop_check(
    condition: str,
    explainer: str,
    what: str,
    drops: Float64Array,
    reruns: RerunRange,
    limit: float,
    settings: GateSettings,
) -> Check:
    found = bounded_mean(drops, level=settings.level)
    most = float(np.fmax(limit, reruns.high))
    status = _status(found, lambda: found.at_least > most)
    spread = float(np.fmax(found.spread, reruns.spread))
    detectable = smallest_change(spread, found.images, threshold=most, level=settings.level, power=settings.power)
    text = f"{what}: drop {_interval(found)}"
    text += _bound_in_words(found.at_least, "at least", limit, reruns.high) if status != "unjudged" else _UNKNOWN
    for_half = _for_half(detectable, spread, float(np.fmax(limit, reruns.mean)), settings)
    return _check(condition, explainer, status, found, found.at_least, limit, reruns.high, detectable, for_half, text)


def _check(
    condition: str,
    explainer: str,
    status: Status,
    found: Bounded,
    bound: float,
    limit: float,
    noise: float,
    detectable: float,
    images_for_half: int | None,
    text: str,
) -> Check:
    return Check(
        condition,
        explainer,
        status,
        found.mean,
        found.low,
        found.high,
        bound,
        limit,
        noise,
        detectable,
        found.images,
        images_for_half,
        text,
    )


def _status(found: Bounded, broken: Callable[[], bool]) -> Status:
    if math.isnan(found.at_least):
        return "unjudged"
    return "failed" if broken() else "passed"


def _for_half(detectable: float, spread: float, threshold: float, settings: GateSettings) -> int | None:
    """Return how many images would find a drop half as far above the threshold."""
    if not math.isfinite(detectable):
        return None
    smaller = threshold + (detectable - threshold) / 2
    return images_needed(smaller, spread, threshold=threshold, level=settings.level, power=settings.power)


def _failing_hits(count: int, limit: float, level: float) -> Iterator[int]:
    """Yield the numbers of equal answers that fail, the most first."""
    return (hits for hits in range(count - 1, -1, -1) if bounded_share(hits, count, level=level).at_most < limit)


def _interval(found: Bounded) -> str:
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _bound_in_words(bound: float, word: str, limit: float, noise: float) -> str:
    known = "" if math.isnan(noise) else f", reruns of the unchanged model {noise:.3f}"
    return f", {word} {bound:.3f}; limit {limit:g}{known}"
