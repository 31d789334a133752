"""What else could explain a score: simple properties, correlations given them, and whether they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consensus_onnx.analysis.correlation import Correlation, correlate
from consensus_onnx.analysis.partial import PartialCorrelation, partial_correlation
from consensus_onnx.arrays import Float64Array

LEVEL = 0.05


@dataclass(frozen=True)
class Confound:
    """One simple property beside score and accuracy, over members.

    Parameters
    ----------
    name : str
        The property.
    with_score, with_accuracy : Correlation
        How it goes with either.
    given : PartialCorrelation
        Score and accuracy with the property held fixed.
    goes_with_score : bool
        Whether it goes with the score beyond chance, given how many properties were tried (Holm's procedure at 5 %).
    explains_away : bool
        Whether it does, and with it held fixed score and accuracy no longer go together beyond chance, although they
        did before.
    outdoes : bool
        Whether it does, and goes with the score more closely than accuracy does.
    """

    name: str
    with_score: Correlation
    with_accuracy: Correlation
    given: PartialCorrelation
    goes_with_score: bool
    explains_away: bool
    outdoes: bool


@dataclass(frozen=True)
class Confounds:
    """All properties that were tried.

    Parameters
    ----------
    plain : Correlation
        Score and accuracy, nothing held fixed.
    each : tuple of Confound
        By property.
    jointly : PartialCorrelation
        Score and accuracy with all properties held fixed; nan where there are too few members for it.
    """

    plain: Correlation
    each: tuple[Confound, ...]
    jointly: PartialCorrelation


def find_confounds(
    scores: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    properties: Mapping[str, npt.ArrayLike],
    *,
    seed: int = 0,
    resamples: int = 2000,
) -> Confounds:
    """Hold properties fixed, one by one and together.

    Parameters
    ----------
    scores, accuracy : array_like of shape (M,)
        nan where unknown.
    properties : mapping of str to array_like of shape (M,)
        Simple properties; those that do not vary, or are known for fewer than four members, are left out.
    seed : int
        Of the bootstrap intervals.
    resamples : int
        Of each interval.

    Returns
    -------
    Confounds
        In the order given.
    """
    score, right = np.asarray(scores, np.float64), np.asarray(accuracy, np.float64)
    plain = correlate(score, right, seed=seed, resamples=resamples)
    columns: dict[str, Float64Array] = {}
    found = {}
    for name, column in properties.items():
        values = np.asarray(column, np.float64)
        with_score = correlate(values, score, seed=seed, resamples=resamples)
        if with_score.n >= 4 and np.isfinite(with_score.pearson):
            columns[name], found[name] = values, with_score
    telling = holm([one.pearson_p for one in found.values()])
    each = []
    for (name, with_score), tells in zip(found.items(), telling, strict=True):
        given = partial_correlation(score, right, columns[name])
        each.append(
            Confound(
                name,
                with_score,
                correlate(columns[name], right, seed=seed, resamples=resamples),
                given,
                tells,
                explains_away=tells and plain.pearson_p < LEVEL <= given.p,
                outdoes=tells and abs(with_score.pearson) > abs(plain.pearson),
            )
        )
    table = np.stack(list(columns.values()), axis=1) if columns else np.empty((score.size, 0))
    return Confounds(plain, tuple(each), partial_correlation(score, right, table))


def holm(p_values: list[float], level: float = LEVEL) -> list[bool]:
    """Return which hypotheses fall when several are tried together, by Holm's procedure.

    Examples
    --------
    >>> holm([0.001, 0.04, 0.02])
    [True, True, True]
    >>> holm([0.03, 0.04])
    [False, False]
    """
    falls = [False] * len(p_values)
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if not p_values[index] <= level / (len(p_values) - place):
            break
        falls[index] = True
    return falls
