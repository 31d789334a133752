"""How near one explanation is to the consensus."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array
from consensus_onnx.consensus.settings import Form, Measure
from consensus_onnx.consensus.stacking import explanation_values
from consensus_onnx_kernels.similarity import cosine, distance
from consensus_onnx_kernels.votes import minmax


def similarity(
    explanation: Any,
    consensus: Any,
    measure: Measure = "cosine",
    *,
    form: Form = "absolute",
    sigma: float | None = None,
) -> float:
    """Compare one explanation with the consensus.

    Parameters
    ----------
    explanation : array_like, or object with an attribute `values`
        Superpixel weights (K,) or a map (H, W).
    consensus : array_like, or object with an attribute `values`
        The vote, of the same shape.
    measure : {"cosine", "rbf"}
        ``cosine``: cosine of the angle between the explanation, in the given form, and the consensus.
        ``rbf``: exp(-(d / sigma)^2 / 2), where d is the Euclidean distance between the explanation scaled to 0..1 and
        the consensus, which should be on that scale too.
    form : {"absolute", "signed", "squared"}
        What of the explanation enters the cosine: |L|, L or L^2. The consensus is not negative, so `signed` compares
        weights of both signs with magnitudes and is lower throughout.
    sigma : float, optional
        Width of the RBF, above 0, in units of the distance: for maps of 224 x 224 it is 224 times the root mean square
        difference.

    Returns
    -------
    float
        -1..1 for the cosine (0..1 unless signed), 0..1 for the RBF. The cosine is nan where the explanation or the
        consensus is zero everywhere, because zero has no direction. The RBF of a far explanation underflows to 0:
        see `log_similarity`.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used.

    Examples
    --------
    >>> round(similarity([3.0, -4.0], [9.0, 16.0]), 4)
    0.9914
    """
    values, reference = _pair(explanation, consensus)
    if measure == "cosine":
        return float(cosine(in_form(values, form), reference)[0])
    if measure == "rbf":
        return math.exp(_log_rbf(values, reference, sigma))
    raise ValueError(f"measure: must be 'cosine' or 'rbf', got {measure!r}")


def log_similarity(explanation: Any, consensus: Any, *, sigma: float) -> float:
    """Return the logarithm of the RBF similarity, which does not underflow.

    Parameters
    ----------
    explanation, consensus : array_like, or object with an attribute `values`
        As in `similarity`.
    sigma : float
        Width of the RBF, above 0.

    Returns
    -------
    float
        -(d / sigma)^2 / 2, at most 0.
    """
    return _log_rbf(*_pair(explanation, consensus), sigma)


def in_form(values: AnyArray, form: Form) -> AnyArray:
    """Return what of explanations enters the cosine; squares are taken in float64."""
    if form == "absolute":
        return np.abs(values)
    if form == "signed":
        return values
    if form == "squared":
        return np.square(values, dtype=np.float64)
    raise ValueError(f"form: must be 'absolute', 'signed' or 'squared', got {form!r}")


def to_unit_scale(values: AnyArray) -> Float64Array:
    """Scale each explanation (M, N) to 0..1."""
    scaled = np.empty(values.shape)
    for member, out in zip(values, scaled, strict=True):
        out[:] = minmax(member)
    return scaled


def _log_rbf(values: AnyArray, reference: Float64Array, sigma: float | None) -> float:
    if sigma is None or not 0 < sigma < math.inf:
        raise ValueError(f"sigma: the rbf needs a finite number > 0, got {sigma}")
    return -0.5 * float(distance(to_unit_scale(values), reference)[0] / sigma) ** 2


def _pair(explanation: Any, consensus: Any) -> tuple[AnyArray, Float64Array]:
    """Check both and return them as rows (1, N)."""
    values = explanation_values(explanation, "explanation")
    reference = explanation_values(consensus, "consensus").astype(np.float64)
    if values.shape != reference.shape:
        raise ValueError(f"consensus: expected shape {values.shape} as the explanation has, got {reference.shape}")
    return values.reshape(1, -1), reference.reshape(1, -1)
