"""`consensus-onnx gradient`."""

from __future__ import annotations

import json
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
    metavar="WHAT",
    help="What is differentiated: output, logits, probabilities, log-probabilities, or any tensor's name.",
)
@click.option(
    "--wrt",
    metavar="TENSOR",
    help="What it is differentiated by: an input or an inner tensor.  [default: the only input]",
)
@click.option(
    "--target",
    type=int,
    metavar="INDEX",
    help="Fix the class (the channel, of an inner tensor) in the graph: no seed to feed.",
)
@click.option("--check", is_flag=True, help="Compare with differences of the model along random directions.")
@click.option(
    "--lowering", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Provider to write it for."
)
@click.option("--json", "as_json", is_flag=True, help="Print names and numbers as JSON on standard output.")
def gradient_command(
    model: Path,
    out: Path,
    of: str,
    wrt: str | None,
    target: int | None,
    check: bool,
    lowering: Literal["cpu", "cuda"],
    as_json: bool,
) -> None:
    """Write a model that also computes its own gradient, with standard ONNX operators only.

    The new model has the old inputs and outputs and an output "grad/<input>". An input "grad/seed" of the output's
    shape says what to differentiate (a one-hot row asks for one class); --target fixes one class instead. It runs
    wherever ONNX Runtime runs. Nothing is written where a check fails.

    \b
    consensus-onnx gradient model.onnx -o gradient.onnx --check
    consensus-onnx gradient model.onnx -o gradient.onnx --of probabilities --target 281
    consensus-onnx gradient model.onnx -o cam.onnx --of logits --wrt /layer4/Relu_output_0
    """
    from dataclasses import asdict

    from consensus_onnx.engine.gradient_file import write_gradient
    from consensus_onnx.engine.jobs import GradientJob

    written = write_gradient(GradientJob(model, out, of, wrt, target, lowering, check))
    if as_json:
        click.echo(json.dumps({**asdict(written), "path": str(written.path)}, indent=2))
        return
    click.echo(f"{written.path}: {written.nodes_before} nodes became {written.nodes_after}")
    if written.seed is None:
        click.echo(f"read {written.gradient!r}: the gradient of entry {target} of {written.output!r}")
    else:
        click.echo(f"feed {written.seed!r} in the shape of {written.output!r}, read {written.gradient!r}")
    if written.max_relative_error is None or written.resolution is None:
        return
    click.echo(
        f"checked: error against differences {written.max_relative_error:.1e} of the largest derivative "
        f"(differences of this model decide {written.resolution:.1e})"
    )
