"""What a worker process is started for; pickled by the supervisor, unpickled in the worker, never the other way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from consensus_onnx.committee import Member
from consensus_onnx.committee.pacing import Paces
from consensus_onnx.explainers import Explainer
from consensus_onnx.images import CanvasSettings, Item, Superpixels
from consensus_onnx.runtime import RuntimeSettings


@dataclass(frozen=True)
class ImageJob:
    """Decode pictures and masks, cut superpixels.

    Attributes
    ----------
    items : tuple of Item
        The dataset; commands name its indexes.
    canvas : CanvasSettings
        Geometry of the canvas.
    superpixels : mapping of str to Superpixels
        By the name of the explainer that wants them.
    """

    items: tuple[Item, ...]
    canvas: CanvasSettings
    superpixels: Mapping[str, Superpixels]


@dataclass(frozen=True)
class MemberJob:
    """Open one member, predict and explain pictures of a run.

    Attributes
    ----------
    member : Member
        The model.
    runtime : RuntimeSettings
        How it runs.
    explainers : tuple of Explainer
        What may be asked.
    seed : int
        Of everything random.
    store : Path
        The run folder, from which canvases and superpixels are read.
    paces : dict of str to int
        What is known of how its passes are quickest.
    """

    member: Member
    runtime: RuntimeSettings
    explainers: tuple[Explainer, ...]
    seed: int
    store: Path
    paces: Paces


@dataclass(frozen=True)
class InspectionJob:
    """Open one member, tell what it is, and measure it on labelled pictures.

    Attributes
    ----------
    member : Member
        The model.
    runtime : RuntimeSettings
        How it runs.
    items : tuple of Item
        Labelled pictures; none to measure nothing.
    canvas : CanvasSettings
        Geometry of the canvas.
    """

    member: Member
    runtime: RuntimeSettings
    items: tuple[Item, ...]
    canvas: CanvasSettings


@dataclass(frozen=True)
class GradientJob:
    """Differentiate one model and write the result.

    Attributes
    ----------
    model, out : Path
        What is read and written.
    of : str
        'output', 'logits', 'probabilities', 'log-probabilities', or the name of a tensor.
    wrt : str or None
        Input (or inner tensor) to differentiate by; None takes the only input.
    target : int or None
        The class whose gradient is written; None leaves it to a seed.
    lowering : str
        Provider the operators are chosen for, 'cpu' or 'cuda'.
    check : bool
        Whether to compare with directional differences.
    """

    model: Path
    out: Path
    of: str
    wrt: str | None
    target: int | None
    lowering: Literal["cpu", "cuda"]
    check: bool


@dataclass(frozen=True)
class RandomisingJob:
    """Shuffle one model's weights and write the result.

    Attributes
    ----------
    model, out : Path
        What is read and written.
    seed : int
        Of the shuffling.
    """

    model: Path
    out: Path
    seed: int


@dataclass(frozen=True)
class BenchJob:
    """Open one member and time it.

    Attributes
    ----------
    member : Member
        The model.
    runtime : RuntimeSettings
        How it runs.
    explainers : tuple of Explainer
        With as many samples as are timed.
    picture : Path
        What is explained.
    canvas : CanvasSettings
        Geometry of the canvas.
    rounds : int
        How often everything is timed.
    """

    member: Member
    runtime: RuntimeSettings
    explainers: tuple[Explainer, ...]
    picture: Path
    canvas: CanvasSettings
    rounds: int


Job: TypeAlias = ImageJob | MemberJob | InspectionJob | GradientJob | RandomisingJob | BenchJob
