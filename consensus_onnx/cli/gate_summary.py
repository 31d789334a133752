"""What the command line says of a gate: a table of conditions for each candidate, and the verdict."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consensus_onnx.cli.summary import WIDTH
from consensus_onnx.gate.results import CandidateResult, Check, GateResult
from consensus_onnx.runtime.text import printable

_STYLES = {
    "passed": "green",
    "failed": "bold red",
    "unjudged": "yellow",
    "incomplete": "yellow",
    "broken": "bold red",
}
_SHORT = {
    "min_score_percentile": "place",
    "max_score_drop": "score drop",
    "min_similarity_to_reference": "similarity",
    "min_prediction_agreement": "prediction agreement",
    "max_accuracy_drop": "accuracy drop",
    "max_mask_ap_drop": "mask AP drop",
}
_NOTICES = 6


def print_gate(result: GateResult) -> None:
    """Print every candidate's conditions, notices and verdict."""
    console = Console(highlight=False, width=None if Console().is_terminal else WIDTH)
    for candidate in result.candidates:
        _print_candidate(console, candidate)
    _say(
        console,
        f"baseline {result.baseline}: {result.members} members, {result.images} pictures, "
        f"sha256 {result.baseline_sha256[:16]}",
    )
    _say(
        console,
        "bound: a drop is at least, all else at most so much; noise: the same of reruns of the unchanged model; finds: "
        "the smallest true change found 4 times of 5",
        "dim",
    )
    console.print(f"gate: [{_STYLES[result.verdict]}]{result.verdict}[/]", soft_wrap=True)


def _print_candidate(console: Console, candidate: CandidateResult) -> None:
    against = f" against {candidate.reference}" if candidate.reference else ""
    _say(console, f"{candidate.path}{against}, explaining {candidate.targets}")
    if candidate.preprocessing:
        _say(console, f"preprocessing: {candidate.preprocessing}")
    for notice in candidate.notices[:_NOTICES]:
        _say(console, f"note: {notice}", "dim")
    if candidate.checks:
        console.print(_table(candidate))
    for check in candidate.checks:
        if check.status != "passed":
            _say(console, f"{check.status}: {check.name}: {check.text}", _STYLES[check.status])
    for failure in candidate.failures[:3]:
        _say(console, f"{failure.model}: {failure.explainer} of {failure.image}: {failure.status}: {failure.reason}")
    if len(candidate.failures) > 3:
        _say(console, f"... and {len(candidate.failures) - 3} more that could not be had (--json lists all)")
    verdict = f"{candidate.verdict}: {candidate.reason}" if candidate.reason else candidate.verdict
    _say(console, f"{candidate.candidate}: {verdict}", _STYLES[candidate.verdict])
    console.print()


def _table(candidate: CandidateResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("condition", no_wrap=True)
    for heading in ("measured [95 %]", "bound", "limit", "noise", "finds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for check in candidate.checks:
        name = " ".join((_SHORT[check.condition], check.explainer)).strip()
        table.add_row(name, *_cells(check), f"[{_STYLES[check.status]}]{check.status}[/]")
    return table


def _cells(check: Check) -> tuple[str, ...]:
    decimals = 0 if check.condition == "min_score_percentile" else 3

    def shown(value: float) -> str:
        return f"{value:.{decimals}f}" if value == value else "-"

    measured = f"{shown(check.measured)} {shown(check.low)}..{shown(check.high)}"
    numbers = (check.bound, check.limit, check.noise, check.detectable)
    return (measured, *(shown(value) for value in numbers))


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(escape(printable(text, 1000)), style=style, soft_wrap=True)
