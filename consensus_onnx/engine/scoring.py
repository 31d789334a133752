"""From stored explanations of one explainer to votes and scores: several images at a time, each in its own thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from consensus_onnx.consensus.voting import vote_method
from consensus_onnx.engine.images_stage import PreparedImage
from consensus_onnx.engine.member_state import MemberState
from consensus_onnx.engine.rows import RAGGED_CHUNK
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.engine.supervisor import threads_per_worker
from consensus_onnx.explainers import Explainer

_MEMORY = 1 << 30  # bytes that images in work may take together
# Of one image's (M, N) stack: the maps, the sums of their shares, what is copied on the way; and for a vote that sorts.
_BYTES_A_NUMBER, _BYTES_A_NUMBER_SORTED = 24, 80


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
    """Vote and score one explainer's explanations, and store votes and scores in place of earlier ones.

    Explanations are read image by image and votes written as soon as they are counted, so memory grows with members
    only by one image's maps, and with images only by a few numbers each.
    """
    pixel = explainer.kind == "pixel"
    explained = [state for state, known in zip(states, receipts, strict=True) if known]
    grid = _grid(settings, explained or states) if pixel else None
    scorer = _ImageScorer(store, explainer.name, states, receipts, voting, grid, settings.canvas.crop)
    raw, others, member_ap = (np.full((len(states), len(images)), np.nan) for _ in range(3))
    consensus_ap = np.full(len(images), np.nan)
    longest = max((image.superpixels[explainer.name] for image in images), default=0) if grid is None else 0
    votes: Any = (
        store.result_rows(explainer.name, "consensus", (len(images), grid, grid), np.float32)
        if grid is not None
        else np.full((len(images), -(-longest // RAGGED_CHUNK) * RAGGED_CHUNK), np.nan)
    )

    def work(column: int) -> None:
        found = scorer.score(images[column])
        raw[:, column], others[:, column], member_ap[:, column] = found.raw, found.others, found.member_ap
        consensus_ap[column] = found.consensus_ap
        place = column if grid is not None else (column, slice(found.vote.size))
        votes[place] = found.vote

    _in_threads(work, len(images), _threads(len(states), grid, voting))
    sigma = resolve_sigma(raw, voting)
    scores, leave_one_out = to_scores(raw, voting, sigma), to_scores(others, voting, sigma)
    result = ExplainerResults(scores, leave_one_out, raw, member_ap, consensus_ap, sigma, grid)
    for field in ("scores", "leave_one_out", "raw", "mask_ap", "consensus_ap"):
        store.write_result(explainer.name, field, getattr(result, field))
    if grid is None:
        store.write_result(explainer.name, "consensus", votes)
    return result


@dataclass(frozen=True)
class _ImageScores:
    """What is kept of one image: one number per member (M,), and the vote."""

    raw: Float64Array
    others: Float64Array
    member_ap: Float64Array
    consensus_ap: float
    vote: Float64Array


@dataclass(frozen=True)
class _ImageScorer:
    """Votes on one image and scores every member on it."""

    store: RunStore
    explainer: str
    states: Sequence[MemberState]
    receipts: Sequence[Mapping[int, Mapping[str, Any]]]
    voting: ConsensusSettings
    grid: int | None
    side: int

    def score(self, image: PreparedImage) -> _ImageScores:
        """Read all members' explanations of an image, and compare."""
        present = np.array([image.row in receipt for receipt in self.receipts])
        segments = self.store.segments(self.explainer, image.row) if self.grid is None else None
        values = self._stack(image.row, present, segments)
        families = [state.member.family for state in self.states]
        weights = family_weights(families, present) if self.voting.weighting == "family" else None
        agreement = compare(values, self.voting, weights=weights, present=present)
        member_ap, consensus_ap = np.full(len(present), np.nan), float("nan")
        if "mask" in image.array_digests and present.any():
            mask = self.store.mask(image.row)
            consensus_ap = average_precision(mask, _on_canvas(agreement.consensus, segments, self.side))
            for index in np.flatnonzero(present).tolist():
                member_ap[index] = average_precision(mask, _on_canvas(values[index], segments, self.side))
        return _ImageScores(agreement.raw, agreement.raw_leave_one_out, member_ap, consensus_ap, agreement.consensus)

    def _stack(self, row: int, present: AnyArray, segments: AnyArray | None) -> AnyArray:
        """Return all members' explanations (M, K), or maps (M, g, g) on the common grid; zeros for absent ones."""
        count, grid = len(present), self.grid
        if segments is not None:
            values = np.zeros((count, int(segments.max()) + 1))
        else:
            values = np.zeros((count, grid or 0, grid or 0), np.float32)
        for index in np.flatnonzero(present).tolist():
            receipt = self.receipts[index][row]
            stored = self.store.explanation_array(self.explainer, self.states[index].digest, row, "values", receipt)
            values[index] = stored if grid is None else to_grid(stored, (grid, grid))
        return values


def _threads(members: int, grid: int | None, voting: ConsensusSettings) -> int:
    """Return how many images are worked on at a time: one a core, unless their maps would take too much memory."""
    if grid is None:
        return 1  # weights of superpixels: the time goes into reading, which is Python's and takes turns anyway
    each = _BYTES_A_NUMBER if vote_method(voting.vote).is_mean else _BYTES_A_NUMBER_SORTED
    return max(1, min(threads_per_worker(1), _MEMORY // (members * grid * grid * each)))


def _in_threads(work: Callable[[int], None], count: int, threads: int) -> None:
    """Do a piece of work for 0..count-1; the first failure ends it all."""
    if threads == 1:
        for index in range(count):
            work(index)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="voting")
    try:
        for _ in pool.map(work, range(count)):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


def _grid(settings: AuditSettings, states: Sequence[MemberState]) -> int:
    """Return the side of the common grid of some members; one that has no map at all has no say in it."""
    if settings.consensus.grid != "auto":
        return settings.consensus.grid
    sizes = [min(state.facts.input.size) for state in states if state.facts is not None]
    return common_grid(settings.canvas.crop, sizes)


def _on_canvas(values: Float64Array, segments: AnyArray | None, side: int) -> AnyArray:
    """Paint superpixel weights, or bring a map from the grid, onto the canvas."""
    return values[segments] if segments is not None else to_grid(values.astype(np.float32), (side, side))
