"""From a mapping, usually read from YAML, to a settings instance: every problem told at once, with key and line."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from consensus_onnx.config.settings import fields_of
from consensus_onnx.config.values import INVALID, convert, did_you_mean, shown
from consensus_onnx.errors import ConfigError

T = TypeVar("T")


def build_settings(
    cls: type[T],
    mapping: object,
    *,
    lines: Mapping[str, int | str] | None = None,
    source: str,
    prefix: str = "",
) -> T:
    """Build a settings instance from a mapping of keys to plain values.

    A class may carry ``PRESETS``, a mapping of names to mappings; then the key ``preset: NAME`` stands for those
    values, and keys given beside it win.

    Parameters
    ----------
    cls : type
        A settings class; its fields may be settings classes themselves, or tuples of them.
    mapping : mapping or None
        Values by key; None (an empty YAML section) means the defaults.
    lines : mapping of str to int or str, optional
        The line of each dotted key in `source`, or the full place as text, as in `Document.lines`.
    source : str
        What to call the origin in messages, usually the file.
    prefix : str
        The dotted key at which `mapping` stands in `source`; empty for the whole document.

    Returns
    -------
    object
        The instance.

    Raises
    ------
    ConfigError
        If anything is wrong, with one line per problem: place, dotted key, what was expected, what was found.

    Examples
    --------
    >>> import dataclasses
    >>> @dataclasses.dataclass(frozen=True)
    ... class Rows:
    ...     samples: int = 1000
    >>> build_settings(Rows, {"samples": 200}, source="audit.yaml")
    Rows(samples=200)
    >>> build_settings(Rows, {"sampels": 200}, lines={"lime.sampels": 3}, source="audit.yaml", prefix="lime")
    Traceback (most recent call last):
        ...
    consensus_onnx.errors.ConfigError: audit.yaml:3: lime: unknown key 'sampels'; did you mean 'samples'?
    """
    problems: list[str] = []

    def report(key: str, text: str) -> None:
        problems.append(f"{locate(key, lines or {}, source)}: {text}")

    def section(section_cls: Any, value: object, key: str) -> Any:
        if isinstance(value, section_cls):
            return value
        if value is not None and not isinstance(value, Mapping):
            report(key, f"must be a mapping of keys to values, got {shown(value)}")
            return INVALID
        given = _expand_preset(section_cls, value or {}, key, report)
        known = {field.name: field for field in fields_of(section_cls)}
        for name in given:
            if name not in known:
                _report_unknown(name, list(known), key, lines or {}, source, problems)
        arguments: dict[str, Any] = {}
        for name, field in known.items():
            if name in given:
                value = _over_default(field.default, given[name])
                arguments[name] = convert(field.annotation, value, field.limits, _join(key, name), report, section)
            elif field.is_required:
                report(key, f"the key {name!r} is missing; it must be given ({field.doc or 'no default'})")
                arguments[name] = INVALID
        if any(argument is INVALID for argument in arguments.values()):
            return INVALID
        try:
            return section_cls(**arguments)
        except ValueError as error:
            # What remains to be found here are conditions between fields, told as "Class.field: text".
            named = re.fullmatch(rf"{section_cls.__name__}\.(\w+): (.*)", str(error), re.DOTALL)
            report(_join(key, named[1]) if named else key, named[2] if named else str(error))
            return INVALID

    instance = section(cls, mapping, prefix)
    if problems:
        raise ConfigError(problems)
    built: T = instance
    return built


def locate(key: str, lines: Mapping[str, int | str], source: str) -> str:
    """Say where a dotted key stands: "audit.yaml:3: lime.samples", or "--set lime.samples"."""
    place = source
    nearest = key
    while nearest:
        if nearest in lines:
            found = lines[nearest]
            place = found if isinstance(found, str) else f"{source}:{found}"
            break
        nearest = nearest[: max(nearest.rfind("."), nearest.rfind("["), 0)]
    return place if not key or place.endswith(f" {key}") else f"{place}: {key}"


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _report_unknown(
    name: object, known: list[str], prefix: str, lines: Mapping[str, int | str], source: str, problems: list[str]
) -> None:
    # The line is that of the unknown key itself, the dotted key that of its section.
    where = locate(_join(prefix, str(name)), lines, source).removesuffix(f": {_join(prefix, str(name))}")
    near = did_you_mean(name, known)
    hint = near or f"; known keys: {', '.join(known)}"
    section = f"{prefix}: " if prefix and not where.startswith("--set ") else ""
    problems.append(f"{where}: {section}unknown key {shown(name)}{hint}")


def _expand_preset(cls: Any, given: Mapping[str, Any], key: str, report: Any) -> Mapping[str, Any]:
    """Put a preset's values under the explicit ones."""
    presets: Mapping[str, Mapping[str, Any]] | None = getattr(cls, "PRESETS", None)
    if presets is None or "preset" not in given:
        return given
    explicit = {name: value for name, value in given.items() if name != "preset"}
    chosen = given["preset"]
    if not isinstance(chosen, str) or chosen not in presets:
        text = f"must be one of {', '.join(map(repr, presets))}, got {shown(chosen)}{did_you_mean(chosen, presets)}"
        report(_join(key, "preset"), text)
        return explicit
    return _merged(presets[chosen], explicit)


def _over_default(default: object, value: object) -> object:
    """Let a section that is given in part keep the rest of its field's default, not of its class's."""
    if not dataclasses.is_dataclass(default) or isinstance(default, type):
        return value
    if not isinstance(value, Mapping) or "preset" in value:
        return value
    return _merged(dataclasses.asdict(default), value)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another, section by section."""
    merged = dict(under)
    for name, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if both else value
    return merged
