"""How near LIME's weights of few rows come to those of 12,000, by how rows are drawn and weights are made of them.

`CONSENSUS_ONNX_DATA=DATA python tests/benchmarks/lime_rows.py --work FOLDER` asks each member 18,048 rows of each
picture once (about a minute each for a small model), keeps the answers in FOLDER, and prints Markdown: the cosine to
the reference by number of rows, what `samples: auto` spends and reaches, and what members that differ share.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lime_estimators import Estimator, adaptive_shrinkage, evidence, least_squares, logistic, one_penalty, towards
from scipy.linalg import hadamard

import consensus_onnx as co
from consensus_onnx.arrays import Float64Array, Int64Array, UInt8Array
from consensus_onnx.explainers.explanation import split_half_agreement
from consensus_onnx.explainers.lime import probabilities_of
from consensus_onnx.explainers.masking import make_masking
from consensus_onnx.explainers.randomness import stream_key
from consensus_onnx.explainers.surrogate import perturbation_rows
from consensus_onnx.images import canvas_digest

TESTED, REFERENCE, DESIGNED = 4_000, 12_000, 2_048
COUNTS = (200, 500, 667, 1_000)
LEVELS = (0.7, 0.8, 0.9, 0.95)
MEMBERS = ("mobilenet_v2_1.0_224_coral", "mobilenet_v3_small_1.0_224")
ESTIMATORS: Mapping[str, Estimator] = {
    "least squares": least_squares,
    "`lime.alpha: evidence`": evidence,
    "one likeliest penalty for all": one_penalty,
    "adaptive shrinkage": adaptive_shrinkage,
    "logistic": logistic,
}


@dataclass(frozen=True)
class Asked:
    """What one member answered on one picture: independent rows first, balanced ones last."""

    picture: str
    member: str
    rows: UInt8Array
    answers: Float64Array
    pixels: Int64Array

    @property
    def reference(self) -> Float64Array:
        """The weights from rows that no estimate uses."""
        there = slice(TESTED, TESTED + REFERENCE)
        return least_squares(self.rows[there], self.answers[there], self.pixels)


def main() -> None:
    """Ask what is not there, then compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--skip", type=int, default=0, help="so many pictures, to look at others")
    parser.add_argument("--members", nargs="+", default=MEMBERS)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    asked = list(_ask(given.work, given.pictures, given.skip, given.members))
    for table in (_by_rows(asked), _by_level(asked), _by_member(asked)):
        print("\n".join(table), end="\n\n")  # noqa: T201


def _ask(work: Path, pictures: int, skip: int, members: Sequence[str]) -> Iterator[Asked]:
    data = Path(os.environ["CONSENSUS_ONNX_DATA"]) / "imagenet"
    committee = co.load_committee(data / "models")
    paths = sorted((data / "images").iterdir())[5 :: 900 // 6][skip : skip + pictures]
    for path in paths:
        canvas = co.load_canvas(path)
        segments = co.Superpixels().segment(canvas)
        pixels = np.bincount(segments.ravel())
        for name in members:
            kept = work / f"{path.stem}.{name}.npz"
            if not kept.exists():
                classifier = committee.member(name).open()
                masking = make_masking(classifier, canvas, segments, "mean")
                key = stream_key(0, "lime.rows", canvas_digest(canvas))
                independent = perturbation_rows(key, TESTED + REFERENCE, masking.count)
                rows = np.concatenate([independent, balanced_rows(masking.count, DESIGNED)])
                target = int(np.argmax(classifier.predict(canvas)))
                np.savez_compressed(kept, rows=rows, y=probabilities_of(classifier, masking, rows, target))
            stored = np.load(kept)
            yield Asked(path.stem, name, stored["rows"], stored["y"], pixels)


def balanced_rows(k: int, count: int) -> UInt8Array:
    """Return blocks of a Hadamard matrix' columns, turned over at random: every pair of superpixels is balanced."""
    rng = np.random.default_rng(1)
    size = 1 << k.bit_length()
    matrix = ((hadamard(size) + 1) // 2).astype(np.uint8)
    blocks = [
        matrix[:, 1 + rng.permutation(size - 1)[:k]] ^ rng.integers(0, 2, k, dtype=np.uint8)
        for _ in range(count // size)
    ]
    return np.ascontiguousarray(np.concatenate(blocks))


def _by_rows(asked: Sequence[Asked]) -> list[str]:
    lines = ["| rows | " + " | ".join(f"{count:,}" for count in COUNTS) + " |", "|---|" + "---|" * len(COUNTS)]
    for drawn, parts_of in (("independent", _independent_parts), ("balanced", _balanced_parts)):
        for name, estimator in ESTIMATORS.items():
            cells = []
            for count in COUNTS:
                cosines = [
                    float(
                        np.mean([_cosine(estimator(rows, answers, one.pixels), reference) for rows, answers in parts])
                    )
                    for one, reference in ((one, one.reference) for one in asked)
                    if (parts := list(parts_of(one, count)))
                ]
                cells.append(f"{np.mean(cosines):.3f}")
            lines.append(f"| {drawn}, {name} | " + " | ".join(cells) + " |")
    return lines


def _independent_parts(one: Asked, count: int) -> Iterator[tuple[UInt8Array, Float64Array]]:
    for start in range(0, TESTED - count + 1, count):
        yield one.rows[start : start + count], one.answers[start : start + count]


def _balanced_parts(one: Asked, count: int) -> Iterator[tuple[UInt8Array, Float64Array]]:
    """Yield whole blocks and the first rows of a shuffled one, up to the count."""
    rows, answers = one.rows[TESTED + REFERENCE :], one.answers[TESTED + REFERENCE :]
    size = 1 << rows.shape[1].bit_length()
    order = np.concatenate(
        [start + np.random.default_rng(start).permutation(size) for start in range(0, len(rows) - size + 1, size)]
    )
    for start in range(0, len(order) - count + 1, -(-count // size) * size):
        chosen = order[start : start + count]
        yield np.ascontiguousarray(rows[chosen]), answers[chosen]


def _by_level(asked: Sequence[Asked]) -> list[str]:
    lines = ["| `agreement` | rows spent, least to most | cosine, mean and least |", "|---|---|---|"]
    for level in LEVELS:
        spent, cosines = [], []
        for one in asked:
            for total in co.Stopping(agreement=level, most=TESTED).looks("auto", 3 * one.rows.shape[1]):
                rows, answers = one.rows[:total], one.answers[:total]
                halves = (
                    least_squares(
                        np.ascontiguousarray(rows[half::2]), np.ascontiguousarray(answers[half::2]), one.pixels
                    )
                    for half in (0, 1)
                )
                if split_half_agreement(*halves) >= level:
                    break
            spent.append(total)
            cosines.append(_cosine(least_squares(rows, answers, one.pixels), one.reference))
        lines.append(
            f"| {level} | {np.mean(spent):,.0f} ({min(spent):,} to {max(spent):,}) | "
            f"{np.mean(cosines):.3f} ({min(cosines):.3f}) |"
        )
    return lines


def _by_member(asked: Sequence[Asked]) -> list[str]:
    """Compare a ridge towards nothing with one towards another member's weights of the same rows."""
    lines = ["| rows | ridge | towards another member |", "|---|---|---|"]
    pairs = [(one, other) for one in asked for other in asked if one.picture == other.picture and one is not other]
    for count in COUNTS:
        part = slice(0, count)
        alone = [_cosine(one_penalty(one.rows[part], one.answers[part], one.pixels), one.reference) for one, _ in pairs]
        shared = [
            _cosine(
                towards(one_penalty(other.rows[part], other.answers[part], other.pixels))(
                    one.rows[part], one.answers[part], one.pixels
                ),
                one.reference,
            )
            for one, other in pairs
        ]
        lines.append(f"| {count:,} | {np.mean(alone):.3f} | {np.mean(shared):.3f} |")
    return lines


def _cosine(a: Float64Array, b: Float64Array) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


if __name__ == "__main__":
    main()
