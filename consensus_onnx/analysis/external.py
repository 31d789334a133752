"""Scores from elsewhere, such as a user study or Network Dissection, compared by rank (the paper's Table 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from consensus_onnx.analysis.correlation import Correlation, correlate
from consensus_onnx.arrays import Float64Array


@dataclass(frozen=True)
class RankComparison:
    """Members ranked by imported scores and by the consensus.

    Parameters
    ----------
    members : tuple of int
        The N members that have both, the highest imported score first.
    imported, own : ndarray of shape (N,), float64
        Ranks from 1, the highest score first; ties share the mean of their places.
    found : Correlation
        Of the scores; Spearman's and Kendall's coefficients compare the ranks.
    """

    members: tuple[int, ...]
    imported: Float64Array
    own: Float64Array
    found: Correlation


def compare_ranks(names: Sequence[str], scores: Float64Array, imported: Mapping[str, float]) -> RankComparison:
    """Rank the members that have both scores.

    Parameters
    ----------
    names : sequence of str
        The M members.
    scores : ndarray of shape (M,), float64
        Their consensus scores, nan where unknown.
    imported : mapping of str to float
        Other scores by member, higher is better; names that are no member are not looked at.

    Returns
    -------
    RankComparison
        The ranks among these members only.
    """
    chosen = [index for index, name in enumerate(names) if name in imported and np.isfinite(scores[index])]
    other = np.array([imported[names[index]] for index in chosen])
    own = np.array([scores[index] for index in chosen])
    order = np.argsort(-other, kind="stable")
    return RankComparison(
        tuple(chosen[place] for place in order),
        rankdata(-other[order]) if chosen else np.empty(0),
        rankdata(-own[order]) if chosen else np.empty(0),
        correlate(other, own),
    )
