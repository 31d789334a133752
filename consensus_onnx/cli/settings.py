"""From command-line options and YAML to the settings of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from consensus_onnx.config import Document, build_settings, override, read_yaml
from consensus_onnx.engine.settings import AuditSettings


def audit_settings(config: Path | None, overrides: Sequence[str], options: Mapping[str, object]) -> AuditSettings:
    """Lay a YAML file, `--set` and the command's own options over the defaults, in that order.

    Parameters
    ----------
    config : Path, optional
        A YAML file.
    overrides : sequence of str
        `key=value` items.
    options : mapping of str to object
        Values of options by the dotted key they stand for; None where not given.

    Raises
    ------
    ConfigError
        With every problem at once.
    """
    document = read_yaml(config) if config is not None else Document(source="command line")
    given = [f"{key}={_as_yaml(value)}" for key, value in options.items() if value is not None]
    document = override(document, [*overrides, *given])
    return build_settings(AuditSettings, document.values, lines=document.lines, source=document.source)


def _as_yaml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value)
