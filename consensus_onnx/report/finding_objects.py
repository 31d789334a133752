"""How the consensus and the members find the objects that masks show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from consensus_onnx.analysis import (
    ImageEvidence,
    Localisation,
    box_iou,
    committee_votes,
    localise,
    locate_box,
    mask_box,
)
from consensus_onnx.arrays import AnyArray, BoolArray, Float64Array

MEASURES = (*(field.name for field in fields(Localisation)), "box_iou")
_SQUARED_VOTES = ("lime_paper", "m4")  # add squares of weights: the box is drawn on their root, as on weights
_BLUR = 1 / 32  # of the canvas' side: joins the single bright pixels of a gradient map to a region


@dataclass(frozen=True)
class ObjectFinding:
    """Means over the images with an object, one number per measure of `MEASURES`; nan without any.

    Attributes
    ----------
    consensus : float64 (6,)
        Of the consensus.
    members : float64 (M, 6)
        Of each member.
    images : int
        With an object.
    """

    consensus: Float64Array
    members: Float64Array
    images: int


def find_objects(images: Iterable[ImageEvidence], members: BoolArray, vote: str) -> ObjectFinding:
    """Measure consensus and members against the masks, one image at a time.

    Parameters
    ----------
    images : iterable of ImageEvidence
        Those without an object are passed over.
    members : bool (M,)
        Who votes.
    vote : str
        Name of the vote.

    Returns
    -------
    ObjectFinding
        The means.
    """
    rows = []
    for image in images:
        if not image.has_object:
            continue
        found = np.full((1 + len(members), len(MEASURES)), np.nan)
        agreed = committee_votes(image, members[np.newaxis], vote)[0]
        if np.isfinite(agreed).all():
            found[0] = _measure(image, agreed, np.sqrt(agreed) if vote in _SQUARED_VOTES else agreed)
        for member in np.flatnonzero(image.present & members).tolist():
            found[1 + member] = _measure(image, image.flat[member], image.flat[member])
        rows.append(found)
    if not rows:
        return ObjectFinding(np.full(len(MEASURES), np.nan), np.full((len(members), len(MEASURES)), np.nan), 0)
    table = np.array(rows)
    known = np.isfinite(table)
    means = np.full(table.shape[1:], np.nan)
    np.divide(np.where(known, table, 0.0).sum(axis=0), known.sum(axis=0), out=means, where=known.any(axis=0))
    return ObjectFinding(means[0], means[1:], len(rows))


def _measure(image: ImageEvidence, values: AnyArray, located: AnyArray) -> Float64Array:
    mask = image.mask
    assert mask is not None
    painted = image.on_canvas(values)
    blur = 0.0 if image.segments is not None else _BLUR * mask.shape[0]
    box, truth = locate_box(image.on_canvas(located), blur=blur), mask_box(mask)
    overlap = box_iou(box, truth) if box is not None and truth is not None else 0.0
    found = localise(mask, painted)
    return np.array([*(getattr(found, field.name) for field in fields(found)), overlap])
