"""How passes are quickest: how many pictures each should take is found by timing a few of each size."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

SIZES = (2, 4, 8, 16, 32, 64)
_EACH = 0.05  # seconds of passes per size, after a first that does not count
_ENOUGH = 12  # passes, where they are short: of the smallest networks, 0.05 s of them would cost as much as they gain
_LONGEST = 0.5  # seconds: passes that take longer leave nothing to gain
_GAIN = 0.97  # a larger size must save so much to be worth its memory, which the session keeps


Paces: TypeAlias = dict[str, int]
"""What is known of a member on this machine: 'lanes', passes side by side, 'batch' and 'gradient_batch', pictures per
pass of each kind."""

PACES = ("lanes", "batch", "gradient_batch")


@dataclass(frozen=True)
class Pace:
    """The number of pictures per pass at which a picture takes the least time, and how many seconds that is."""

    batch: int
    seconds: float

    def beats(self, other: Pace) -> bool:
        """Say whether this saves enough to be worth its memory."""
        return self.seconds < _GAIN * other.seconds


def quickest(run: Callable[[int], object], sizes: Sequence[int] = SIZES) -> Pace:
    """Return the size of passes at which a picture takes the least time.

    On two cores small passes win because they stay in the cache (MobileNetV2: 390 pictures a second at 4, 310 at 32);
    on many cores large ones do, because small ones cannot keep them busy.

    Parameters
    ----------
    run : callable
        Makes one pass of so many pictures.
    sizes : sequence of int
        What is tried, ascending, until a larger size saves too little.
    """
    best: Pace | None = None
    for size in sizes:
        first, seconds = _timed(run, size), _least(run, size)
        pace = Pace(size, seconds / size)
        if best is not None and not pace.beats(best):
            break
        best = pace
        if max(first, seconds) > _LONGEST:
            break
    assert best is not None
    return best


def _least(run: Callable[[int], object], size: int) -> float:
    """Return the seconds of the quickest of a few passes: of those that fit into the time, two at least."""
    until, least, passes = time.perf_counter() + _EACH, float("inf"), 0
    while passes < 2 or (passes < _ENOUGH and time.perf_counter() < until):
        least, passes = min(least, _timed(run, size)), passes + 1
    return least


def _timed(run: Callable[[int], object], size: int) -> float:
    began = time.perf_counter()
    run(size)
    return time.perf_counter() - began
