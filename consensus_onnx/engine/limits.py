"""How long a worker may take, and how much memory."""

from __future__ import annotations

from dataclasses import dataclass

from consensus_onnx.engine.containment import machine_memory
from consensus_onnx.engine.settings import EngineSettings

_SHARE = 0.9  # of the machine's memory for the workers, the rest for the supervisor and everybody else


@dataclass(frozen=True)
class Limits:
    """Limits of one worker.

    Attributes
    ----------
    opening, command : float
        Wall-clock seconds for starting and opening, and for one command.
    memory : int or None
        Bytes on top of what it takes before it reads anything; None sets no limit. Not used on a GPU.
    """

    opening: float = 300.0
    command: float = 1800.0
    memory: int | None = None


def limits_of(engine: EngineSettings, workers: int | None = None) -> Limits:
    """Return the limits that the settings ask for.

    Parameters
    ----------
    engine : EngineSettings
        Of the audit.
    workers : int, optional
        Among how many memory is shared out; default `engine.workers`.
    """
    share = _for_workers() // (workers or engine.workers)
    memory = share if engine.memory == "auto" else engine.memory * 1_000_000
    return Limits(engine.opening_seconds, engine.command_seconds, memory)


def workers_that_fit(each: int) -> int:
    """Return how many workers of so many bytes each the memory of this machine holds, at least one."""
    return max(1, _for_workers() // each)


def _for_workers() -> int:
    return int(machine_memory() * _SHARE)
