"""From the explanations of all members for one image to their consensus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from consensus_onnx.arrays import AnyArray, Float64Array
from consensus_onnx.config.values import did_you_mean
from consensus_onnx.consensus.similarities import to_unit_scale
from consensus_onnx.consensus.stacking import stack
from consensus_onnx.consensus.weighting import check_weights
from consensus_onnx_kernels.votes import vote_minmax_mean, vote_squared_norm

VoteFunction: TypeAlias = Callable[[AnyArray, Float64Array], Float64Array]
"""Takes explanations (M, N) and weights (M,), returns the vote (N,)."""


@dataclass(frozen=True)
class VoteMethod:
    """One way to vote.

    Parameters
    ----------
    function : callable
        From explanations (M, N) and weights (M,) to the vote (N,).
    is_mean : bool
        Whether the vote is the weighted mean of one share per member, so that a member's share is the vote of that
        member alone, and the vote without a member needs no second count.
    """

    function: VoteFunction
    is_mean: bool = True


def vote(
    explanations: Sequence[Any] | AnyArray, method: str = "lime_paper", *, weights: npt.ArrayLike | None = None
) -> Float64Array:
    """Let the members vote on what matters in one image.

    Parameters
    ----------
    explanations : sequence of explanations, or ndarray of shape (M, ...)
        One per member: arrays, or objects that hold one as `values`; (K,) superpixel weights or (H, W) maps.
    method : str
        ``lime_paper``: mean of L^2 / ||L||, the paper's vote on superpixels. Of degree 1 in L: a member whose weights
        are twice as large has twice the influence.
        ``minmax_mean``: mean of (L - min L) / (max L - min L), the paper's vote on pixels.
        ``mean_absolute``: mean of |L|.
        ``median``: weighted median of the explanations scaled to 0..1.
        ``rank_mean``: mean of the ranks of |L| as shares in 0..1, ties at their middle (Borda's count).
        ``m4``: mean of L^2, as the M4 benchmark votes.
    weights : array_like of shape (M,), optional
        Weight of each member; None counts all alike.

    Returns
    -------
    ndarray of shape (K,) or (H, W), float64
        The consensus, not negative.

    Raises
    ------
    TypeError, ValueError
        If an explanation, the weights or the method cannot be used; the message names the member's index.

    Examples
    --------
    >>> vote([[3.0, -4.0], [0.0, 2.0]])
    array([0.9, 2.6])
    """
    values = stack(explanations)
    checked = check_weights(weights, len(values))
    flat = vote_method(method).function(values.reshape(len(values), -1), checked)
    return flat.reshape(values.shape[1:])


def vote_method(name: str) -> VoteMethod:
    """Return a vote by its name, or raise ValueError with the nearest one."""
    if name not in VOTES:
        hint = did_you_mean(name, VOTES)
        raise ValueError(f"method: unknown vote {name!r}{hint}; votes: {', '.join(VOTES)}")
    return VOTES[name]


# np.average multiplies and adds row after row. A product of matrices would go through BLAS, whose last bits depend on
# the number of threads.
def _mean_absolute(values: AnyArray, weights: Float64Array) -> Float64Array:
    average: Float64Array = np.average(np.abs(values), axis=0, weights=weights)
    return average


def _mean_square(values: AnyArray, weights: Float64Array) -> Float64Array:
    average: Float64Array = np.average(np.square(values, dtype=np.float64), axis=0, weights=weights)
    return average


def _rank_mean(values: AnyArray, weights: Float64Array) -> Float64Array:
    from scipy.stats import rankdata  # here, because importing it takes half a second

    ranks = rankdata(np.abs(values), axis=1) - 1.0
    average: Float64Array = np.average(ranks / max(values.shape[1] - 1, 1), axis=0, weights=weights)
    return average


def _median(values: AnyArray, weights: Float64Array) -> Float64Array:
    """Middle of all points at which the weight below and the weight above are at most half."""
    scaled = to_unit_scale(values)
    order = np.argsort(scaled, axis=0, kind="stable")
    ordered = np.take_along_axis(scaled, order, axis=0)
    reached = np.cumsum(weights[order], axis=0) / weights.sum()
    # Sums of weights such as 1/3 miss a half by a rounding error.
    low = np.argmax(reached >= 0.5 - 1e-12, axis=0)
    high = np.argmax(reached > 0.5 + 1e-12, axis=0)
    middle = np.take_along_axis(ordered, np.stack([low, high]), axis=0).mean(axis=0)
    return np.asarray(middle, dtype=np.float64)


VOTES: Mapping[str, VoteMethod] = MappingProxyType(
    {
        "lime_paper": VoteMethod(vote_squared_norm),
        "minmax_mean": VoteMethod(vote_minmax_mean),
        "mean_absolute": VoteMethod(_mean_absolute),
        "median": VoteMethod(_median, is_mean=False),
        "rank_mean": VoteMethod(_rank_mean),
        "m4": VoteMethod(_mean_square),
    }
)
