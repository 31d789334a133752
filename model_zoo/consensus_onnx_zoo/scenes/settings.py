"""What a scene may hold."""

from __future__ import annotations

from dataclasses import dataclass

from consensus_onnx.errors import ConfigError

SIDE = 96


@dataclass(frozen=True)
class Mark:
    """A coloured square in a corner that names a class: the planted shortcut.

    Attributes
    ----------
    share : float
        Part of the scenes that have one.
    agreement : float
        Part of the marks that name the scene's class; the others name any class with equal chance. 0 tells nothing.
    """

    share: float = 0.5
    agreement: float = 0.0

    def __post_init__(self) -> None:
        for name in ("share", "agreement"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"mark.{name}: got {getattr(self, name)}, expected 0..1")


@dataclass(frozen=True)
class SceneSettings:
    """What a scene may hold.

    Attributes
    ----------
    objects : int
        Objects in a picture, 0..4; the first is the main one, whose class is the label. The others are smaller.
    distractors : int
        At most this many small shapes and strokes beside the object.
    occlusion : float
        Probability that a bar or a blob covers part of the object.
    photographs : float
        Probability that a surface is a crop of a photograph.
    camera : bool
        Uneven light, blur and noise.
    mark : Mark
        The mark in the corner.
    """

    objects: int = 1
    distractors: int = 3
    occlusion: float = 0.4
    photographs: float = 0.3
    camera: bool = True
    mark: Mark = Mark()

    def __post_init__(self) -> None:
        if not 0 <= self.objects <= 4:
            raise ConfigError(f"objects: got {self.objects}, expected 0..4")
        if self.distractors < 0:
            raise ConfigError(f"distractors: got {self.distractors}, expected 0 or more")
        for name in ("occlusion", "photographs"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}: got {getattr(self, name)}, expected 0..1")


SHORTCUT = Mark(share=1.0, agreement=0.95)
"""The mark of the scenes that the two shortcut members are trained on."""
