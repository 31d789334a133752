"""What is asked of the gate beside candidates and baseline."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from consensus_onnx.gate.settings import GateFile
from consensus_onnx.runtime.providers import Provider


@dataclass(frozen=True)
class GateRequest:
    """Reference, conditions and the rest.

    Attributes
    ----------
    reference : str or None
        A member of the baseline, or an ONNX file.
    images : Path or None
        Folder of pictures that were frozen by reference.
    preprocessing : Path or None
        YAML that declares the candidates' preprocessing.
    explainers : tuple of str
        Some of the baseline's; empty takes all.
    seed : int or None
        None takes the baseline's: an unchanged model then gives the frozen explanations again.
    provider : str or None
        None takes the baseline's.
    settings : GateFile
        Conditions, processes and limits.
    """

    reference: str | None = None
    images: Path | None = None
    preprocessing: Path | None = None
    explainers: tuple[str, ...] = ()
    seed: int | None = None
    provider: Provider | None = None
    settings: GateFile = field(default_factory=GateFile)
