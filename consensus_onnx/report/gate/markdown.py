"""Markdown of a gate's result, for a comment on a pull request or a job's summary."""

from __future__ import annotations

from consensus_onnx.gate.results import CandidateResult, Check, GateResult
from consensus_onnx.report.markdown import escaped, table
from consensus_onnx.report.templating import number

_MARKS = {"passed": "✅", "failed": "❌", "unjudged": "⚠️", "incomplete": "⚠️", "broken": "❌"}
_WORST = 5


def markdown_text(result: GateResult) -> str:
    """Return the result as Markdown: a heading with the verdict, one section a candidate."""
    parts = [f"## {_MARKS[result.verdict]} consensus-onnx gate: {result.verdict}"]
    for candidate in result.candidates:
        parts += _candidate(candidate)
    parts.append(
        f"Baseline {escaped(result.baseline)} of {escaped(result.committee)}: {result.members} members, "
        f"{result.images} pictures, seed {result.seed}, sha256 `{result.baseline_sha256[:16]}`. A condition fails only "
        "where its bound lies beyond both limit and noise; *finds* is the smallest true change found 4 times of 5."
    )
    return "\n\n".join(parts) + "\n"


def _candidate(candidate: CandidateResult) -> list[str]:
    against = f" against {escaped(candidate.reference)}" if candidate.reference else ""
    parts = [f"### {_MARKS[candidate.verdict]} {escaped(candidate.path)}{against}: {candidate.verdict}"]
    if candidate.reason:
        parts.append(escaped(candidate.reason))
    if candidate.checks:
        head = ["condition", "measured", "95 %", "bound", "limit", "noise", "finds", "images", ""]
        parts.append(table(head, [_row(check) for check in candidate.checks]))
    broken = [check for check in candidate.checks if check.status != "passed"]
    if broken:
        parts.append("\n".join(f"- **{check.name}** {check.status}: {escaped(check.text)}" for check in broken))
    lines = [f"Explained: {escaped(candidate.targets)}."]
    if candidate.preprocessing:
        lines.append(f"Preprocessing: {escaped(candidate.preprocessing)}.")
    lines += [f"Note: {escaped(notice)}." for notice in candidate.notices]
    parts.append("  \n".join(lines))
    if candidate.reference and candidate.worst:
        worst = sorted(candidate.worst, key=lambda drift: drift.similarity)[:_WORST]
        rows = [
            [
                escaped(one.image),
                one.explainer,
                number(one.similarity),
                f"{number(one.score)} ({number(one.reference_score)})",
                f"{one.predicted} ({one.reference_predicted})",
            ]
            for one in worst
        ]
        head = ["furthest apart", "explainer", "cosine", "score (reference)", "predicts (reference)"]
        parts.append(table(head, rows))
    if candidate.failures:
        parts.append(f"{len(candidate.failures)} explanations or predictions could not be had.")
    return parts


def _row(check: Check) -> list[str]:
    decimals = 0 if check.condition == "min_score_percentile" else 3
    return [
        check.name,
        number(check.measured, decimals),
        f"{number(check.low, decimals)} to {number(check.high, decimals)}",
        number(check.bound, decimals),
        number(check.limit, decimals),
        number(check.noise, decimals),
        number(check.detectable, decimals),
        str(check.images),
        _MARKS[check.status],
    ]
