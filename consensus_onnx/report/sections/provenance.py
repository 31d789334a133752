"""How the run was made: members as they were read, settings, versions, digests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consensus_onnx.engine.records import MemberRecord
from consensus_onnx.report.experiments import Experiments
from consensus_onnx.report.section import ReportOptions, Section

_SECTIONS = ("consensus", "settings", "versions")


@dataclass(frozen=True)
class Sheet:
    """A member as it was read; its notices as separate sentences."""

    index: int
    member: MemberRecord
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Provenance:
    """The content of this section; `groups` holds (title, rows of dotted key and value)."""

    sheets: tuple[Sheet, ...]
    groups: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    images: tuple[tuple[str, str], ...]


def build(experiments: Experiments, options: ReportOptions) -> Section:
    """Collect what is needed to make the run again."""
    run = experiments.run
    sheets = tuple(
        Sheet(index, member, tuple(part.strip() for part in member.notices.split("|") if part.strip()))
        for index, member in enumerate(run.members)
    )
    groups = tuple(
        (name.capitalize(), tuple(_dotted(run.settings[name]))) for name in _SECTIONS if run.settings.get(name)
    )
    images = tuple((image.name, image.digest) for image in run.images)
    return Section("provenance", "How it was made", "provenance.html", Provenance(sheets, groups, images))


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(value)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(_text(entry) for entry in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
