"""How accurate the committee is as one classifier: by the mean of probabilities, and by vote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array, require


@dataclass(frozen=True)
class EnsembleAccuracy:
    """Top-1 accuracies in 0..1 over the same labelled images; nan without any.

    Parameters
    ----------
    averaged : float
        Of the class with the largest mean probability.
    voted : float
        Of the class that most members put first; ties go to the larger mean probability among the tied.
    members : ndarray of shape (M,), float64
        Of each member.
    images : int
        Labelled images.
    """

    averaged: float
    voted: float
    members: Float64Array
    images: int


def ensemble_accuracy(answers: Iterable[tuple[AnyArray, int]]) -> EnsembleAccuracy:
    """Measure the committee and its members on labelled images, one image at a time.

    Parameters
    ----------
    answers : iterable of (probabilities, label)
        For every labelled image the probabilities (M, L) of the members, and the true class.

    Returns
    -------
    EnsembleAccuracy
        The accuracies.

    Raises
    ------
    ValueError
        If an image has other members than the one before, or no member, or a label is not in 0..L-1.
    """
    averaged = voted = images = 0
    right: Float64Array | None = None
    for probabilities, label in answers:
        sizes = require("probabilities", probabilities, shape=("M", "L"))
        if not sizes["M"] or not 0 <= label < sizes["L"]:
            raise ValueError(f"label: expected 0..{sizes['L'] - 1} and at least one member, got {label}")
        if right is not None and len(right) != sizes["M"]:
            raise ValueError(f"probabilities: expected {len(right)} members as before, got {sizes['M']}")
        firsts = probabilities.argmax(axis=1)
        mean = probabilities.astype(np.float64).mean(axis=0)
        votes = np.bincount(firsts, minlength=sizes["L"])
        tied = votes == votes.max()
        averaged += int(mean.argmax() == label)
        voted += int(np.where(tied, mean, -np.inf).argmax() == label)
        right = (np.zeros(sizes["M"]) if right is None else right) + (firsts == label)
        images += 1
    if right is None:
        return EnsembleAccuracy(float("nan"), float("nan"), np.empty(0), 0)
    return EnsembleAccuracy(averaged / images, voted / images, right / images, images)
