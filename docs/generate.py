"""Write the generated pages: `python docs/generate.py`. A test compares them with what this would write."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from consensus_onnx.cli import main
from consensus_onnx.config import document_yaml
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.gate.settings import GateFile

ROOT = Path(__file__).resolve().parent.parent


def generated_files() -> dict[Path, str]:
    """Return the text of every generated file by its path in the repository."""
    return {
        Path("docs/cli.md"): cli_reference(),
        Path("docs/operators.md"): operator_reference(),
        Path("configs/default.yaml"): default_configuration(),
        Path("configs/gate.yaml"): gate_configuration(),
    }


def cli_reference() -> str:
    """Return the reference of all commands, from their own --help."""
    # With the settings that the command itself runs with: what --help names would else depend on who asked first.
    context = click.Context(main, info_name="consensus-onnx", **main.context_settings)
    sections = [f"{'#' * (depth + 2)} {title}\n\n```\n{text}\n```\n" for depth, title, text in _pages(main, context, 0)]
    return "# Command line\n\nWritten by `make docs` from `--help`.\n\n" + "\n".join(sections)


def _pages(command: click.Command, context: click.Context, depth: int) -> Iterator[tuple[int, str, str]]:
    """Yield the depth, the name and the help of a command, and of all below it."""
    yield max(0, depth - 1), context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                with click.Context(below, info_name=name, parent=context, max_content_width=100) as inner:
                    yield from _pages(below, inner, depth + 1)


def operator_reference() -> str:
    """Return what is differentiated and how it was checked, which the tests know."""
    tests = str(ROOT / "tests")
    if tests not in sys.path:
        sys.path.append(tests)
    from gradients.operator_page import operator_page

    return operator_page()


def default_configuration() -> str:
    """Return every setting with its default and meaning."""
    head = (
        "# Every setting of an audit with its default. Written by `make docs` from the code.\n"
        "# Use: consensus-onnx audit MODELS --images DIR --out RUN --config FILE.yaml --set lime.samples=200\n\n"
    )
    return head + document_yaml(AuditSettings)


def gate_configuration() -> str:
    """Return every setting of the gate with its default and meaning."""
    head = (
        "# Every setting of the gate with its default. Written by `make docs` from the code.\n"
        "# Use: consensus-onnx gate NEW.onnx --baseline baseline.zip --reference OLD --config FILE.yaml\n\n"
    )
    return head + document_yaml(GateFile)


if __name__ == "__main__":
    for path, text in generated_files().items():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(path)  # noqa: T201
