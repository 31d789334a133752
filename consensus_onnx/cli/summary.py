"""What the command line says of a finished run: a table, five lines, or JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consensus_onnx.analysis import correlate
from consensus_onnx.engine.records import MemberRecord, ScoreRow
from consensus_onnx.engine.run import Run
from consensus_onnx.runtime.text import printable

WIDTH = 100


def print_summary(run: Run) -> None:
    """Print the ranking and the five lines that say what to remember."""
    console = Console(highlight=False, width=None if Console().is_terminal else WIDTH)
    console.print(_ranking(run))
    for line in summary_lines(run):
        console.print(escape(printable(line, 1000)), soft_wrap=True)


def summary_lines(run: Run) -> list[str]:
    """Return the closing lines of an audit: size, who agrees most and least, accuracy, where the results lie."""
    usable = sum(bool(member.digest) for member in run.members)
    lines = [f"{run.name}: {usable} of {len(run.members)} members, {len(run.images)} images"]
    if run.failed_images:
        lines[0] += f" ({len(run.failed_images)} images failed)"
    for explainer in run.explainers:
        rows = sorted(_scored(run, explainer), key=lambda row: -row.score)
        if len(rows) == 1:
            lines.append(f"{explainer}: {rows[0].member} is alone; the consensus is its own explanation")
        elif rows:
            lines.append(
                f"{explainer}: {rows[0].member} agrees most ({rows[0].score:.3f}), "
                f"{rows[-1].member} least ({rows[-1].score:.3f})"
            )
        lines.append(f"{explainer}: {accuracy_line(run, explainer)}")
    lines.append(f"results: {run.path / 'report.html'}")
    return lines


def accuracy_line(run: Run, explainer: str) -> str:
    """Return how score and accuracy go together, in words."""
    scores = {row.member: row.score for row in _scored(run, explainer)}
    pairs = [(m.accuracy, scores[m.name]) for m in run.members if m.accuracy is not None and m.name in scores]
    if len(pairs) < 3:
        return "no correlation with accuracy (fewer than 3 members with both)"
    found = correlate([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    return (
        f"score against accuracy over {found.n} members: Pearson {found.pearson:.2f} "
        f"[{found.ci_low:.2f}, {found.ci_high:.2f}], Spearman {found.spearman:.2f}"
    )


def print_json(run: Run) -> None:
    """Print members and scores as one JSON object on standard output; numbers that do not exist are null."""
    members: list[dict[str, Any]] = []
    for member in run.members:
        entry: dict[str, Any] = {
            "name": member.name,
            "family": member.family,
            "status": member.status,
            "reason": member.reason,
            "accuracy": member.accuracy,
            "scores": {},
        }
        for row in run.score_rows:
            if row.member == member.name:
                values = {key: getattr(row, key) for key in ("score", "ci_low", "ci_high", "leave_one_out", "mask_ap")}
                entry["scores"][row.explainer] = {
                    **{key: value if math.isfinite(value) else None for key, value in values.items()},
                    "images": row.images,
                }
        members.append(entry)
    content = {
        "run": str(run.path),
        "committee": run.name,
        "images": len(run.images),
        "failed_images": {image.name: image.reason for image in run.failed_images},
        "members": members,
    }
    click.echo(json.dumps(content, indent=2))


def _scored(run: Run, explainer: str) -> list[ScoreRow]:
    return [row for row in run.score_rows if row.explainer == explainer and math.isfinite(row.score)]


def _ranking(run: Run) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("member", overflow="ellipsis", no_wrap=True, max_width=32)
    table.add_column("acc.", justify="right", no_wrap=True)
    for explainer in run.explainers:
        table.add_column(f"{explainer} [95 %]", justify="right", no_wrap=True)
        table.add_column("others", justify="right")
    table.add_column("status", overflow="ellipsis", no_wrap=True, max_width=16)
    rows = {(row.member, row.explainer): row for row in run.score_rows}
    first = run.explainers[0]

    def rank(member: MemberRecord) -> float:
        score = rows[member.name, first].score
        return -score if math.isfinite(score) else math.inf

    for member in sorted(run.members, key=rank):
        cells = [escape(printable(member.name, 100)), "" if member.accuracy is None else f"{member.accuracy:.3f}"]
        for explainer in run.explainers:
            row = rows[member.name, explainer]
            cells += ["-", "-"]
            if math.isfinite(row.score):
                interval = f"{row.ci_low:.2f}-{row.ci_high:.2f}" if math.isfinite(row.ci_low) else "-"
                cells[-2] = f"{row.score:.3f} [dim]{interval}[/dim]"
                cells[-1] = f"{row.leave_one_out:.3f}" if math.isfinite(row.leave_one_out) else "-"
        table.add_row(*cells, escape(member.status))
    return table
