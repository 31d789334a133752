"""`consensus-onnx randomise`."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("randomise")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The model to write.")
@click.option("--seed", type=click.IntRange(min=0, max=2**63), default=0, show_default=True, help="Of the shuffling.")
@click.option("--json", "as_json", is_flag=True, help="Print what was shuffled as JSON on standard output.")
def randomise_command(model: Path, out: Path, seed: int, as_json: bool) -> None:
    """Write the same model with its weights shuffled: a member that knows nothing.

    Its consensus score is the floor under the others' (Adebayo 2018, "Sanity checks for saliency maps"). Each weight
    tensor is shuffled within itself; biases and normalisations stay. In committee.yaml the copy needs the original's
    entry, under its own file and name.

    \b
    consensus-onnx randomise models/resnet50.onnx -o models/resnet50-randomised.onnx
    consensus-onnx randomise models/resnet50.onnx -o models/resnet50-randomised-1.onnx --seed 1
    """
    from dataclasses import asdict

    from consensus_onnx.engine.jobs import RandomisingJob
    from consensus_onnx.engine.randomised_file import write_randomised

    written = write_randomised(RandomisingJob(model, out, seed))
    if as_json:
        click.echo(json.dumps({**asdict(written), "path": str(written.path)}, indent=2))
    else:
        click.echo(f"{written.path}: {written.weights:,} weights in {written.tensors} tensors shuffled")
