"""`samples: auto`: how many samples an explanation gets, and when it has enough of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from consensus_onnx.config import check_settings, setting

Samples: TypeAlias = int | Literal["auto"]

_GROWTH = 1.1  # between looks: at worst a tenth more than needed is spent, and a look costs milliseconds
_STEP = 8  # whole batches of the sizes that members are asked in


@dataclass(frozen=True)
class Stopping:
    """When an explanation whose `samples` are `auto` has enough of them.

    Samples come one after the other from a stream that depends on seed and canvas alone, so the explanation is that
    of a fixed number of samples, the one that was spent; only the number is found on the way.

    Attributes
    ----------
    agreement, most
        Settings; their documentation is in configs/default.yaml.

    Notes
    -----
    Stopping at the first look that is good enough prefers looks that were lucky. The agreement that is told is
    therefore somewhat above what the same number of fresh samples would show (docs/explainers.md has it measured).
    """

    agreement: float = setting(
        0.8, "with samples: auto, enough is when halves of the samples correlate this well", above=0.0, maximum=0.999
    )
    most: int = setting(4000, "with samples: auto, enough in any case", minimum=8)

    def __post_init__(self) -> None:
        check_settings(self)

    def looks(self, samples: Samples, least: int) -> Iterator[int]:
        """Yield how many samples to have in all before each look at them.

        Parameters
        ----------
        samples : int or 'auto'
            A number is the only look there is.
        least : int
            Samples that the first look of `auto` needs.
        """
        if samples != "auto":
            yield samples
            return
        total = _whole_steps(least)
        while total < self.most:
            yield total
            total = _whole_steps(max(int(total * _GROWTH), total + 1))
        yield self.most

    def at_most(self, samples: Samples) -> int:
        """Return the largest number of samples an explanation may take."""
        return self.most if samples == "auto" else samples

    def satisfied(self, split_half: float) -> bool:
        """Whether this agreement of halves is enough; NaN never is."""
        return split_half >= self.agreement


def _whole_steps(count: int) -> int:
    return -(-count // _STEP) * _STEP
