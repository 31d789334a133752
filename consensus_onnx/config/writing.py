"""From settings back to plain mappings and to YAML that documents itself."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from consensus_onnx.config.reading import resolvers
from consensus_onnx.config.settings import SettingField, fields_of
from consensus_onnx.config.values import describe

_WIDTH = 100
_DOCUMENT_END = "...\n"


def _all_resolvers() -> dict[str | None, list[tuple[str, re.Pattern[str]]]]:
    """Join our readings of plain scalars with YAML 1.1's, so that a text both would keep as text stays unquoted."""
    table = resolvers()
    for start, entries in yaml.SafeDumper.yaml_implicit_resolvers.items():
        table[start] = table.get(start, []) + entries
    return table


class _Dumper(yaml.SafeDumper):
    """Quotes every text that this or any other YAML reader would take for something else."""

    yaml_implicit_resolvers = _all_resolvers()

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        # Only double quotes escape: elsewhere PyYAML folds characters such as U+0085 into a space.
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_text)


def to_mapping(instance: Any) -> dict[str, Any]:
    """Turn a settings instance into plain values: dicts, lists, numbers, text, booleans, None.

    Parameters
    ----------
    instance : object
        An instance of a settings class.

    Returns
    -------
    dict
        Every field by name, in order; `build_settings` gives back an equal instance.
    """
    return {field.name: _plain(getattr(instance, field.name)) for field in fields_of(type(instance))}


def yaml_text(values: Mapping[str, Any]) -> str:
    """Write plain values as YAML that `read_yaml` reads back unchanged.

    Parameters
    ----------
    values : mapping
        Plain values by key, as `to_mapping` gives them; order is kept.

    Returns
    -------
    str
        The text, with a final newline.
    """
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


def document_yaml(cls: Any) -> str:
    """Write a settings class as YAML: every key with its default, and its meaning and limits as a comment.

    Parameters
    ----------
    cls : type
        A settings class; keys without default are written as comments.

    Returns
    -------
    str
        The text; read back, it builds an instance equal to ``cls()``.
    """
    blocks = ["\n".join(_lines_of(cls, field, getattr(cls, field.name, None), 0)) for field in fields_of(cls)]
    return "\n\n".join([*_preset_comment(cls, 0), *blocks]) + "\n"


def _lines_of(cls: Any, field: SettingField, value: Any, indent: int) -> Iterator[str]:
    """Write one key: its comment, and its value or section."""
    pad = " " * indent
    yield from _comment(_meaning(field), indent)
    if field.is_required:
        yield f"{pad}# {field.name}: ...   # must be given"
    elif dataclasses.is_dataclass(value):
        yield f"{pad}{field.name}:"
        yield from _preset_comment(type(value), indent + 2)
        for inner in fields_of(type(value)):
            yield from _lines_of(type(value), inner, getattr(value, inner.name), indent + 2)
    else:
        yield from textwrap.indent(_key_text(field.name, _plain(value)), pad).splitlines()


def _meaning(field: SettingField) -> str:
    if dataclasses.is_dataclass(field.annotation):
        return field.doc
    allowed = describe(field.annotation, field.limits)
    return f"{field.doc} ({allowed})" if field.doc else f"({allowed})"


def _preset_comment(cls: Any, indent: int) -> Iterator[str]:
    presets = getattr(cls, "PRESETS", None)
    if presets:
        names = " or ".join(f"`preset: {name}`" for name in presets)
        yield from _comment(f"{names} sets several keys at once; keys given beside it win.", indent)


def _comment(text: str, indent: int) -> list[str]:
    pad = " " * indent + "# "
    return textwrap.wrap(text, _WIDTH, initial_indent=pad, subsequent_indent=pad, break_on_hyphens=False)


def _key_text(name: str, value: Any) -> str:
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return yaml_text({name: value}).rstrip("\n")
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=10_000)
    # A scalar alone is a whole document to YAML and ends in "...".
    return f"{name}: {text.removesuffix(_DOCUMENT_END).rstrip()}"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_mapping(value)
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return value
