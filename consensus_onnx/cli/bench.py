"""`consensus-onnx bench`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consensus_onnx.cli.app import EXIT_BROKEN, EXIT_INCOMPLETE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consensus_onnx.engine.benching import Bench
    from consensus_onnx.engine.settings import AuditSettings


@click.command("bench")
@click.argument("models", type=click.Path(path_type=Path), required=False)
@click.option("--images", type=click.Path(path_type=Path), help="Folder of pictures: explains its first, counts all.")
@click.option(
    "--count", type=click.IntRange(min=1), help="Images that the estimate is for.  [default: those of --images]"
)
@click.option("--rows", type=click.IntRange(min=20), default=200, show_default=True, help="LIME rows that are timed.")
@click.option("--draws", type=click.IntRange(min=2), default=8, show_default=True, help="SmoothGrad draws timed.")
@click.option(
    "--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="How often everything is timed."
)
@click.option("--provider", help="auto, cpu or cuda.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML settings of the audit that is planned.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting, such as lime.samples=200.")
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON on standard output.")
def bench_command(
    models: Path | None,
    images: Path | None,
    count: int | None,
    rows: int,
    draws: int,
    rounds: int,
    provider: str | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Time every model in MODELS (the embedded committee if none are named) and say what an audit would take.

    For each: pictures per second in bare forward passes at the best batch size, and an explanation's time as a multiple
    of as many such passes; in brackets the share of it that is not spent in ONNX Runtime. SmoothGrad's multiple is that
    of a gradient pass. Explains one picture; times are the least of several rounds, multiples the median of rounds in
    which bare passes and explanations take turns. The machine should be idle.

    \b
    consensus-onnx bench models/ --images photos/
    consensus-onnx bench models/ --count 50000 --set lime.samples=500

    Exit codes: 0 all models were timed, 2 none, 3 some were not.
    """
    import tempfile

    from rich.console import Console

    from consensus_onnx.cli.settings import audit_settings
    from consensus_onnx.committee import load_committee
    from consensus_onnx.engine.benching import bench_committee
    from consensus_onnx.images import read_dataset

    embedded = models is None
    small = ("canvas.resize=96", "canvas.crop=96") if embedded else ()
    settings = audit_settings(config, (*small, *overrides), {"runtime.provider": provider})
    committee = load_committee(_embedded() if models is None else models)
    with tempfile.TemporaryDirectory() as scratch:
        picture = Path(scratch) / "picture.png"
        if images is None:
            _draw(picture)
        else:
            items = read_dataset(images).items
            picture, count = items[0].path, count or len(items)
        with Console(stderr=True).status("timing") as status:
            benches = bench_committee(
                committee,
                picture,
                settings,
                rows=rows,
                draws=draws,
                rounds=rounds,
                listen=lambda bench: status.update(f"timed {bench.member.name}"),
            )
    if as_json:
        click.echo(json.dumps([_plain(bench) for bench in benches], indent=2))
    else:
        _print(benches, settings, count)
    problems = sum(bool(bench.problem) for bench in benches)
    if problems:
        sys.exit(EXIT_BROKEN if problems == len(benches) else EXIT_INCOMPLETE)


def _embedded() -> Path:
    from consensus_onnx_zoo.committee import FOLDER

    return FOLDER


def _draw(path: Path) -> None:
    from PIL import Image

    from consensus_onnx_zoo.scenes import SPLITS, draw_scene

    Image.fromarray(draw_scene(SPLITS["test"][0]).picture).save(path)


def _print(benches: Sequence[Bench], settings: AuditSettings, count: int | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from consensus_onnx.runtime.text import printable

    console = Console(highlight=False, width=None if Console().is_terminal else 100)
    explainers = settings.chosen_explainers()
    samples = {explainer.name: explainer.auto.at_most(explainer.samples) for explainer in explainers}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("member", overflow="ellipsis", no_wrap=True, max_width=32)
    for title in ("images/s", "at batch", *(f"{name} [outside]" for name in samples), "s/image", "on"):
        table.add_column(title, justify="right", no_wrap=True)
    for bench in benches:
        if bench.speed is not None:
            table.add_row(*(escape(printable(cell, 100)) for cell in _cells(bench, bench.speed.explainers, samples)))
    console.print(table)
    for bench in benches:
        if bench.problem:
            console.print(escape(printable(f"{bench.member.name}: {bench.problem}", 1000)), soft_wrap=True)
    for line in estimate_lines(benches, samples, count):
        console.print(line, soft_wrap=True)
    if unsure := [explainer.name for explainer in explainers if explainer.samples == "auto"]:
        console.print(f"the most it can take: {', '.join(unsure)} stops once its samples agree", soft_wrap=True)


def _cells(bench: Bench, explainers: Sequence[Any], samples: Mapping[str, int]) -> list[str]:
    assert bench.speed is not None
    by_name = {one.name: one for one in explainers}
    speed = bench.speed
    batch = f"{speed.lanes} x {speed.batch}" if speed.lanes > 1 else str(speed.best_batch)
    cells = [bench.member.name, f"{1 / speed.bare:,.0f}", batch]
    for name in samples:
        one = by_name.get(name)
        cells.append("-" if one is None else f"{one.multiple:.2f} [{100 * one.outside:.0f} %]")
    return [*cells, f"{sum(bench.seconds(samples).values()):.1f}", bench.provider]


def estimate_lines(benches: Sequence[Bench], samples: Mapping[str, int], count: int | None) -> list[str]:
    """Return what one image takes with the settings' samples, and what all images would.

    Parameters
    ----------
    benches : sequence of Bench
        Timed members; others are left out.
    samples : mapping of str to int
        Of each explainer.
    count : int, optional
        Images.
    """
    parts = dict.fromkeys(samples, 0.0)
    for bench in benches:
        for name, seconds in bench.seconds(samples).items():
            parts[name] += seconds
    total = sum(parts.values())
    if not total:
        return []
    shares = ", ".join(f"{name} {samples[name]} samples {100 * part / total:.0f} %" for name, part in parts.items())
    lines = [f"one image, all members: {total:.1f} s ({shares})"]
    if count:
        lines.append(f"{count:,} images: {duration(total * count)}, one member at a time")
    return lines


def duration(seconds: float) -> str:
    """Return a time in words: seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:,.1f} hours"


def _plain(bench: Bench) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": bench.member.name, "problem": bench.problem, "provider": bench.provider}
    if bench.speed is not None:
        entry["forward_seconds"] = {str(size): seconds for size, seconds in bench.speed.forward.items()}
        entry["best_batch"] = bench.speed.best_batch
        entry["lanes"], entry["batch"] = bench.speed.lanes, bench.speed.batch
        entry["bare_seconds"] = bench.speed.bare
        entry["explainers"] = [{**asdict(one), "outside": one.outside} for one in bench.speed.explainers]
    return entry
