"""`consensus-onnx verify`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from consensus_onnx.cli.app import EXIT_FAILED_GATE

_SHOWN = 20


@click.command("verify")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--repair", is_flag=True, help="Drop what is damaged, so that the same audit makes it anew.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON on standard output.")
def verify_command(run: Path, repair: bool, as_json: bool) -> None:
    """Read everything in a RUN folder back, and tell what is not, byte for byte, what was put there.

    Every stored array is held against its receipt, every other file of a finished run against its seal. Damaged,
    missing and foreign files are listed.

    \b
    consensus-onnx verify run/
    consensus-onnx verify run/ --repair && consensus-onnx audit models/ --images photos/ --out run/

    Exit codes: 0 intact or repaired, 1 something was found that stays, 2 it cannot be verified.
    """
    from consensus_onnx.engine.verification import verify

    found = verify(run, repair=repair)
    left = [finding for finding in found.findings if not repair or finding.kind == "foreign"]
    if as_json:
        click.echo(json.dumps({"run": str(run), "intact": found.intact, **asdict(found)}, indent=2))
    else:
        for finding in found.findings[:_SHOWN]:
            click.echo(f"{finding.kind}: {finding.path}: {finding.what}")
        if len(found.findings) > _SHOWN:
            click.echo(f"... and {len(found.findings) - _SHOWN} more (--json lists all)")
        read = f"{found.units} units and {found.files} other files read"
        click.echo(f"{run}: {read}, {len(found.findings)} problems found")
        if not found.finished:
            click.echo("the run is not finished: of its tables nothing can be said")
        if repair and found.findings:
            click.echo("repaired: run the same audit again to make anew what was dropped")
    if left:
        sys.exit(EXIT_FAILED_GATE)
