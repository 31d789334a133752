"""Random numbers that are the same on every machine and with every version of NumPy.

Philox's raw words are a published algorithm; the distributions NumPy builds on them may change between versions, so the
few needed here are made from raw words with integers and exactly rounded operations (+ - * /) alone.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Purpose(IntEnum):
    """One stream of numbers for each part of a scene, so that leaving one part out moves no other."""

    BACKGROUND = 1
    OBJECT = 2
    DISTRACTORS = 3
    OCCLUSION = 4
    MARK = 5
    CAMERA = 6
    NOISE = 7


class Draws:
    """A stream of random numbers.

    Parameters
    ----------
    seed : int
        Of the scene, 0 .. 2**64 - 1.
    purpose : Purpose
        Which part of the scene it is for.
    """

    def __init__(self, seed: int, purpose: Purpose) -> None:
        self._bits = np.random.Philox(key=np.array([seed, purpose], dtype=np.uint64))

    def words(self, count: int) -> npt.NDArray[np.uint64]:
        """Return (count,) raw words."""
        words: npt.NDArray[np.uint64] = self._bits.random_raw(count)
        return words

    def below(self, count: int) -> int:
        """Return an index 0 .. count - 1."""
        return int(self.words(1)[0]) % count

    def between(self, low: float, high: float) -> float:
        """Return a number low <= x < high."""
        return low + (high - low) * (int(self.words(1)[0] >> np.uint64(11)) / 2**53)

    def happens(self, probability: float) -> bool:
        """Return true with a probability."""
        return self.between(0, 1) < probability

    def grid(self, *shape: int) -> npt.NDArray[np.float64]:
        """Return numbers in [0, 1) of a shape."""
        words = self.words(int(np.prod(shape))) >> np.uint64(11)
        numbers: npt.NDArray[np.float64] = (words.astype(np.float64) / 2.0**53).reshape(shape)
        return numbers

    def bell(self, *shape: int) -> npt.NDArray[np.float64]:
        """Return numbers of a shape, mean 0, standard deviation 1: the sum of eight bytes, nearly normal."""
        count = int(np.prod(shape))
        total = self.words(count).astype("<u8").view(np.uint8).reshape(count, 8).sum(axis=1, dtype=np.int64)
        # Eight uniform bytes: mean 1020, variance 8 * (256**2 - 1) / 12 = 43690 = 209.02**2.
        numbers: npt.NDArray[np.float64] = ((total - 1020) / 209.02).reshape(shape)
        return numbers
