"""How many pictures a pass should take: found by timing a few passes of each size."""

from __future__ import annotations

import time
from collections.abc import Callable

SIZES = (2, 4, 8, 16, 32, 64)
_EACH = 0.05  # seconds of passes per size, after a first that does not count
_LONGEST = 0.5  # seconds: passes that take longer leave nothing to gain
_GAIN = 0.97  # a larger size must save so much to be worth its memory, which the session keeps


def quickest_batch(run: Callable[[int], object]) -> int:
    """Return the number of pictures per pass at which a picture takes the least time.

    On two cores small passes win because they stay in the cache (MobileNetV2: 390 pictures a second at 4, 310 at 32);
    on many cores large ones do, because small ones cannot keep them busy.

    Parameters
    ----------
    run : callable
        Makes one pass of so many pictures.
    """
    best, least = SIZES[0], float("inf")
    for size in SIZES:
        first, seconds = _timed(run, size), _least(run, size)
        if seconds / size > _GAIN * least:
            break
        best, least = size, seconds / size
        if max(first, seconds) > _LONGEST:
            break
    return best


def _least(run: Callable[[int], object], size: int) -> float:
    """Return the seconds of the quickest of the passes that fit into the time, two at least."""
    until, least, passes = time.perf_counter() + _EACH, float("inf"), 0
    while passes < 2 or time.perf_counter() < until:
        least, passes = min(least, _timed(run, size)), passes + 1
    return least


def _timed(run: Callable[[int], object], size: int) -> float:
    began = time.perf_counter()
    run(size)
    return time.perf_counter() - began
