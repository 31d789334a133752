"""From stored explanations of one explainer to votes and scores, one image at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consensus_onnx.analysis import average_precision
from consensus_onnx.arrays import AnyArray, Float64Array
from consensus_onnx.consensus import (
    ConsensusSettings,
    common_grid,
    compare,
    family_weights,
    resolve_sigma,
    to_grid,
    to_scores,
)
from consensus_onnx.engine.images_stage import PreparedImage
from consensus_onnx.engine.member_state import MemberState
from consensus_onnx.engine.rows import RAGGED_CHUNK
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.explainers import Explainer


@dataclass(frozen=True)
class ExplainerResults:
    """Scores of one explainer; NaN where a member has no explanation of an image.

    Attributes
    ----------
    scores, leave_one_out, raw, mask_ap : float64 (M, I)
        Similarity to the consensus, to the vote of the others, the cosine or distance behind the former, average
        precision of the explanation against the object mask.
    consensus_ap : float64 (I,)
        Average precision of the consensus.
    consensus : sequence of float64 arrays, (K,) or (g, g), one per image
        The votes.
    sigma : float or None
        Width of the RBF that was used.
    grid : int or None
        Side of the grid on which maps were compared.
    """

    scores: Float64Array
    leave_one_out: Float64Array
    raw: Float64Array
    mask_ap: Float64Array
    consensus_ap: Float64Array
    consensus: Sequence[Float64Array]
    sigma: float | None
    grid: int | None


def score_explainer(
    store: RunStore,
    explainer: Explainer,
    states: Sequence[MemberState],
    images: Sequence[PreparedImage],
    receipts: Sequence[Mapping[int, Mapping[str, Any]]],
    voting: ConsensusSettings,
    settings: AuditSettings,
) -> ExplainerResults:
    """Vote and score one explainer's explanations, one image at a time."""
    members, count = len(states), len(images)
    pixel = explainer.kind == "pixel"
    explained = [state for state, known in zip(states, receipts, strict=True) if known]
    grid = _grid(settings, explained or states) if pixel else None
    side = settings.canvas.crop
    families = [state.member.family for state in states]
    raw, others, member_ap = (np.full((members, count), np.nan) for _ in range(3))
    consensus_ap = np.full(count, np.nan)
    votes: list[Float64Array] = []
    for column, image in enumerate(images):
        present = np.array([image.row in receipt for receipt in receipts])
        segments = None if pixel else store.segments(explainer.name, image.row)
        shape = (grid or 0, grid or 0) if segments is None else (int(segments.max()) + 1,)
        values = np.zeros((members, *shape))
        for index in np.flatnonzero(present).tolist():
            receipt = receipts[index][image.row]
            stored = store.explanation_array(explainer.name, states[index].digest, image.row, "values", receipt)
            values[index] = to_grid(stored, (shape[0], shape[0])) if pixel else stored
        weights = family_weights(families, present) if voting.weighting == "family" else None
        agreement = compare(values, voting, weights=weights, present=present)
        raw[:, column], others[:, column] = agreement.raw, agreement.raw_leave_one_out
        votes.append(agreement.consensus)
        if "mask" in image.array_digests and present.any():
            mask = store.mask(image.row)
            consensus_ap[column] = average_precision(mask, _on_canvas(agreement.consensus, segments, side))
            for index in np.flatnonzero(present).tolist():
                member_ap[index, column] = average_precision(mask, _on_canvas(values[index], segments, side))
    sigma = resolve_sigma(raw, voting)
    scores, leave_one_out = to_scores(raw, voting, sigma), to_scores(others, voting, sigma)
    return ExplainerResults(scores, leave_one_out, raw, member_ap, consensus_ap, votes, sigma, grid)


def _grid(settings: AuditSettings, states: Sequence[MemberState]) -> int:
    """Return the side of the common grid of some members; one that has no map at all has no say in it."""
    if settings.consensus.grid != "auto":
        return settings.consensus.grid
    sizes = [min(state.facts.input.size) for state in states if state.facts is not None]
    return common_grid(settings.canvas.crop, sizes)


def _on_canvas(values: Float64Array, segments: AnyArray | None, side: int) -> AnyArray:
    """Paint superpixel weights, or bring a map from the grid, onto the canvas."""
    return values[segments] if segments is not None else to_grid(values.astype(np.float32), (side, side))


def store_results(store: RunStore, name: str, result: ExplainerResults) -> None:
    """Keep scores and votes as arrays of the run, in place of earlier ones."""
    for field in ("scores", "leave_one_out", "raw", "mask_ap", "consensus_ap"):
        store.write_result(name, field, getattr(result, field))
    longest = max((vote.size for vote in result.consensus if vote.ndim == 1), default=0)
    if longest:
        stacked = np.full((len(result.consensus), -(-longest // RAGGED_CHUNK) * RAGGED_CHUNK), np.nan)
        for row, vote in zip(stacked, result.consensus, strict=True):
            row[: vote.size] = vote
        store.write_result(name, "consensus", stacked)
    else:
        store.write_result(name, "consensus", np.stack(list(result.consensus)).astype(np.float32))
