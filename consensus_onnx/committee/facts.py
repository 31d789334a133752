"""Everything about a member that must be known before it can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from consensus_onnx.committee.declaration import Color, Layout, Normalisation, OutputKind


@dataclass(frozen=True)
class InputFacts:
    """The tensor a member reads.

    Attributes
    ----------
    name : str
        Graph input.
    layout, size, color, dtype : str, (int, int), str, str
        Order of the axes, (height, width) in pixels, order of the channels, numpy's name of the element type.
    batch : int
        Pictures one forward pass takes: 0 any number, else exactly so many.
    """

    name: str
    layout: Layout
    size: tuple[int, int]
    color: Color
    dtype: str
    batch: int

    @property
    def channels(self) -> int:
        """1 for grey models, else 3."""
        return 1 if self.color == "GRAY" else 3

    def describe(self) -> str:
        """Return size, layout and colour as tables show them: '224x224 NCHW RGB'."""
        height, width = self.size
        precision = "" if self.dtype == "float32" else f" {self.dtype}"
        return f"{height}x{width} {self.layout} {self.color}{precision}"


@dataclass(frozen=True)
class Preprocessing:
    """(x * scale - mean) / std on canvas values 0..255, per channel in the model's order."""

    scale: float
    mean: Normalisation
    std: Normalisation


@dataclass(frozen=True)
class OutputFacts:
    """The tensor a member answers with.

    Attributes
    ----------
    name, kind : str
        Graph output; 'logits' or 'probabilities'.
    width : int
        Numbers per picture.
    class_offset, classes : int
        Output that is the common class 0; size of the common label space.
    """

    name: str
    kind: OutputKind
    width: int
    class_offset: int
    classes: int


@dataclass(frozen=True)
class ModelFacts:
    """A member with nothing left open.

    Attributes
    ----------
    input, preprocessing, output : InputFacts, Preprocessing, OutputFacts
        What it reads, how the canvas becomes that, what it answers.
    parameters, opset : int
        Stored weights; version of the default operator set.
    digest : str
        sha256 of the file and its external data.
    sources : mapping of str to str
        Where each value came from, by its dotted key in committee.yaml: 'declared', 'metadata', 'file',
        'convention' or 'measured'.
    notices : tuple of str
        What a person should know: every convention that was assumed, every doubt.
    """

    input: InputFacts
    preprocessing: Preprocessing
    output: OutputFacts
    parameters: int
    opset: int
    digest: str
    sources: Mapping[str, str]
    notices: tuple[str, ...]

    @property
    def preprocessing_source(self) -> str:
        """Where the preprocessing came from: 'declared', 'metadata', 'convention', or a mixture 'a+b'."""
        return "+".join(sorted({source for key, source in self.sources.items() if key.startswith("preprocess.")}))

    def to_json(self) -> dict[str, Any]:
        """Return plain values for storage; `from_json` is the inverse."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> ModelFacts:
        """Rebuild what `to_json` wrote, also after a trip through JSON."""
        given, scaling = dict(values["input"]), dict(values["preprocessing"])
        given["size"] = tuple(given["size"])
        scaling.update(mean=tuple(scaling["mean"]), std=tuple(scaling["std"]))
        rest = {
            **values,
            "input": InputFacts(**given),
            "preprocessing": Preprocessing(**scaling),
            "output": OutputFacts(**values["output"]),
            "notices": tuple(values["notices"]),
        }
        return ModelFacts(**rest)
