"""`consensus-onnx inspect`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consensus_onnx.cli.app import EXIT_BROKEN, EXIT_INCOMPLETE

if TYPE_CHECKING:
    from rich.console import Console

    from consensus_onnx.engine.inspection import Inspection
    from consensus_onnx.images import Item


@click.command("inspect")
@click.argument("models", type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), help="Folder of pictures, to measure accuracy.")
@click.option("--labels", type=click.Path(path_type=Path), help="CSV with the columns file,label.")
@click.option("--classes", type=click.Path(path_type=Path), help="File of class names, one per line.")
@click.option("--limit", default=64, show_default=True, help="Labelled pictures to measure on.")
@click.option("--provider", help="auto, cpu or cuda.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting, such as canvas.resize=227.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def inspect_command(
    models: Path,
    images: Path | None,
    labels: Path | None,
    classes: Path | None,
    limit: int,
    provider: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what is in MODELS: input, output, preprocessing and where it came from, whether it has a gradient.

    With labelled pictures the accuracy of every model is measured, and where another normalisation, channel order or
    class offset does far better, it says which: the commonest mistake with exported models.

    \b
    consensus-onnx inspect models/
    consensus-onnx inspect models/ --images photos/ --labels photos/labels.csv

    Exit codes: 0 all models can be used, 2 none can, 3 some cannot.
    """
    from rich.console import Console

    from consensus_onnx.cli.settings import audit_settings
    from consensus_onnx.committee import load_committee
    from consensus_onnx.engine.inspection import inspect_committee
    from consensus_onnx.errors import ConfigError
    from consensus_onnx.images import read_dataset

    if labels is not None and images is None:
        raise ConfigError("--labels needs --images: the folder of the pictures it names")
    settings = audit_settings(None, overrides, {"runtime.provider": provider})
    committee = load_committee(models)
    items: tuple[Item, ...] = ()
    if images is not None:
        dataset = read_dataset(images, labels, classes=classes or committee.classes)
        items = tuple(item for item in dataset.items if item.label is not None)[:limit]
        if not items:
            raise ConfigError(f"{images}: has no labelled pictures to measure on; give --labels file,label")
    progress = Console(stderr=True)
    with progress.status("opening models") as status:
        inspections = inspect_committee(
            committee, items, settings, lambda inspection: status.update(f"looked at {inspection.member.name}")
        )
    if as_json:
        click.echo(json.dumps([_plain(inspection) for inspection in inspections], indent=2))
    else:
        _print(inspections)
    problems = sum(bool(inspection.problem) for inspection in inspections)
    if problems:
        sys.exit(EXIT_BROKEN if problems == len(inspections) else EXIT_INCOMPLETE)


def _print(inspections: tuple[Inspection, ...]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=100)
    measured = any(inspection.accuracy is not None for inspection in inspections)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    # Widest cells: 224x224 NCHW RGB, 1000 logits, convention, 138.4 M, cuda; together with the member 100 columns.
    table.add_column("member", no_wrap=True, overflow="ellipsis", max_width=28)
    for title in ("input", "output", "preproc."):
        table.add_column(title, no_wrap=True, overflow="ellipsis", max_width=17)
    table.add_column("params", no_wrap=True, justify="right")
    table.add_column("on", no_wrap=True)
    table.add_column("gradient", no_wrap=True, overflow="ellipsis", max_width=14)
    if measured:
        table.add_column("top-1", no_wrap=True, justify="right")
    for inspection in inspections:
        table.add_row(*(escape(cell) for cell in _cells(inspection, measured)))
    console.print(table)
    for inspection in inspections:
        _print_notes(console, inspection)


def _cells(inspection: Inspection, measured: bool) -> list[str]:
    facts = inspection.facts
    if facts is None:
        return [inspection.member.name, "cannot be used"]
    offset = f" +{facts.output.class_offset}" if facts.output.class_offset else ""
    cells = [
        inspection.member.name,
        facts.input.describe(),
        f"{facts.output.classes}{offset} {facts.output.kind[:6]}",
        facts.preprocessing_source,
        f"{facts.parameters / 1e6:.1f} M" if facts.parameters >= 1e5 else f"{facts.parameters / 1e3:.0f} k",
        inspection.provider,
        ", ".join(inspection.obstacles) or "yes",
    ]
    if measured:
        cells.append("" if inspection.accuracy is None else f"{inspection.accuracy.measured:.3f}")
    return cells


def _print_notes(console: Console, inspection: Inspection) -> None:
    from rich.markup import escape

    notes = [] if inspection.facts is None else [("note", text) for text in inspection.facts.notices]
    if inspection.problem:
        notes.append(("problem", inspection.problem))
    if inspection.obstacles:
        notes.append(("note", f"no gradient rule for {', '.join(inspection.obstacles)}: SmoothGrad will leave it out"))
    if inspection.advice:
        notes.append(("check", inspection.advice))
    for kind, text in notes:
        style = {"problem": "red", "check": "yellow"}.get(kind, "dim")
        console.print(f"[{style}]{kind}[/] {escape(inspection.member.name)}: {escape(text)}", soft_wrap=True)


def _plain(inspection: Inspection) -> dict[str, Any]:
    return {
        "name": inspection.member.name,
        "family": inspection.member.family,
        "file": str(inspection.member.path),
        "problem": inspection.problem,
        "facts": None if inspection.facts is None else inspection.facts.to_json(),
        "provider": inspection.provider,
        "gradient_obstacles": list(inspection.obstacles),
        "accuracy": None if inspection.accuracy is None else asdict(inspection.accuracy),
        "advice": inspection.advice,
    }
