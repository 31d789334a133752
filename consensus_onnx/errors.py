"""The exceptions this package raises on purpose: one root, one class per kind of cause.

A message says what is wrong, where (file, row, key, node), what was expected and got, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence


class ConsensusError(Exception):
    """Root of everything this package raises for its users."""


class ConfigError(ConsensusError):
    """A setting, a YAML file or a command line that cannot be used.

    Parameters
    ----------
    problems : sequence of str
        Every problem found, each a full sentence with its place; all are told at once.
    """

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class ModelError(ConsensusError):
    """A file that cannot be loaded or used as an image classifier."""


class RejectedModelError(ModelError):
    """A file that is refused for what it holds, before any library is asked to run it."""


class UnsupportedOperatorError(ModelError):
    """A graph on whose path from input to output some operators have no gradient rule."""


class GradientCheckError(ModelError):
    """A gradient graph that disagrees with differences of the model it came from."""


class ImageError(ConsensusError):
    """A picture, mask or label that cannot be read or does not fit."""


class StoreError(ConsensusError):
    """A run folder that cannot be written, is damaged, or belongs to another audit."""


class BaselineError(ConsensusError):
    """A baseline file that cannot be written, is damaged, or does not fit what is held against it."""
