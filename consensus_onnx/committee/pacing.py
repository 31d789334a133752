"""How passes are quickest: how many pictures each should take is found by timing a few of each size."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

SIZES = (2, 4, 8, 16, 32, 64)
_EACH = 0.05  # seconds of passes per size, after a first that does not count
_ENOUGH = 12  # passes, where they are short: of the smallest networks, 0.05 s of them would cost as much as they gain
_LONGEST = 0.5  # seconds: passes that take longer leave nothing to gain
_GAIN = 0.97  # a larger size must save so much to be worth its memory, which the session keeps

Paces: TypeAlias = dict[str, int]
"""What is known of a member on this machine: 'lanes', forward passes side by side; pictures per pass: 'batch', on all
threads, 'lane_batch', on one of them, and 'gradient_batch'."""

PACES = ("lanes", "batch", "lane_batch", "gradient_batch")


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
        What is tried, ascending, until a larger size saves too little. Each takes turns with the best before it.
    """
    smallest, *larger = sizes
    longest = _seconds(partial(run, smallest))
    pace = Pace(smallest, least_in_turn([partial(run, smallest)])[0] / smallest)
    for size in larger:
        if longest > _LONGEST:
            break
        longest = _seconds(partial(run, size))
        before, now = duel(run, pace.batch, run, size)
        if not now.beats(before):
            return before
        pace = now
    return pace


def duel(
    one: Callable[[int], object], batch: int, other: Callable[[int], object], others_batch: int
) -> tuple[Pace, Pace]:
    """Return the paces of two ways to make passes of so many pictures, which take turns."""
    seconds = least_in_turn([partial(one, batch), partial(other, others_batch)])
    return Pace(batch, seconds[0] / batch), Pace(others_batch, seconds[1] / others_batch)


def least_in_turn(passes: Sequence[Callable[[], object]]) -> list[float]:
    """Return the least seconds of each of a few kinds of passes, which take turns: a few times each, twice at least.

    In turn, since a machine that others share can be a quarter quicker now than a tenth of a second later.
    """
    until, least = time.perf_counter() + _EACH * len(passes), [float("inf")] * len(passes)
    for turn in range(_ENOUGH):
        if turn >= 2 and time.perf_counter() > until:
            break
        least = [min(before, _seconds(one)) for before, one in zip(least, passes, strict=True)]
    return least


def _seconds(one: Callable[[], object]) -> float:
    began = time.perf_counter()
    one()
    return time.perf_counter() - began
