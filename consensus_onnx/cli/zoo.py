"""`consensus-onnx zoo`: the embedded committee and the scenes it was trained on."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("zoo")
def zoo_command() -> None:
    """Show or take out the embedded committee, draw pictures for it.

    The committee holds every family of the paper in miniature, trained on scenes whose class and object mask are
    known because they are drawn. Nothing is downloaded.

    \b
    consensus-onnx zoo list
    consensus-onnx zoo export models/
    consensus-onnx zoo images scenes/ --count 50 --seed 2000000
    """


@zoo_command.command("list")
def list_command() -> None:
    """List the members: family, accuracy on 2,400 test scenes, input, size of the file, what sets them apart."""
    from rich.console import Console
    from rich.table import Table

    from consensus_onnx.committee import load_committee
    from consensus_onnx_zoo.committee import FOLDER, OUTSIDERS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("member", "family"):
        table.add_column(title, no_wrap=True)
    for title in ("accuracy", "kB"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("apart", no_wrap=True)
    members = load_committee(FOLDER)
    for member in sorted(members, key=lambda member: -(member.accuracy or 0)):
        size = f"{member.path.stat().st_size / 1000:.0f}"
        table.add_row(member.name, member.family, f"{member.accuracy:.3f}", size, OUTSIDERS.get(member.name, ""))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{len(members)} members in {FOLDER}", soft_wrap=True)


@zoo_command.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
def export_command(folder: Path) -> None:
    """Copy the members, their committee.yaml and PyTorch's answers (.npz) into FOLDER."""
    import shutil

    from consensus_onnx.errors import ConfigError
    from consensus_onnx_zoo.committee import FOLDER

    if folder.is_file():
        raise ConfigError(f"{folder}: is a file; give a folder, it is made if missing")
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in FOLDER.iterdir() if path.suffix in (".onnx", ".npz", ".yaml"))
    taken = [path.name for path in files if (folder / path.name).exists()]
    if taken:
        raise ConfigError(f"{folder}: already holds {taken[0]} and {len(taken) - 1} more; give a new folder")
    for path in files:
        shutil.copyfile(path, folder / path.name)
    models = sum(path.suffix == ".onnx" for path in files)
    click.echo(f"{models} members and committee.yaml written to {folder}")


@zoo_command.command("images")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--count", type=click.IntRange(min=1), default=24, show_default=True, help="How many scenes.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Seed of the first; the next ones follow.  [default: 2000000, the tests']",
)
@click.option("--objects", type=click.IntRange(1, 4), default=1, show_default=True, help="Objects in each.")
@click.option(
    "--shortcut", is_flag=True, help="Plant the shortcut: a mark in a corner names the class, 95 of 100 times."
)
def images_command(folder: Path, count: int, seed: int | None, objects: int, shortcut: bool) -> None:
    """Draw scenes into FOLDER: pictures/, masks/, labels.csv, classes.txt.

    The same seed gives the same bytes on every machine. Seeds below 1,000,000 were for training, those from 2,000,000
    are for tests.

    \b
    consensus-onnx zoo images scenes/ --count 50
    consensus-onnx audit models/ --images scenes/pictures --labels scenes/labels.csv --out run/ \\
        --set canvas.resize=96 --set canvas.crop=96
    """
    from consensus_onnx.errors import ConfigError
    from consensus_onnx_zoo.scenes import SHORTCUT, Mark, SceneSettings, write_scenes

    if folder.is_file():
        raise ConfigError(f"{folder}: is a file; give a folder, it is made if missing")
    settings = SceneSettings(objects=objects, mark=SHORTCUT if shortcut else Mark())
    labels = write_scenes(folder, count, seed, settings)
    click.echo(f"{count} scenes written to {folder}; labels and masks are named in {labels}")
