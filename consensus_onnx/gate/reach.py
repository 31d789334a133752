"""What a baseline can tell of each member's new exports: their noise, and the smallest drop it would find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis import bounded_mean, rerun_range, smallest_change
from consensus_onnx.gate.baseline import Baseline, FrozenExplainer
from consensus_onnx.gate.settings import GateSettings


@dataclass(frozen=True)
class Reach:
    """One member of a baseline, for one explainer.

    Attributes
    ----------
    member : str
        Its name.
    score, leave_one_out, mask_ap, split_half : float
        Means over images; nan where unknown.
    rerun_drop, rerun_similarity : float
        What the mean drop of its score is at most, and the mean cosine at least, when it is explained again with
        other random numbers.
    detectable : float
        The smallest true drop that is found, for a candidate that moves no more from image to image than a rerun.
    kept : bool
        Whether its explanations are in the baseline.
    """

    member: str
    score: float
    leave_one_out: float
    mask_ap: float
    split_half: float
    rerun_drop: float
    rerun_similarity: float
    detectable: float
    kept: bool


def reach_of(baseline: Baseline, entry: FrozenExplainer, settings: GateSettings | None = None) -> tuple[Reach, ...]:
    """Return what a baseline can tell of each member, under some conditions; the default's without."""
    settings = settings or GateSettings()
    limit = settings.limit("max_score_drop", entry.name) or 0.0
    rows = []
    for index, name in enumerate(baseline.names):
        drops = rerun_range(entry.scores[index] - entry.reruns.scores[:, index], level=settings.level)
        likeness = rerun_range(entry.reruns.similarities[:, index], level=settings.level)
        images = int(np.isfinite(entry.scores[index]).sum())
        score, others, precision, halves = (
            bounded_mean(table[index]).mean
            for table in (entry.scores, entry.leave_one_out, entry.mask_ap, entry.split_half)
        )
        detectable = smallest_change(
            drops.spread,
            images,
            threshold=float(np.fmax(limit, drops.high)),
            level=settings.level,
            power=settings.power,
        )
        noise = (drops.high, likeness.low, detectable)
        rows.append(Reach(name, score, others, precision, halves, *noise, kept=name in entry.explanations))
    return tuple(rows)
