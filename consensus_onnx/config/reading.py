"""Reading YAML: numbers as people mean them, no duplicate keys, no tags, no bombs, and the line of every key.

YAML 1.1, which PyYAML follows, reads ``no`` as false, ``1e3`` as text, ``010`` as 8 and ``1:30`` as 90. Here only
``true`` and ``false`` are booleans, ``1e3`` is a number, and ``010`` and ``1:30`` stay text (which a numeric setting
then refuses by name instead of taking a number nobody wrote).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from consensus_onnx.config.values import shown
from consensus_onnx.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_VALUES = 100_000
"""Counted after aliases are expanded: ten lines of nested aliases can stand for billions of values."""

_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, tuple[str, str]] = {
    # tag: (pattern, the characters such a scalar can start with)
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", "~nN"),
    # 30 digits hold every number anyone means; longer ones fall through to float.
    "int": (r"[-+]?(?:0|[1-9][0-9]{0,29})", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
}


def resolvers() -> dict[str | None, list[tuple[str, re.Pattern[str]]]]:
    """Return PyYAML's table of plain scalars by first character, for the loader and the dumper alike."""
    table: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, (pattern, starts) in _SCALARS.items():
        # PyYAML looks an empty scalar up under "".
        for start in [*starts, ""] if tag == "null" else list(starts):
            table.setdefault(start, []).append((_TAG + tag, re.compile(f"(?:{pattern})\\Z")))
    return table


class _Loader(yaml.SafeLoader):
    """Composes nodes only; the values are made below, where lines are known."""

    yaml_implicit_resolvers = resolvers()
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_DEPTH} levels of nesting", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


@dataclass(frozen=True)
class Document:
    """What a YAML file says, and where.

    Parameters
    ----------
    values : dict
        Plain values by key.
    lines : dict of str to int or str
        The line of each dotted key (``members[0].file``); for keys given on the command line the full place as text.
    source : str
        What to call the document in messages: the path as it was given.
    """

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int | str] = field(default_factory=dict)
    source: str = "settings"


def read_yaml(path: str | Path) -> Document:
    """Read a YAML file whose top level is a mapping.

    Parameters
    ----------
    path : str or Path
        A UTF-8 file of at most 1 MB; an empty one is an empty mapping.

    Returns
    -------
    Document
        Its values, with the line of every key.

    Raises
    ------
    ConfigError
        If the file is missing, unreadable, too large, not UTF-8, not YAML, not a mapping, or uses duplicate keys,
        tags, or too much nesting.
    """
    source = str(path)
    return parse_yaml(_text_of(Path(path), source), source)


def parse_yaml(text: str, source: str) -> Document:
    """Parse YAML text whose top level is a mapping; see `read_yaml`."""
    reading = _Reading(source)
    values = reading.parse(text)
    if values is None:
        return Document({}, {}, source)
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else "a single value"
        raise ConfigError(f"{source}: must be a mapping of keys to values (`key: value` lines), got {kind}")
    return Document(values, reading.lines, source)


def parse_value(text: str, source: str) -> Any:
    """Parse one YAML value, as it stands after ``key:`` in a file; problems name the source without a line."""
    return _Reading(source, is_file=False).parse(text)


def _text_of(path: Path, source: str) -> str:
    try:
        if not path.exists():
            raise ConfigError(f"{source}: no such file; check the path")
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise ConfigError(f"{source}: is {kind}; give a YAML file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read ({error.strerror or error})") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{source}: is larger than {MAX_BYTES // 1_000_000} MB; that is not a settings file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{source}:{line}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


class _Reading:
    """One pass over one text: makes plain values, notes the line of every key, collects problems."""

    def __init__(self, source: str, *, is_file: bool = True) -> None:
        self.source = source
        self.is_file = is_file
        self.lines: dict[str, int | str] = {}
        self.problems: list[str] = []
        self.count = 0

    def parse(self, text: str) -> Any:
        node = self.compose(text)
        values = None if node is None else self.value(node, "", 1)
        self.lines.pop("", None)
        if self.problems:
            raise ConfigError(self.problems)
        return values

    def compose(self, text: str) -> yaml.Node | None:
        try:
            return _Loader(text).get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = ", ".join(part for part in (error.context, error.problem) if part)
            where = self.source if mark is None else self.at(mark.line + 1)
            raise ConfigError(f"{where}: is not valid YAML: {what}") from error
        except yaml.reader.ReaderError as error:
            where = self.at(text.count("\n", 0, error.position) + 1)
            character = text[error.position]
            raise ConfigError(f"{where}: the character U+{ord(character):04X} is not allowed in YAML") from error

    def at(self, line: int) -> str:
        return f"{self.source}:{line}" if self.is_file else self.source

    def refuse(self, node: yaml.Node, problem: str) -> None:
        self.problems.append(f"{self.at(_line(node))}: {problem}")

    def value(self, node: yaml.Node, key: str, depth: int) -> Any:
        self.count += 1
        if self.count > MAX_VALUES or depth > MAX_DEPTH:
            what = f"{MAX_VALUES} values" if self.count > MAX_VALUES else f"{MAX_DEPTH} levels of nesting"
            raise ConfigError(f"{self.at(_line(node))}: more than {what} once aliases are expanded")
        self.lines.setdefault(key, _line(node))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self.mapping(node, key, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(entry, f"{key}[{index}]", depth + 1) for index, entry in enumerate(node.value)]
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, key: str, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            name = self.scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(name, str):
                got = shown(name) if isinstance(key_node, yaml.ScalarNode) else "a list or mapping"
                self.refuse(key_node, f"a key must be text, got {got}; put it in quotes")
                continue
            dotted = f"{key}.{name}" if key else name
            if name == "<<" and key_node.style is None:
                self.refuse(key_node, "merge keys (<<) are not supported; write the values out")
            elif name in values:
                place = f", first on line {first[name]}" if self.is_file else ""
                self.refuse(key_node, f"{dotted}: given twice{place}; keep one")
            else:
                first[name] = _line(key_node)
                self.lines.setdefault(dotted, first[name])
                values[name] = self.value(value_node, dotted, depth + 1)
        return values

    def scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        tag = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.ScalarNode) and tag == "str":
            return text
        if tag in _SCALARS and re.fullmatch(_SCALARS[tag][0], text):
            if tag == "bool":
                return text.lower() == "true"
            if tag == "null":
                return None
            return int(text) if tag == "int" else float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
        self.refuse(node, f"the tag {shown(node.tag)} is not allowed; write the plain value")
        return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
