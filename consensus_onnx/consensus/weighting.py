"""How much each member's vote counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from consensus_onnx.arrays import BoolArray, Float64Array


def family_weights(families: Sequence[str], present: BoolArray | None = None) -> Float64Array:
    """Give every family one vote, shared equally by its members.

    Parameters
    ----------
    families : sequence of str
        Family of each member, M of them; a member of the empty family stands alone.
    present : ndarray of shape (M,), bool, optional
        Members that vote on this image; None means all of them.

    Returns
    -------
    ndarray of shape (M,), float64
        Weights that sum to 1; zero for absent members. All zero if nobody is present.

    Examples
    --------
    >>> family_weights(["ResNet", "ResNet", "VGG", ""])
    array([0.16666667, 0.16666667, 0.33333333, 0.33333333])
    """
    votes = np.ones(len(families), np.bool_) if present is None else present
    named = [(family, index if not family else None) for index, family in enumerate(families)]
    sizes = Counter(family for family, voting in zip(named, votes, strict=True) if voting)
    shares = [1.0 / sizes[family] if voting else 0.0 for family, voting in zip(named, votes, strict=True)]
    return np.array(shares) / max(len(sizes), 1)


def check_weights(weights: npt.ArrayLike | None, count: int) -> Float64Array:
    """Return the members' weights as an array, equal ones for None.

    Parameters
    ----------
    weights : array_like of shape (M,), optional
        Weights, not negative, not all zero; only their ratios matter.
    count : int
        Number of members, M.

    Returns
    -------
    ndarray of shape (M,), float64
        The weights as given, or ones.

    Raises
    ------
    ValueError
        If their number is wrong or one of them is negative or not finite, or all are zero.
    """
    if weights is None:
        return np.ones(count)
    checked = np.ascontiguousarray(weights, dtype=np.float64)
    if checked.shape != (count,):
        raise ValueError(f"weights: expected one per member, shape ({count},), got {checked.shape}")
    bad = np.flatnonzero(~np.isfinite(checked) | (checked < 0))
    if bad.size:
        raise ValueError(f"weights[{bad[0]}]: must be a finite number >= 0, got {checked[bad[0]]}")
    if not checked.any():
        raise ValueError("weights: at least one must be above 0, got only zeros")
    return checked
