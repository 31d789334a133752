"""Explanations whose truth is known, and tables of them as the analysis takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from consensus_onnx.analysis import ImageEvidence

SIDE, TILE = 28, 4


@dataclass(frozen=True)
class Committee:
    """How well each member finds the object (0..1), and the images it looked at."""

    skills: np.ndarray
    images: list[ImageEvidence]

    @property
    def everyone(self) -> np.ndarray:
        return np.ones(len(self.skills), bool)


def disc(number: int) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.asarray((y - 10 - 2 * (number % 4)) ** 2 + (x - 14 + (number % 3)) ** 2 < 6**2)


def tiles() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return ((y // TILE) * (SIDE // TILE) + x // TILE).astype(np.int32)


@pytest.fixture(scope="session")
def make_committee() -> Callable[..., Committee]:
    """Return a function that makes members of given skills, with absent ones as (member, image) pairs."""

    def make(
        skills: np.ndarray,
        images: int = 4,
        kind: str = "superpixel",
        absent: tuple[tuple[int, int], ...] = (),
        masks: bool = True,
        seed: int = 0,
    ) -> Committee:
        rng = np.random.default_rng(seed)
        found = []
        for number in range(images):
            mask = disc(number)
            canvas = rng.integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
            truth = mask.astype(float) if kind == "pixel" else np.bincount(tiles().ravel(), mask.ravel()) / TILE**2
            noise = rng.normal(0, 0.5, (len(skills), *truth.shape))
            values = np.multiply.outer(skills, truth) + np.multiply.outer(1 - skills, np.ones(truth.shape)) * noise
            if kind == "pixel":
                values = np.abs(values).astype(np.float32)
            present = np.array([(member, number) not in absent for member in range(len(skills))])
            values[~present] = np.nan
            segments = tiles() if kind == "superpixel" else None
            found.append(ImageEvidence(values, present, canvas, segments, mask if masks else None))
        return Committee(np.asarray(skills), found)

    return make
