"""`consensus-onnx reproduce`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("reproduce")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def reproduce_command(run: Path, as_json: bool) -> None:
    """Print the paper's numbers beside those of a finished RUN, with what differs and why.

    Intervals are 95 % bootstraps over images and members together. Nothing is computed by a model.

    \b
    consensus-onnx reproduce run/
    """
    import json

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from consensus_onnx.cli.summary import WIDTH
    from consensus_onnx.engine.run import Run
    from consensus_onnx.report.experiments import Experiments
    from consensus_onnx.report.plain import plain
    from consensus_onnx.report.reproduction import differences, reproduction

    experiments = Experiments(Run.open(run))
    lines, unlike = reproduction(experiments), differences(experiments)
    if as_json:
        click.echo(json.dumps({"numbers": plain(lines), "differences": list(unlike)}, indent=1))
        return
    console = Console(highlight=False, width=None if Console().is_terminal else WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("where", no_wrap=True)
    for heading in ("what", "paper", "here", "verdict"):
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*(escape(text) for text in (line.where, line.what, line.paper, line.here, line.verdict)))
    console.print(table)
    console.print("\nWhat differs:")
    for text in unlike:
        console.print(escape(f"- {text}"), soft_wrap=True)
