"""Members in the order of their consensus score, with what tables and plots say about each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from consensus_onnx.engine.records import MemberRecord, ScoreRow
from consensus_onnx.engine.run import Run

FAMILY_COLOURS = 8  # style.css has so many; more could not be told apart
FEW_LABELS = 100  # below, the standard error of a measured top-1 of 80 % is more than 4 points
_TITLES = {"lime": "LIME", "smoothgrad": "SmoothGrad"}


@dataclass(frozen=True)
class Standing:
    """A member among the others, for one explainer.

    Attributes
    ----------
    index : int
        Its place in the committee; ties its marks on the page together.
    rank : int or None
        From 1, by score; None without a score.
    slot : int
        Colour of its family, 1..8; 0 for families of one.
    member : MemberRecord
        What the run says of it.
    row : ScoreRow
        Its scores.
    """

    index: int
    rank: int | None
    slot: int
    member: MemberRecord
    row: ScoreRow

    @property
    def scored(self) -> bool:
        """Whether it has a consensus score."""
        return math.isfinite(self.row.score)


@dataclass(frozen=True)
class Accuracies:
    """The accuracies that scores are compared with.

    Attributes
    ----------
    source : 'declared', 'measured', 'mixed' or 'none'
        Declared by the committee, or measured on this run's labelled images where nothing is declared.
    values : tuple of float
        0..1 in the committee's order; NaN where unknown.
    measured : tuple of float
        Only what was measured here.
    labelled : int
        Labelled images of this run.
    """

    source: Literal["declared", "measured", "mixed", "none"]
    values: tuple[float, ...]
    measured: tuple[float, ...]
    labelled: int

    @property
    def both(self) -> bool:
        """Whether there are measured accuracies beside declared ones."""
        return self.source in ("declared", "mixed") and any(math.isfinite(value) for value in self.measured)

    @property
    def coarse(self) -> bool:
        """Whether what was measured rests on too few labels to rank members by."""
        return self.labelled < FEW_LABELS


def title_of(explainer: str) -> str:
    """Return how people write an explainer's name."""
    return _TITLES.get(explainer, explainer)


def standings(run: Run, explainer: str) -> tuple[Standing, ...]:
    """Return all members, highest score first, those without one last in the committee's order."""
    rows = {row.member: row for row in run.score_rows if row.explainer == explainer}
    slots = family_slots(run)
    nan = math.nan
    found = [
        (index, member, rows.get(member.name, ScoreRow(member.name, explainer, nan, nan, nan, nan, nan, 0)))
        for index, member in enumerate(run.members)
    ]
    found.sort(key=lambda entry: (not math.isfinite(entry[2].score), -entry[2].score if entry[2].images else 0.0))
    return tuple(
        Standing(index, place if math.isfinite(row.score) else None, slots.get(member.family, 0), member, row)
        for place, (index, member, row) in enumerate(found, start=1)
    )


def family_slots(run: Run) -> Mapping[str, int]:
    """Return the colour slot of each family that has several members, the largest first, at most eight."""
    sizes = Counter(member.family for member in run.members if member.family)
    several = [family for family, size in sizes.items() if size > 1]
    several.sort(key=lambda family: (-sizes[family], family))
    return {family: slot for slot, family in enumerate(several[:FAMILY_COLOURS], start=1)}


def accuracies(run: Run) -> Accuracies:
    """Collect the members' accuracies and say where they come from."""
    origins = {member.accuracy_declared is not None for member in run.members if member.accuracy is not None}
    source: Literal["declared", "measured", "mixed", "none"] = "none"
    if origins:
        source = "mixed" if len(origins) > 1 else "declared" if origins == {True} else "measured"
    return Accuracies(
        source,
        tuple(_or_nan(member.accuracy) for member in run.members),
        tuple(_or_nan(member.accuracy_measured) for member in run.members),
        sum(image.label is not None for image in run.images),
    )


def score_decimals(found: tuple[Standing, ...]) -> int:
    """Return how many decimals tell the scores apart: 3, or 4 where all are below 0.1 as the paper's SmoothGrad's."""
    return 4 if all(standing.row.score < 0.1 for standing in found if standing.scored) else 3


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
