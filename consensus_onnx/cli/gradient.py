"""`consensus-onnx gradient`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click


@click.command("gradient")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The gradient model to write.")
@click.option(
    "--of",
    default="output",
    show_default=True,
    help="What is differentiated: output, logits, probabilities, or a tensor.",
)
@click.option("--wrt", help="What it is differentiated by.  [default: the only input]")
@click.option("--check", is_flag=True, help="Compare with differences of the model along random directions.")
@click.option(
    "--lowering", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Provider to write it for."
)
def gradient_command(
    model: Path, out: Path, of: str, wrt: str | None, check: bool, lowering: Literal["cpu", "cuda"]
) -> None:
    """Write a model that also computes its own gradient, with standard ONNX operators only.

    The new model has the old inputs and outputs, an input "grad/seed" of the output's shape (a one-hot row asks for
    one class) and an output "grad/<input>". It runs wherever ONNX Runtime runs.

    \b
    consensus-onnx gradient model.onnx -o gradient.onnx --check
    consensus-onnx gradient model.onnx -o gradient.onnx --of probabilities
    """
    from consensus_onnx.engine.gradient_file import write_gradient
    from consensus_onnx.engine.jobs import GradientJob

    written = write_gradient(GradientJob(model, out, of, wrt, lowering, check))
    click.echo(f"{written.path}: {written.nodes_before} nodes became {written.nodes_after}")
    click.echo(f"feed {written.seed!r} in the shape of {written.output!r}, read {written.gradient!r}")
    if written.max_relative_error is None or written.resolution is None:
        return
    click.echo(
        f"checked: error against differences {written.max_relative_error:.1e} of the largest derivative "
        f"(differences of this model decide {written.resolution:.1e})"
    )
