"""Fewer pictures at a time when memory runs out: the results are the same bytes, only slower."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from consensus_onnx.runtime.memory import ran_out_of_memory

T = TypeVar("T")


@dataclass
class Ceiling:
    """The most pictures one forward pass of a member may take; it falls, and never rises again.

    Memory that ran out once will run out again at the same size, and each attempt costs the time of a full pass.

    Attributes
    ----------
    pictures : int or None
        None until a pass has failed.
    """

    pictures: int | None = None

    def under(self, size: int) -> int:
        """Return a number of pictures, no more than the ceiling."""
        return size if self.pictures is None else min(size, self.pictures)

    def run(self, size: int, floor: int, attempt: Callable[[int], T]) -> T:
        """Return what an attempt makes in passes of at most `size` pictures; halved until it has the memory.

        Parameters
        ----------
        size : int
            Pictures per pass to begin with; never more than the ceiling.
        floor : int
            The fewest a pass can take; what fails there is raised.
        attempt : callable
            Is given the pictures per pass, and must be able to begin anew.
        """
        size = max(floor, self.under(size))
        while True:
            try:
                return attempt(size)
            except Exception as error:
                if size <= floor or not ran_out_of_memory(error):
                    raise
            size = self.pictures = max(floor, size // 2)
