"""The paper's experiments on one run: each computed when first asked for, from stored explanations only."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from consensus_onnx.analysis import (
    AgreementStructure,
    BaselineScores,
    Confounds,
    Convergence,
    CrossCommittee,
    EnsembleAccuracy,
    FamilyConsistency,
    MapProperties,
    RankChange,
    ScoreCorrelation,
    agreement_structure,
    baseline_scores,
    converge,
    correlate_scores,
    cross_committee,
    ensemble_accuracy,
    family_consistency,
    find_confounds,
    map_properties,
    rank_changes,
    standard_variants,
    variant_scores,
)
from consensus_onnx.arrays import AnyArray, Float64Array
from consensus_onnx.consensus import member_scores
from consensus_onnx.engine.run import Run
from consensus_onnx.report.choosing import choose_images
from consensus_onnx.report.evidence import StoredEvidence
from consensus_onnx.report.finding_objects import ObjectFinding, find_objects
from consensus_onnx.report.standings import accuracies

MOST_IMAGES = 48  # looked at by experiments that open every explanation; more of a run are left out, spread evenly
T = TypeVar("T")


def _once(compute: Callable[[Experiments, str], T]) -> Callable[[Experiments, str], T]:
    """Keep what a method returns for an explainer."""

    @functools.wraps(compute)
    def kept(self: Experiments, explainer: str) -> T:
        key = (compute.__name__, explainer)
        if key not in self._results:
            self._results[key] = compute(self, explainer)
        found: T = self._results[key]
        return found

    return kept


@dataclass(frozen=True)
class Experiments:
    """What can be computed of a finished run without a forward pass.

    Attributes
    ----------
    run : Run
        The run.
    most_images : int
        Images at most that are opened; spread evenly from most to least agreed on.
    """

    run: Run
    most_images: int = MOST_IMAGES

    @cached_property
    def families(self) -> list[str]:
        """Family of each member."""
        return [member.family for member in self.run.members]

    @cached_property
    def accuracy(self) -> Float64Array:
        """Declared accuracy of each member, else the measured one; nan where unknown."""
        return np.array(accuracies(self.run).values, np.float64)

    @cached_property
    def images(self) -> list[int]:
        """Indices of the images that are opened, in the run's order."""
        return sorted(choose_images(self.run, self.most_images))

    @cached_property
    def targets(self) -> Mapping[tuple[str, str, str], int]:
        """Class explained, by explainer, member and image."""
        return {(row.explainer, row.member, row.image): row.target for row in self.run.per_image_rows}

    @cached_property
    def ensemble(self) -> EnsembleAccuracy:
        """Accuracy of the committee and of its members on the labelled images."""
        return ensemble_accuracy(self._answers())

    @_once
    def evidence(self, explainer: str) -> StoredEvidence:
        """Return the stored explanations of the chosen images."""
        return StoredEvidence(self.run, explainer, self.images)

    def scores(self, explainer: str) -> Float64Array:
        """Return each member's mean score over all images."""
        return member_scores(self.run.scores(explainer))

    @_once
    def against_accuracy(self, explainer: str) -> ScoreCorrelation:
        """Return score against accuracy."""
        return correlate_scores(self.run.scores(explainer), self.accuracy)

    @_once
    def others_against_accuracy(self, explainer: str) -> ScoreCorrelation:
        """Return the leave-one-out score against accuracy."""
        return correlate_scores(self.run.leave_one_out(explainer), self.accuracy)

    @_once
    def against_masks(self, explainer: str) -> ScoreCorrelation:
        """Return score against average precision, both over the images that have a mask."""
        scores, precision = self.run.scores(explainer), self.run.mask_ap(explainer)
        masked = np.isfinite(precision).any(axis=0)
        return correlate_scores(scores[:, masked], precision[:, masked])

    @_once
    def accuracy_against_masks(self, explainer: str) -> ScoreCorrelation:
        """Return average precision against accuracy, over the images that have a mask."""
        precision = self.run.mask_ap(explainer)
        masked = np.isfinite(precision).any(axis=0)
        return correlate_scores(precision[:, masked], self.accuracy)

    @_once
    def objects(self, explainer: str) -> ObjectFinding:
        """Return how consensus and members find the objects that masks show."""
        evidence = self.evidence(explainer)
        return find_objects(evidence, evidence.members, evidence.settings.vote)

    @_once
    def convergence(self, explainer: str) -> Convergence | None:
        """Return what random committees of each size come to; None below three members."""
        evidence = self.evidence(explainer)
        if np.count_nonzero(evidence.members) < 3:
            return None
        return converge(evidence, evidence.members, evidence.settings.vote)

    @_once
    def cross_committee(self, explainer: str) -> CrossCommittee | None:
        """Return how scores of the largest family depend on the others; None where no family has four members."""
        evidence = self.evidence(explainer)
        seated = np.flatnonzero(evidence.members).tolist()
        sizes = Counter(self.families[member] for member in seated if self.families[member])
        family, size = max(sizes.items(), key=lambda item: (item[1], item[0]), default=("", 0))
        if size < 4 or size + 2 > len(seated):
            return None
        targets = [member for member in seated if self.families[member] == family]
        rest = len(seated) - size
        # The paper draws 10 to 20 of 65; of fewer, the same share, or the committees would be the full one.
        others = (10, 20) if rest >= 40 else (max(2, rest // 6), max(3, rest // 3))
        return cross_committee(evidence, evidence.members, targets, evidence.settings, evidence.sigma, others=others)

    @_once
    def by_family(self, explainer: str) -> tuple[FamilyConsistency, ...]:
        """Return scores of each larger family by all and by itself."""
        evidence = self.evidence(explainer)
        return family_consistency(evidence, self.families, evidence.members, evidence.settings, evidence.sigma)

    @_once
    def baselines(self, explainer: str) -> BaselineScores:
        """Return scores of what knows nothing."""
        evidence = self.evidence(explainer)
        return baseline_scores(evidence, evidence.members, evidence.settings, evidence.sigma)

    @_once
    def properties(self, explainer: str) -> MapProperties:
        """Return simple properties of each member's explanations."""
        return map_properties(self.evidence(explainer), len(self.families))

    @_once
    def structure(self, explainer: str) -> AgreementStructure:
        """Return who agrees with whom."""
        return agreement_structure(self.evidence(explainer), len(self.families))

    @_once
    def sensitivity(self, explainer: str) -> tuple[RankChange, ...]:
        """Return how other choices would rank the members."""
        evidence = self.evidence(explainer)
        variants = standard_variants(evidence.settings, evidence.grid, evidence.sigma)
        names = [variant.name for variant in variants]
        table = variant_scores(evidence, variants, self.families)
        if evidence.grid is not None:
            side = self.run.canvas(0).shape[0]
            if side > evidence.grid:  # what members with small inputs would have lost
                fine = StoredEvidence(self.run, explainer, self.images, grid=side)
                (whole,) = standard_variants(fine.settings, None, None)[:1]
                table = np.concatenate([table, variant_scores(fine, [whole], self.families)])
                names.append(f"grid {side} (the canvas)")
        return rank_changes(names, table, table[0], self.accuracy)

    @_once
    def confounds(self, explainer: str) -> Confounds:
        """Return what else goes with the score."""
        return find_confounds(self.scores(explainer), self.accuracy, self.simple_properties(explainer))

    def simple_properties(self, explainer: str) -> dict[str, Float64Array]:
        """Return what could trivially explain a score, by name; nan where unknown."""
        found = self.properties(explainer)
        rows = [row for row in self.run.per_image_rows if row.explainer == explainer]
        names = [member.name for member in self.run.members]
        confidence, repeats = (
            np.array([_mean([getattr(row, field) for row in rows if row.member == name]) for name in names])
            for field in ("probability", "split_half")
        )
        parameters = np.array([member.parameters or np.nan for member in self.run.members], np.float64)
        columns = {
            "input size": np.array([_side(member.input) for member in self.run.members]),
            "number of parameters (log)": np.log(parameters),
            "confidence": confidence,
            "repeatability": repeats,
            "sparsity": found.sparsity,
        }
        if self.run.kind(explainer) == "pixel":
            return {**columns, "brightness": found.brightness, "smoothness": found.smoothness}
        return {**columns, "share of negative weights": found.negative, "size of its weights": found.magnitude}

    def _answers(self) -> Iterator[tuple[AnyArray, int]]:
        members = [index for index, one in enumerate(self.run.members) if one.accuracy_measured is not None]
        for column, image in enumerate(self.run.images):
            if image.label is not None and members:
                yield np.stack([self.run.probabilities(member, column) for member in members]), image.label

    @cached_property
    def _results(self) -> dict[tuple[str, str], Any]:
        return {}


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return sum(known) / len(known) if known else float("nan")


def _side(text: str) -> float:
    """Return the input's side from a text such as '128x128 NCHW RGB'."""
    digits = text.partition("x")[0]
    return float(digits) if digits.isdecimal() else float("nan")
