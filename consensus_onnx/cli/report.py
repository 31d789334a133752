"""`consensus-onnx report`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md", "json", "figures"]),
    default="html",
    show_default=True,
    help="One page; Markdown; all numbers; or every plot as SVG, PDF and PNG.",
)
@click.option("--images", default=8, show_default=True, help="Pictures shown with their explanations.")
@click.option(
    "--external",
    multiple=True,
    type=click.Path(path_type=Path),
    help="CSV of scores from elsewhere, with the columns member,score; compared by rank; may be repeated.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File, or folder of figures.  [default: in RUN]")
def report_command(run: Path, form: str, images: int, external: tuple[Path, ...], out: Path | None) -> None:
    """Write the report of a finished RUN again; the page needs no network, and no model runs.

    \b
    consensus-onnx report run/ --images 24
    consensus-onnx report run/ --external user_study.csv
    consensus-onnx report run/ --format figures -o figures/
    """
    import json

    from consensus_onnx.engine.folder import write_text
    from consensus_onnx.engine.run import Run
    from consensus_onnx.errors import ConfigError
    from consensus_onnx.report import write_report
    from consensus_onnx.report.experiments import Experiments
    from consensus_onnx.report.external_scores import read_external
    from consensus_onnx.report.figures import write_figures
    from consensus_onnx.report.markdown import report_markdown
    from consensus_onnx.report.numbers import report_numbers

    if images < 0:
        raise ConfigError(f"--images: must be >= 0, got {images}")
    opened = Run.open(run)
    names = {member.name for member in opened.members}
    scores = {path.stem: read_external(path, names) for path in external}
    if form == "html":
        click.echo(write_report(opened, out, images=images, external=scores))
        return
    experiments = Experiments(opened)
    if form == "figures":
        for path in write_figures(experiments, run / "figures" if out is None else out, images=min(images, 8)):
            click.echo(path)
        return
    target = run / f"report.{form}" if out is None else out
    if form == "json":
        text = json.dumps(report_numbers(experiments, scores), indent=1) + "\n"
    else:
        text = report_markdown(experiments, scores)
    write_text(target, text)
    click.echo(target)
