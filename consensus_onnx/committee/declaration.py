"""What a person can declare about a model that its file does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

from consensus_onnx.config import check_settings, setting

Layout = Literal["NCHW", "NHWC"]
Color = Literal["RGB", "BGR", "GRAY"]
OutputKind = Literal["logits", "probabilities"]

Normalisation = tuple[float, ...]


@dataclass(frozen=True)
class InputDeclaration:
    """The tensor a model reads; None is found out from the file."""

    name: str | None = setting(None, "graph input that takes the picture, where a model has several")
    layout: Layout | None = setting(None, "order of the axes", choices=("NCHW", "NHWC"))
    size: tuple[int, int] | None = setting(None, "height and width in pixels")
    color: Color | None = setting(None, "order of the channels", choices=("RGB", "BGR", "GRAY"))

    def __post_init__(self) -> None:
        check_settings(self)
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"InputDeclaration.size: must be two positive numbers, got {list(self.size)}")


@dataclass(frozen=True)
class PreprocessDeclaration:
    """How a canvas value x in 0..255 becomes an input value: (x * scale - mean) / std, per channel of the model."""

    scale: float | None = setting(None, "factor on 0..255")
    mean: Normalisation | None = setting(None, "subtracted after scaling, in the model's channel order")
    std: Normalisation | None = setting(None, "divided by after subtracting")

    def __post_init__(self) -> None:
        check_settings(self)
        if self.std is not None and 0.0 in self.std:
            raise ValueError(f"PreprocessDeclaration.std: must not contain 0, got {list(self.std)}")
        if self.scale == 0.0:
            raise ValueError("PreprocessDeclaration.scale: must not be 0")


@dataclass(frozen=True)
class OutputDeclaration:
    """The tensor a model answers with."""

    name: str | None = setting(None, "graph output that holds the classes, where a model has several")
    kind: OutputKind | None = setting(
        None, "logits, or probabilities where the model ends in a softmax", choices=("logits", "probabilities")
    )
    class_offset: int | None = setting(
        None, "the model's class that is the common class 0; 1 where class 0 is 'background'", minimum=0
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class MemberDeclaration:
    """One entry of `members` in committee.yaml."""

    file: str = setting("", "the ONNX file, relative to the committee's folder")
    name: str | None = setting(None, "what to call the member; default: the file's name without .onnx")
    family: str | None = setting(None, "architecture family, for family-balanced votes; default: the member's name")
    accuracy: float | None = setting(None, "declared top-1 accuracy, 0..1", minimum=0.0, maximum=1.0)
    input: InputDeclaration = setting(InputDeclaration(), "the tensor it reads")
    preprocess: PreprocessDeclaration = setting(PreprocessDeclaration(), "from canvas to input")
    output: OutputDeclaration = setting(OutputDeclaration(), "the tensor it answers with")

    SECTIONS: ClassVar[tuple[str, ...]] = ("input", "preprocess", "output")

    def __post_init__(self) -> None:
        check_settings(self)

    def undeclared(self) -> tuple[str, ...]:
        """Return the dotted keys of `input`, `preprocess` and `output` that nobody declared (names aside)."""
        return tuple(
            f"{section}.{field.name}"
            for section in self.SECTIONS
            for field in fields(getattr(self, section))
            if field.name != "name" and getattr(getattr(self, section), field.name) is None
        )

    def digestible(self) -> Mapping[str, Mapping[str, object]]:
        """Return what changes this member's results, as plain values for a digest (not name, family, accuracy)."""
        return {
            section: {
                field.name: getattr(getattr(self, section), field.name) for field in fields(getattr(self, section))
            }
            for section in self.SECTIONS
        }
