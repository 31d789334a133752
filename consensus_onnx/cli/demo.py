"""`consensus-onnx demo`."""

from __future__ import annotations

from pathlib import Path

import click

_IMAGES = 8


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/demo"), show_default=True, help="Folder.")
@click.option("--images", default=_IMAGES, show_default=True, help="Pictures that are drawn and audited.")
@click.pass_context
def demo_command(ctx: click.Context, out: Path, images: int) -> None:
    """Run a whole audit on two small classifiers and pictures that are made on the spot; nothing is downloaded.

    \b
    consensus-onnx demo
    """
    from consensus_onnx.cli.audit import audit_command
    from consensus_onnx_zoo.miniature import SIDE, build_committee
    from consensus_onnx_zoo.shapes import write_scenes

    click.echo(
        "Two classifiers with frozen random convolutions and a fitted last layer are built from code, and pictures of "
        "shapes are drawn, both from fixed seeds. They show the workings, not the paper's findings."
    )
    models = build_committee(out / "committee")
    labels = write_scenes(out / "images", images)
    ctx.invoke(
        audit_command,
        models=models,
        images=out / "images" / "pictures",
        labels=labels,
        out=out / "run",
        overrides=(f"canvas.resize={SIDE}", f"canvas.crop={SIDE}", "lime.superpixels.max_dist=6"),
    )
