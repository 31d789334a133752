"""`consensus-onnx demo`: the whole method on a small world whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from consensus_onnx.engine.run import Run

_IMAGES = 24
# Fewer rows and draws than an audit's defaults, for speed; the paper's superpixels: 34 on a scene in the mean. They are
# masked in grey, not in their mean colour: objects of one colour would still be there (docs/zoo.md has both).
_SETTINGS = (
    "canvas.resize=96",
    "canvas.crop=96",
    "lime.samples=150",
    "lime.fill=128",
    "smoothgrad.samples=8",
    "engine.workers=2",
)


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/demo"), show_default=True, help="Folder.")
@click.option(
    "--images", type=click.IntRange(min=2), default=_IMAGES, show_default=True, help="Scenes drawn and audited."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting, such as lime.samples=500.")
@click.pass_context
def demo_command(ctx: click.Context, out: Path, images: int, overrides: tuple[str, ...]) -> None:
    """Audit the embedded committee on scenes that are drawn on the spot; nothing is downloaded.

    Every family of the paper in miniature, trained on pictures of twelve shapes: the object of each picture is known.
    Prints how score and accuracy go together, what the consensus finds of the objects, and where the networks stand
    that learned a shortcut.

    \b
    consensus-onnx demo
    """
    from consensus_onnx.cli.audit import audit_command
    from consensus_onnx.engine.run import Run
    from consensus_onnx_zoo.committee import FOLDER
    from consensus_onnx_zoo.scenes import write_scenes

    labels = write_scenes(out / "scenes", images)
    ctx.invoke(
        audit_command,
        models=FOLDER,
        images=out / "scenes" / "pictures",
        labels=labels,
        classes=out / "scenes" / "classes.txt",
        out=out / "run",
        overrides=(*_SETTINGS, *overrides),
    )
    run = Run.open(out / "run")
    for line in demo_lines(run):
        click.echo(line)
    click.echo(f"look at it: open {run.path / 'report.html'}")


def demo_lines(run: Run) -> list[str]:
    """Return what the demo shows: correlation over honest members, the consensus against masks, the shortcut's place.

    Parameters
    ----------
    run : Run
        A finished audit of the embedded committee.
    """
    import numpy as np

    from consensus_onnx.analysis import correlate
    from consensus_onnx_zoo.committee import OUTSIDERS, SHORTCUT_MEMBERS

    names = [member.name for member in run.members]
    honest = [index for index, member in enumerate(run.members) if member.name not in OUTSIDERS and member.digest]
    lines = []
    for explainer in run.explainers:
        scores = np.nanmean(run.scores(explainer), axis=1)
        found = correlate([run.members[index].accuracy or np.nan for index in honest], scores[honest])
        lines.append(
            f"{explainer}: score against accuracy over {found.n} honest members: Pearson {found.pearson:.2f} "
            f"[{found.ci_low:.2f}, {found.ci_high:.2f}]"
        )
        precision = np.nanmean(run.mask_ap(explainer), axis=1)[honest]
        consensus = float(np.nanmean(run.consensus_ap(explainer)))
        lines.append(
            f"{explainer}: average precision to the object's mask: consensus {consensus:.3f}, "
            f"members {precision.min():.3f} to {precision.max():.3f}, better than {np.mean(consensus > precision):.0%}"
        )
        order = list(np.argsort(-scores))
        places = [f"{name} {order.index(names.index(name)) + 1}" for name in SHORTCUT_MEMBERS if name in names]
        if places:
            lines.append(f"{explainer}: place by score of {len(names)}, trained on the shortcut: {', '.join(places)}")
    return lines
