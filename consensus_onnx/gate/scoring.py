"""One explanation against what was frozen: its score, its likeness to another, its precision."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from consensus_onnx.analysis import average_precision, predicted_map_reruns, predicted_reruns
from consensus_onnx.arrays import AnyArray, BoolArray, Int32Array
from consensus_onnx.consensus import ConsensusSettings, similarity, to_grid
from consensus_onnx.explainers import Explanation


def on_grid(values: AnyArray, grid: int | None) -> AnyArray:
    """Return superpixel weights (K,) as they are, a map as float32 (g, g) on the common grid."""
    return values if grid is None else to_grid(values.astype(np.float32), (grid, grid))


def score_of(values: AnyArray, consensus: AnyArray, voting: ConsensusSettings, sigma: float | None) -> float:
    """Return the consensus score of an explanation on the grid, as an audit does; nan where it has no direction."""
    return similarity(values, consensus, voting.similarity, form=voting.form, sigma=sigma)


def drawn_reruns(found: Explanation, draws: int, seed: int, channels: int) -> Iterator[AnyArray]:
    """Yield what reruns of an explanation with other random numbers would look like, by its own standard errors."""
    values, error = found.values, found.error.standard_error
    if found.segments is not None:
        yield from predicted_reruns(values, error, draws, seed)
    else:
        yield from predicted_map_reruns(values, error, draws, seed, channels=channels)


def likeness(first: AnyArray, second: AnyArray) -> float:
    """Return the cosine of two explanations of one picture, signs included, -1..1; nan where one is zero everywhere.

    Unlike the score, which holds magnitudes against a vote of magnitudes, it tells a superpixel that speaks for the
    class from one that speaks against it.
    """
    if not np.any(first) or not np.any(second):
        return float("nan")
    a, b = first.astype(np.float64).ravel(), second.astype(np.float64).ravel()
    # Not BLAS: its last bits depend on the number of threads. An explanation is like itself, exactly.
    cosine = float(np.sum(a * b)) / float(np.sqrt(np.sum(a * a) * np.sum(b * b)))
    return min(1.0, max(-1.0, cosine))


def precision(values: AnyArray, segments: Int32Array | None, mask: BoolArray | None) -> float:
    """Return the average precision of an explanation against an object (H, W); nan without one."""
    if mask is None:
        return float("nan")
    painted = values[segments] if segments is not None else to_grid(values.astype(np.float32), mask.shape)
    return average_precision(mask, painted)
