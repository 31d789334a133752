"""CSV files of a run: frozen dataclasses as rows, typed both ways, safe to open in a spreadsheet.

A field's column has its name, or the one in its metadata; a field of type ``dict[str, float]`` becomes one column per
key, 'name.key'.
"""

from __future__ import annotations

import csv
import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from consensus_onnx.engine.folder import replaced_text
from consensus_onnx.errors import StoreError

T = TypeVar("T")

_FORMULA = ("=", "+", "-", "@")  # a spreadsheet would run a text cell that begins so


def write_table(path: Path, kind: type[T], rows: Iterable[T]) -> None:
    """Write rows of one dataclass as they come; None and NaN are empty cells, numbers round-trip exactly.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    if any(_has_keys(field) for field in fields):
        rows = tuple(rows)  # whose keys become columns
    columns = [(column, field.name, key) for field in fields for column, key in _columns(field, rows)]
    with replaced_text(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column for column, _, _ in columns])
        for row in rows:
            values = ((getattr(row, name), key) for _, name, key in columns)
            writer.writerow([_cell(value if key is None else value.get(key)) for value, key in values])


def read_table(path: Path, kind: type[T]) -> tuple[T, ...]:
    """Read what `write_table` wrote.

    Raises
    ------
    StoreError
        If the file is missing or damaged, or its columns are others; the message names them.
    """
    hints = typing.get_type_hints(kind)
    fields = {_column(field): field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            found = {column.partition(".")[0] for column in header}
            needed = {column for column, name in fields.items() if not _is_mapping(hints[name])}
            if not needed <= found <= set(fields):
                raise StoreError(f"{path}: expected the columns {', '.join(fields)}; got {', '.join(header)}")
            return tuple(_row(kind, fields, hints, zip(header, row, strict=True)) for row in reader)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); is this a finished run folder?") from error
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: is damaged ({error}); run the audit again to rewrite it") from error


def _row(kind: type[T], fields: Mapping[str, str], hints: Mapping[str, Any], cells: Iterable[tuple[str, str]]) -> T:
    values: dict[str, Any] = {name: {} for name in fields.values() if _is_mapping(hints[name])}
    for column, text in cells:
        base, _, key = column.partition(".")
        name = fields[base]
        if key:
            values[name][key] = _value(text, float)
        else:
            values[name] = _value(text, hints[name])
    return kind(**values)


def _has_keys(field: dataclasses.Field[Any]) -> bool:
    return str(field.type).startswith("dict[")


def _columns(field: dataclasses.Field[Any], rows: Iterable[object]) -> list[tuple[str, str | None]]:
    """Return a field's columns with the key each stands for."""
    column = _column(field)
    if not _has_keys(field):
        return [(column, None)]
    keys = dict.fromkeys(key for row in rows for key in getattr(row, field.name))
    return [(f"{column}.{key}", key) for key in keys]


def _column(field: dataclasses.Field[Any]) -> str:
    return str(field.metadata.get("column", field.name))


def _is_mapping(hint: Any) -> bool:
    return typing.get_origin(hint) is dict


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, str):
        clean = "".join(character if character.isprintable() else " " for character in value)
        return "'" + clean if _looks_like_formula(clean) else clean
    return repr(value) if isinstance(value, float) else str(value)


def _value(text: str, kind: Any) -> Any:
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if text == "" and type(None) in options:
        return None
    if text == "" and float in options:
        return float("nan")
    if bool in options:
        return {"True": True, "False": False}[text]
    for number in (int, float):
        if number in options:
            return number(text)
    return text[1:] if text.startswith("'") and _looks_like_formula(text[1:]) else text


def _looks_like_formula(text: str) -> bool:
    """Whether a text needs a quote in front; one that brings its own does too, so that reading takes off only ours."""
    return text.lstrip("'").startswith(_FORMULA)
