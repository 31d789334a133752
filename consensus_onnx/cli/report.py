"""`consensus-onnx report`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--images", default=8, show_default=True, help="Pictures shown with their explanations.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="HTML file.  [default: RUN/report.html]")
def report_command(run: Path, images: int, out: Path | None) -> None:
    """Write the report of a finished RUN again, as one HTML file that needs no network.

    \b
    consensus-onnx report run/ --images 24
    """
    from consensus_onnx.engine.run import Run
    from consensus_onnx.report import write_report

    click.echo(write_report(Run.open(run), out, images=images))
