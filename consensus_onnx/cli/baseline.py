"""`consensus-onnx baseline`: freeze a run, look at what was frozen."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("baseline")
def baseline_command() -> None:
    """Freeze a run into one file for the gate, and show one.

    It holds all that `gate` needs to hold new exports against, but no model.

    \b
    consensus-onnx baseline freeze run/ -o baseline.zip
    consensus-onnx baseline show baseline.zip
    """


@baseline_command.command("freeze")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The file, replaced if it exists.")
@click.option("--explainer", "explainers", multiple=True, help="Freeze this one only; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), help="Freeze the first N images.")
@click.option(
    "--images-by-reference", "by_reference", is_flag=True, help="Leave pictures outside; their digests go in."
)
@click.option(
    "--keep",
    multiple=True,
    metavar="MEMBER",
    help="Keep the explanations of this member only, so that it can be a reference without its file; may be repeated. "
    " [default: all]",
)
@click.option(
    "--repeats",
    type=click.IntRange(min=0),
    default=0,
    help="Explain the members again with N other seeds, to measure the noise; needs --models.  [default: predict it "
    "from the explanations' standard errors]",
)
@click.option("--models", type=click.Path(path_type=Path), help="The folder that was audited, for --repeats.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting, such as engine.workers=2.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def freeze_command(
    run: Path,
    out: Path,
    explainers: tuple[str, ...],
    limit: int | None,
    by_reference: bool,
    keep: tuple[str, ...],
    repeats: int,
    models: Path | None,
    overrides: tuple[str, ...],
    quiet: bool,
) -> None:
    """Freeze a finished RUN.

    Pictures, superpixels, targets, consensus, scores, noise and settings go in; no model and no pickle. The same run
    gives the same bytes.

    \b
    consensus-onnx baseline freeze run/ -o baseline.zip
    consensus-onnx baseline freeze run/ -o baseline.zip --keep resnet --images-by-reference
    consensus-onnx baseline freeze run/ -o baseline.zip --repeats 2 --models models/
    """
    from consensus_onnx.cli.progress import progress_listener
    from consensus_onnx.cli.settings import audit_settings
    from consensus_onnx.committee import load_committee
    from consensus_onnx.engine.run import Run
    from consensus_onnx.gate.filing import write_baseline
    from consensus_onnx.gate.freezing import FreezeOptions, freeze

    options = FreezeOptions(explainers, limit, by_reference, keep or None, repeats)
    engine = audit_settings(None, overrides, {})
    committee = None if models is None else load_committee(models)
    with progress_listener(quiet=quiet) as listen:
        frozen = freeze(Run.open(run), options, committee=committee, engine=engine, listen=listen)
    write_baseline(out, frozen)
    if not quiet:
        _print_baseline(out)


@baseline_command.command("show")
@click.argument("baseline", type=click.Path(path_type=Path))
def show_command(baseline: Path) -> None:
    """Say what a BASELINE holds and what it can find.

    For each member: its noise, the smallest drop that would be found, and whether its explanations were kept.

    \b
    consensus-onnx baseline show baseline.zip
    """
    _print_baseline(baseline)


def _print_baseline(path: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from consensus_onnx.cli.summary import WIDTH
    from consensus_onnx.gate.filing import file_sha256, read_baseline
    from consensus_onnx.gate.reach import reach_of
    from consensus_onnx.runtime.text import printable

    frozen = read_baseline(path)
    console = Console(highlight=False, width=None if Console().is_terminal else WIDTH)

    def say(text: str) -> None:
        console.print(escape(printable(text, 1000)), soft_wrap=True)

    pictures = "inside" if frozen.canvases is not None else "by reference"
    side = frozen.canvas.crop
    labelled = int((frozen.labels >= 0).sum())
    masked = 0 if frozen.masks is None else int(frozen.masks.any(axis=(1, 2)).sum())
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB, sha256 {file_sha256(path)}")
    say(f"{frozen.committee}: {len(frozen.members)} members, {frozen.classes} classes, target {frozen.target}")
    say(
        f"{len(frozen.images)} pictures {pictures}, canvas {side} x {side}, {labelled} labelled, {masked} with a mask; "
        f"seed {frozen.seed}"
    )
    say("made with " + ", ".join(f"{name} {version}" for name, version in frozen.versions.items()))
    for entry in frozen.explainers:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column(entry.name, overflow="fold", no_wrap=True)
        for heading in ("score", "others", "mask AP", "halves", "rerun drop", "likeness", "finds drop", "kept"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in reach_of(frozen, entry):
            cells = (row.score, row.leave_one_out, row.mask_ap, row.split_half)
            noise = (row.rerun_drop, row.rerun_similarity, row.detectable)
            shown = [f"{value:.3f}" if value == value else "-" for value in (*cells, *noise)]
            table.add_row(escape(printable(row.member, 60)), *shown, "yes" if row.kept else "no")
        console.print()
        console.print(table)
        samples = entry.explainer.samples
        say(f"{samples} samples; reruns {entry.reruns.source}; voting {entry.voting.vote}, {entry.voting.similarity}")
    console.print()
    say(
        "rerun drop, likeness: at most and at least so much between explanations of one model with other seeds; "
        "finds drop: the smallest true drop of the score found 4 times of 5, at the default limit, of a model that "
        "moves no more than its own reruns"
    )
