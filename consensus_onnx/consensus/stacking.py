"""Explanations as users hold them, brought into one checked array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consensus_onnx.arrays import AnyArray


def explanation_values(explanation: object, name: str) -> AnyArray:
    """Return the numbers of one explanation, an array or an object that holds one as `values`.

    Parameters
    ----------
    explanation : array_like, or object with an attribute `values`
        The explanation.
    name : str
        What to call it in a message.

    Returns
    -------
    ndarray of shape (...), float32 or float64
        Its values; at least one number, all finite.

    Raises
    ------
    TypeError
        If it is not made of real numbers.
    ValueError
        If it is a single number, empty, or holds nan or infinity.
    """
    values = np.asarray(getattr(explanation, "values", explanation))
    if values.dtype.kind not in "biuf":
        kind = type(explanation).__name__
        raise TypeError(f"{name}: expected an array of real numbers, or an object whose `values` is one, got {kind}")
    if values.ndim == 0 or values.size == 0:
        raise ValueError(f"{name}: expected at least one number per superpixel or pixel, got shape {values.shape}")
    values = values if values.dtype == np.float32 else values.astype(np.float64)
    broken = values.size - np.count_nonzero(np.isfinite(values))
    if broken:
        raise ValueError(
            f"{name}: {broken} of {values.size} values are nan or infinite; leave this member out of the vote"
        )
    return values


def stack(explanations: Sequence[Any] | AnyArray) -> AnyArray:
    """Bring the explanations of one image into one array.

    Parameters
    ----------
    explanations : sequence of explanations, or ndarray of shape (M, ...)
        One per member, all of one shape.

    Returns
    -------
    ndarray of shape (M, ...), float32 or float64
        The explanations, C-contiguous; float32 only where all of them are.

    Raises
    ------
    TypeError, ValueError
        If there is none, one is unusable (its index is named), or their shapes differ.
    """
    if isinstance(explanations, np.ndarray) and explanations.ndim < 2:
        raise ValueError(f"explanations: expected shape (M, ...) with one row per member, got {explanations.shape}")
    members = [
        explanation_values(explanation, f"explanations[{index}]") for index, explanation in enumerate(explanations)
    ]
    if not members:
        raise ValueError("explanations: expected at least one member, got none")
    for index, member in enumerate(members):
        if member.shape != members[0].shape:
            raise ValueError(
                f"explanations[{index}]: expected shape {members[0].shape} as explanations[0] has, got {member.shape}; "
                "members must share one segmentation, or one grid"
            )
    return np.stack(members)
