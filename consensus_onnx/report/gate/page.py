"""The gate's result as one HTML page that works offline, with the pictures that drifted most side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from consensus_onnx.gate.results import CandidateResult, Check, GateResult, ImageDrift
from consensus_onnx.report.document import digest_of
from consensus_onnx.report.pictures import grey_photograph, overlay, photograph
from consensus_onnx.report.standings import title_of
from consensus_onnx.report.templating import environment

_SIDE = 224  # maps are shown large here: there are few


@dataclass(frozen=True)
class _Shown:
    """One picture with the three explanations laid over it."""

    drift: ImageDrift
    picture: Markup
    grey: Markup
    side: int
    overlays: tuple[tuple[str, Markup | None, str], ...]


@dataclass(frozen=True)
class _Candidate:
    result: CandidateResult
    rows: tuple[tuple[Check, int], ...]
    shown: tuple[_Shown, ...]


def gate_page(result: GateResult) -> str:
    """Return the page; it loads nothing, and the same result gives the same text."""
    style = (Path(__file__).parent.parent / "style.css").read_text(encoding="utf-8")
    return (
        environment()
        .get_template("gate/page.html")
        .render(
            result=result,
            candidates=[_candidate(one) for one in result.candidates],
            version=result.versions.get("consensus-onnx", ""),
            style=Markup(style),
            style_digest=Markup(digest_of(style)),
            title_of=title_of,
        )
    )


def _candidate(result: CandidateResult) -> _Candidate:
    rows = tuple((check, 0 if check.condition == "min_score_percentile" else 3) for check in result.checks)
    return _Candidate(result, rows, tuple(_shown(drift) for drift in result.worst))


def _shown(drift: ImageDrift) -> _Shown:
    def painted(values: object) -> Markup | None:
        return None if values is None else overlay(values, drift.segments, _SIDE)  # type: ignore[arg-type]

    def scored(value: float) -> str:
        return "" if math.isnan(value) else f"score {value:.3f}"

    overlays = (
        ("Reference", painted(drift.reference), scored(drift.reference_score)),
        ("Candidate", painted(drift.candidate), scored(drift.score)),
        ("Consensus", painted(drift.consensus), ""),
    )
    return _Shown(drift, photograph(drift.canvas), grey_photograph(drift.canvas), len(drift.canvas), overlays)
