"""`consensus-onnx sensitivity`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("sensitivity")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def sensitivity_command(runs: tuple[Path, ...], as_json: bool) -> None:
    """Say how the ranking of members changes with choices of method.

    Of the first RUN, everything that needs no forward pass: form of the similarity, sigma, vote, grid of maps, family
    weights, leave-one-out. Further RUNs of the same committee show what other targets, superpixels or samples do.

    \b
    consensus-onnx sensitivity run/
    consensus-onnx sensitivity run/ run_label/ run_500_samples/
    """
    import json

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from consensus_onnx.cli.summary import WIDTH
    from consensus_onnx.engine.run import Run
    from consensus_onnx.report.experiments import Experiments
    from consensus_onnx.report.other_runs import compare_runs
    from consensus_onnx.report.plain import plain
    from consensus_onnx.report.remarks import remarks
    from consensus_onnx.report.standings import title_of
    from consensus_onnx.report.templating import clean, signed

    first, *others = [Run.open(path) for path in runs]
    experiments = Experiments(first)
    changes = {
        name: (*experiments.sensitivity(name), *compare_runs(experiments, others, name)) for name in first.explainers
    }
    if as_json:
        names = [member.name for member in first.members]
        click.echo(json.dumps({"members": names, "explainers": plain(changes)}, indent=1))
        return
    console = Console(highlight=False, width=None if Console().is_terminal else WIDTH)
    for name, rows in changes.items():
        table = Table(box=None, pad_edge=False, header_style="bold", title=title_of(name), title_justify="left")
        table.add_column("choice", overflow="fold")
        for heading in ("Spearman", "Kendall", "moves", "r with acc."):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in rows:
            cells = [signed(row.agreement.spearman), signed(row.agreement.kendall), str(row.largest_move)]
            table.add_row(escape(clean(row.name)), *cells, signed(row.accuracy.pearson))
        console.print(table)
        console.print()
    console.print(
        "Spearman, Kendall: with the ranking as audited; moves: most places any member moves.", soft_wrap=True
    )
    for remark in remarks(experiments):
        console.print(escape(f"{remark.title}. {remark.text}"), soft_wrap=True)
