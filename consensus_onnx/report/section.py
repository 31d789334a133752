"""What a section of the report is: a small module with a `build` and a template beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from consensus_onnx.report.experiments import Experiments


@dataclass(frozen=True)
class ReportOptions:
    """What a reader may choose.

    Attributes
    ----------
    images : int
        How many images the gallery shows.
    external : mapping of str to (mapping of str to float)
        Imported scores by member, by the name of their source.
    """

    images: int = 8
    external: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    anchor, title : str
        Its address on the page, and its heading; a section without title has no entry in the navigation.
    template : str
        Name of the file in report/sections that shows `content`, there called `it`.
    content : object
        A frozen dataclass of plain values, ready to be shown.
    """

    anchor: str
    title: str
    template: str
    content: Any


Build: TypeAlias = Callable[[Experiments, ReportOptions], Section | None]
