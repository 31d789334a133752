"""Looking at members before any work is spent on them: what they are, and whether their preprocessing is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from consensus_onnx.arrays import Int64Array, UInt8Array
from consensus_onnx.committee.classifier import Classifier
from consensus_onnx.committee.facts import InputFacts, ModelFacts, Preprocessing
from consensus_onnx.committee.preprocessing import input_tensor
from consensus_onnx.gradients import unsupported_operators

# What exporters and training scripts of this field do to 0..255, by the name people know it by.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CONVENTIONS: dict[str, Preprocessing] = {
    "0..1, ImageNet mean and std": Preprocessing(1 / 255, *_IMAGENET),
    "-1..1": Preprocessing(1.0, (127.5,) * 3, (127.5,) * 3),
    "0..1": Preprocessing(1 / 255, (0.0,) * 3, (1.0,) * 3),
    "0..255": Preprocessing(1.0, (0.0,) * 3, (1.0,) * 3),
    "0..255, mean 123.68 116.78 103.94 taken off": Preprocessing(1.0, (123.68, 116.78, 103.94), (1.0,) * 3),
}
_FAR_BETTER = 1.5  # errors divided by this make a neighbouring convention worth telling
_LUCK = 2.0  # standard errors of a measured accuracy that may be luck


@dataclass(frozen=True)
class Accuracy:
    """Top-1 of a member on labelled pictures, as declared and under the best neighbouring convention.

    Attributes
    ----------
    measured : float
        With the member's own preprocessing and class offset, 0..1.
    images : int
        Pictures it was measured on.
    best : float
        The highest accuracy of any neighbouring convention.
    convention : str
        That convention in words; empty where none does far better.
    """

    measured: float
    images: int
    best: float
    convention: str

    def advice(self, classes: int) -> str:
        """Return what a person should do, empty if the preprocessing looks right."""
        at_chance = self.measured < min(1.0, 1 / classes + _luck(1 / classes, self.images))
        if self.convention:
            return (
                f"accuracy {self.measured:.3f} as declared, {self.best:.3f} with {self.convention}; "
                "correct it in committee.yaml"
            )
        if at_chance:
            return f"accuracy {self.measured:.3f} is at chance under every common convention; check labels and classes"
        return ""


def gradient_obstacles(classifier: Classifier) -> tuple[str, ...]:
    """Return the operators, as 'Celu-12', that stop the gradient from the classes to the picture; empty if none."""
    facts = classifier.facts
    missing = unsupported_operators(classifier.load(), output=facts.output.name, wrt=facts.input.name)
    return tuple(sorted({f"{operator}-{version}" for operator, version, _ in missing}))


def measure_accuracy(classifier: Classifier, canvases: Sequence[UInt8Array], labels: Int64Array) -> Accuracy:
    """Measure a member as declared and under its neighbours: other normalisations, channel order, class offset.

    Parameters
    ----------
    classifier : Classifier
        An opened member.
    canvases : sequence of uint8 (H, W, 3)
        Pictures.
    labels : int64 (I,)
        True classes of the common label space.
    """
    facts = classifier.facts
    predicted = _predicted(classifier, canvases, facts.input, facts.preprocessing)
    measured = _top1(predicted, labels, facts.output.class_offset)
    needed = _needed(measured, len(labels))
    found = {text: _top1(predicted, labels, offset) for text, offset in _other_offsets(facts)}
    if max(found.values()) < needed:
        for text, reads, preprocessing in _neighbours(facts):
            changed = _predicted(classifier, canvases, reads, preprocessing)
            found[text] = _top1(changed, labels, facts.output.class_offset)
    best = max(found, key=lambda text: found[text])
    return Accuracy(measured, len(labels), found[best], best if found[best] >= needed else "")


def _needed(measured: float, images: int) -> float:
    """Return the accuracy another convention must reach to be told: a third fewer errors, and no mere luck."""
    return max(1 - (1 - measured) / _FAR_BETTER, measured + max(0.05, _luck(measured, images)))


def _luck(accuracy: float, images: int) -> float:
    """Return how far a measured accuracy may lie from the true one by the choice of pictures."""
    return _LUCK * math.sqrt(accuracy * (1 - accuracy) / images)


def _predicted(
    classifier: Classifier, canvases: Sequence[UInt8Array], reads: InputFacts, preprocessing: Preprocessing
) -> Int64Array:
    """Return the highest output (I,) under some preprocessing; -1, right for no label, where it drives any to NaN."""
    rows = []
    for start in range(0, len(canvases), classifier.batch):
        some = canvases[start : start + classifier.batch]
        batch = classifier.new_batch(len(some))
        for index, canvas in enumerate(some):
            batch[index] = input_tensor(canvas, reads, preprocessing)
        rows.append(classifier.raw(batch))
    answers = np.concatenate(rows)
    return np.where(np.isfinite(answers).all(axis=1), answers.argmax(axis=1), -1)


def _top1(predicted: Int64Array, labels: Int64Array, offset: int) -> float:
    return float(np.mean(predicted == labels + offset))


def _other_offsets(facts: ModelFacts) -> list[tuple[str, int]]:
    other = 1 - min(facts.output.class_offset, 1)
    return [(f"class_offset {other}", other)]


def _neighbours(facts: ModelFacts) -> list[tuple[str, InputFacts, Preprocessing]]:
    """Return every convention but the member's own, in either channel order."""
    if facts.input.color == "GRAY":
        return []
    neighbours = []
    for color in ("RGB", "BGR"):
        reads = replace(facts.input, color=color)
        if color != facts.input.color:
            neighbours.append((f"color {color}", reads, facts.preprocessing))
        for name, preprocessing in CONVENTIONS.items():
            if color == "BGR":
                preprocessing = replace(preprocessing, mean=preprocessing.mean[::-1], std=preprocessing.std[::-1])
            neighbours.append((f"{color} in {name}", reads, preprocessing))
    return neighbours
