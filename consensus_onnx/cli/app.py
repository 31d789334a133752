"""The `consensus-onnx` command: finds subcommands when they are called, turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

import click

from consensus_onnx.errors import ConsensusError

EXIT_FAILED_GATE = 1
EXIT_BROKEN = 2
EXIT_INCOMPLETE = 3
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

# Module and function of each command; imported only when it is used, so that --help costs no numpy, no runtime.
_COMMANDS = {
    "audit": ("consensus_onnx.cli.audit", "audit_command"),
    "inspect": ("consensus_onnx.cli.inspect", "inspect_command"),
    "gradient": ("consensus_onnx.cli.gradient", "gradient_command"),
    "randomise": ("consensus_onnx.cli.randomise", "randomise_command"),
    "verify": ("consensus_onnx.cli.verify", "verify_command"),
    "report": ("consensus_onnx.cli.report", "report_command"),
    "sensitivity": ("consensus_onnx.cli.sensitivity", "sensitivity_command"),
    "reproduce": ("consensus_onnx.cli.reproduce", "reproduce_command"),
    "baseline": ("consensus_onnx.cli.baseline", "baseline_command"),
    "gate": ("consensus_onnx.cli.gate", "gate_command"),
    "bench": ("consensus_onnx.cli.bench", "bench_command"),
    "plan": ("consensus_onnx.cli.plan", "plan_command"),
    "demo": ("consensus_onnx.cli.demo", "demo_command"),
    "zoo": ("consensus_onnx.cli.zoo", "zoo_command"),
}


class _Terminated(BaseException):
    """SIGTERM, as an exception, so that workers are ended on the way out."""


class _Commands(click.Group):
    """Subcommands by name; every error of ours becomes one line on stderr."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, function = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), function)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        before = signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt, _Terminated) as error:
            match _signal_behind(error) or error:
                case KeyboardInterrupt():
                    _leave("interrupted; run the same command again to go on where it stopped", EXIT_INTERRUPTED)
                case _Terminated():
                    _leave("terminated; run the same command again to go on where it stopped", EXIT_TERMINATED)
                case ConsensusError():
                    _leave(str(error), EXIT_BROKEN)
                case BrokenPipeError():
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                    sys.exit(EXIT_BROKEN)
            raise
        finally:  # what comes while Python leaves would be raised among what libraries do then, and shown as theirs
            signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _signal_behind(error: BaseException | None) -> BaseException | None:
    """Return the signal that an exception comes from; None if it comes from none.

    A library may turn what is raised in it into an exception of its own: a signal while ONNX Runtime is imported comes
    out as ImportError, "initialization failed".
    """
    while error is not None and not isinstance(error, (KeyboardInterrupt, _Terminated)):
        error = error.__cause__ or error.__context__
    return error


def _leave(text: str, code: int) -> NoReturn:
    from consensus_onnx.runtime.text import printable

    for line in text.splitlines():
        shown = printable(line, 3000)  # it may quote a stranger's file
        click.secho(
            f"error: {shown}" if code == EXIT_BROKEN else shown, err=True, fg="red" if code == EXIT_BROKEN else None
        )
    sys.exit(code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="consensus-onnx", prog_name="consensus-onnx")
def main() -> None:
    """Ask every classifier in a folder what it looks at, and how close it comes to what all look at.

    \b
    consensus-onnx inspect models/                              what is in the folder, and is it right?
    consensus-onnx audit models/ --images photos/ --out run/    explain, vote, score, report
    consensus-onnx gate new.onnx --baseline baseline.zip        does a new export look at the same things?
    consensus-onnx gradient model.onnx -o gradient.onnx         the gradient of any exported classifier

    Exit codes: 0 done, 1 a gate failed, 2 something broke, 3 done but some models or images failed,
    130 interrupted.
    """
