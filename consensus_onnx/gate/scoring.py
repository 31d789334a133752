"""One explanation against what was frozen: its score, its likeness to another, its precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from consensus_onnx.analysis import average_precision, predicted_map_reruns, predicted_reruns
from consensus_onnx.arrays import AnyArray, BoolArray, Float64Array, Int32Array
from consensus_onnx.consensus import ConsensusSettings, similarity, to_grid
from consensus_onnx.explainers import Explanation


def on_grid(values: AnyArray, grid: int | None) -> AnyArray:
    """Return superpixel weights (K,) as they are, a map as float32 (g, g) on the common grid."""
    return values if grid is None else to_grid(values.astype(np.float32), (grid, grid))


@dataclass(frozen=True)
class Yardstick:
    """What explanations of one picture by one explainer are held against.

    Attributes
    ----------
    consensus : float64 (K,) or float32 (g, g)
        The frozen vote.
    voting, sigma, grid
        How it was reached and compared.
    mask : bool (H, W) or None
        The object.
    """

    consensus: AnyArray
    voting: ConsensusSettings
    sigma: float | None
    grid: int | None
    mask: BoolArray | None

    def score(self, values: AnyArray) -> float:
        """Return the consensus score of an explanation on the grid, as an audit does; nan where it has no direction."""
        return similarity(values, self.consensus, self.voting.similarity, form=self.voting.form, sigma=self.sigma)

    def rerun(self, values: AnyArray, frozen: AnyArray, segments: Int32Array | None) -> tuple[float, float, float]:
        """Return score, likeness to the frozen explanation, and precision of a rerun at the member's own size."""
        on = on_grid(values, self.grid)
        return self.score(on), likeness(on, frozen), precision(on, segments, self.mask)

    def drawn(self, found: Explanation, draws: int, seed: int, channels: int) -> Float64Array:
        """Return the same three, (3, R), of R reruns drawn by an explanation's own standard errors."""
        frozen = on_grid(found.values, self.grid)
        reruns = _drawn_reruns(found, draws, seed, channels)
        return np.array([self.rerun(values, frozen, found.segments) for values in reruns]).T


def _drawn_reruns(found: Explanation, draws: int, seed: int, channels: int) -> Iterator[AnyArray]:
    """Yield what reruns of an explanation with other random numbers would look like."""
    values, error = found.values, found.error.standard_error
    if found.segments is not None:
        yield from predicted_reruns(values, error, draws, seed)
    else:
        yield from predicted_map_reruns(values, error, draws, seed, channels=channels)


def likeness(first: AnyArray, second: AnyArray) -> float:
    """Return the cosine of two explanations of one picture, signs included, -1..1; nan where one is zero everywhere.

    Unlike the score, which holds magnitudes against a vote of magnitudes, it tells a superpixel that speaks for the
    class from one that speaks against it. An explanation is like itself, exactly.
    """
    return similarity(first, second, "cosine", form="signed")


def precision(values: AnyArray, segments: Int32Array | None, mask: BoolArray | None) -> float:
    """Return the average precision of an explanation against an object (H, W); nan without one."""
    if mask is None:
        return float("nan")
    painted = values[segments] if segments is not None else to_grid(values.astype(np.float32), mask.shape)
    return average_precision(mask, painted)
