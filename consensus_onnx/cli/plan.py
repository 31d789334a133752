"""`consensus-onnx plan`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consensus_onnx.analysis.planning import Split
    from consensus_onnx.engine.pilot import Pilot

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_CHOICES = {
    "lime": (100, 150, 200, 300, 400, 500, 700, 1000, 1400, 2000, 3000, 4000),
    "smoothgrad": (8, 12, 16, 24, 32, 50, 70, 100, 140, 200),
}


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic for its checkers only
    """A time such as 90s, 45m, 8h or 2d, in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds of a text."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", str(value).strip())
        if found is None or float(found[1]) <= 0:
            self.fail(f"{value!r} is no time; expected a number and s, m, h or d, such as 8h", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


@click.command("plan")
@click.argument("models", type=click.Path(path_type=Path))
@click.option("--images", required=True, type=click.Path(path_type=Path), help="Folder of pictures to be audited.")
@click.option("--budget", required=True, type=Duration(), help="Time the audit may take: 45m, 8h, 2d.")
@click.option("--pilot", type=click.IntRange(min=3), default=6, show_default=True, help="Images that are tried.")
@click.option(
    "--rows", type=click.IntRange(min=20), default=400, show_default=True, help="LIME rows: twice, and doubled."
)
@click.option("--draws", type=click.IntRange(min=2), default=8, show_default=True, help="SmoothGrad draws, likewise.")
@click.option("--labels", type=click.Path(path_type=Path), help="CSV with file,label; needed for target=label.")
@click.option("--provider", help="auto, cpu or cuda.")
@click.option("--workers", type=int, help="Members side by side.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML settings of the audit that is planned.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="One setting, such as explainers=[lime].")
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON on standard output.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def plan_command(
    models: Path,
    images: Path,
    budget: float,
    pilot: int,
    rows: int,
    draws: int,
    labels: Path | None,
    provider: str | None,
    workers: int | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Say how many images and samples make the best audit that fits into a time.

    Audits a few images three times. Scores that two audits with other random numbers give to one image differ for want
    of samples; scores of one member on several images differ by what is on them; scores with twice the samples lie
    higher or lower by what noise hides. From the three follows how far a score would be off for any number of images
    and samples.

    \b
    consensus-onnx plan models/ --images photos/ --budget 8h
    consensus-onnx plan models/ --images photos/ --budget 2d --pilot 12 --set explainers=[lime]

    Exit codes: 0 planned, 2 nothing could be planned, 3 planned without some models or images.
    """
    import sys
    import tempfile

    from consensus_onnx.cli.app import EXIT_INCOMPLETE
    from consensus_onnx.cli.progress import progress_listener
    from consensus_onnx.cli.settings import audit_settings
    from consensus_onnx.committee import load_committee
    from consensus_onnx.engine.pilot import run_pilot
    from consensus_onnx.images import read_dataset

    settings = audit_settings(config, overrides, {"runtime.provider": provider, "engine.workers": workers})
    committee = load_committee(models)
    dataset = read_dataset(images, labels, classes=committee.classes)
    tried = {"lime": rows, "smoothgrad": draws}
    samples = {explainer.name: tried[explainer.name] for explainer in settings.chosen_explainers()}
    with tempfile.TemporaryDirectory() as scratch, progress_listener(quiet=quiet or as_json) as listen:
        found = run_pilot(committee, dataset, Path(scratch), settings, samples=samples, images=pilot, listen=listen)
    stated = {explainer.name: explainer.auto.at_most(explainer.samples) for explainer in settings.chosen_explainers()}
    splits = splits_of(found, budget, len(dataset.items))
    if as_json:
        click.echo(json.dumps(_plain(found, splits, stated, len(dataset.items)), indent=2))
    else:
        for line in lines_of(found, splits, stated, budget, len(dataset.items)):
            click.echo(line)
    if found.problems:
        sys.exit(EXIT_INCOMPLETE)


def splits_of(pilot: Pilot, budget: float, available: int) -> list[Split]:
    """Return the best split of a time for each number of samples of the first explainer; the best of all first."""
    from consensus_onnx.analysis.planning import best_split

    names = list(pilot.sources)
    # Below what was tried the error grows otherwise than above it: LIME's fit has hardly more rows than weights there.
    choices = {
        name: [pilot.samples[name], *(count for count in _CHOICES[name] if count > pilot.samples[name])]
        for name in names
    }
    whole = best_split(pilot.sources, pilot.costs, choices, budget, available)
    if whole is None:
        return []
    rest = [
        best_split(pilot.sources, pilot.costs, {**choices, names[0]: [count]}, budget, available)
        for count in choices[names[0]]
        if count != whole.samples[names[0]]
    ]
    return [whole, *(split for split in rest if split is not None)]


def lines_of(
    pilot: Pilot, splits: Sequence[Split], stated: Mapping[str, int], budget: float, available: int
) -> list[str]:
    """Return what the pilot told and what to do, in words."""
    from consensus_onnx.cli.bench import duration
    from consensus_onnx.runtime.text import printable

    lines = [f"left out: {printable(problem, 300)}" for problem in pilot.problems]
    lines += [f"pilot: {pilot.members} members on {pilot.images} of {available:,} images", ""]
    for name, source in pilot.sources.items():
        parts = source.variances(available, stated[name])
        total = sum(parts) or 1.0
        by = ", ".join(
            f"{100 * part / total:.0f} % {what}"
            for part, what in zip(parts, ("images", "samples", "drift"), strict=True)
        )
        lines.append(
            f"{name}, {stated[name]:,} samples on all {available:,} images: a score is off by "
            f"{source.error(available, stated[name]):.4f} ({by}); members differ by {source.spread:.4f}"
        )
    each = sum(pilot.costs[name] * stated[name] for name in pilot.sources)
    lines += [f"that audit takes {duration(each * available)}", ""]
    if not splits:
        return [*lines, f"in {duration(budget)}: not even two images; raise --budget or take fewer members"]
    lines.append(f"in {duration(budget)}, the best first:")
    for split in splits:
        samples = ", ".join(f"{name} {count:,}" for name, count in split.samples.items())
        errors = ", ".join(f"{name} {error:.4f}" for name, error in split.errors.items())
        lines.append(f"  {split.images:>7,} images, {samples}: off by {errors}; {duration(split.seconds)}")
    best = splits[0]
    sets = " ".join(f"--set {name}.samples={count}" for name, count in best.samples.items())
    return [*lines, "", f"consensus-onnx audit MODELS --images DIR --out RUN --limit {best.images} {sets}"]


def _plain(pilot: Pilot, splits: Sequence[Split], stated: Mapping[str, int], available: int) -> dict[str, Any]:
    return {
        "pilot": asdict(pilot),
        "stated": {
            name: {"samples": stated[name], "error": source.error(available, stated[name])}
            for name, source in pilot.sources.items()
        },
        "images": available,
        "splits": [asdict(split) for split in splits],
    }
