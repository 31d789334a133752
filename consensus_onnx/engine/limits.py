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


def limits_of(engine: EngineSettings) -> Limits:
    """Return the limits that the settings ask for; memory is shared out among the workers."""
    share = machine_memory() * _SHARE / engine.workers
    memory = int(share) if engine.memory == "auto" else engine.memory * 1_000_000
    return Limits(engine.opening_seconds, engine.command_seconds, memory)
