"""CSV files of a run: frozen dataclasses as rows, typed both ways, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import dataclasses
import io
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from consensus_onnx.engine.folder import write_text
from consensus_onnx.errors import StoreError

T = TypeVar("T")

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a text cell that begins so


def write_table(path: Path, kind: type[T], rows: Iterable[T]) -> None:
    """Write rows of one dataclass; None and NaN are empty cells, numbers round-trip exactly."""
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    write_text(path, text.getvalue())


def read_table(path: Path, kind: type[T]) -> tuple[T, ...]:
    """Read what `write_table` wrote.

    Raises
    ------
    StoreError
        If the file is missing or its columns are others; the message names them.
    """
    types_by_name = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if header != names:
                raise StoreError(f"{path}: expected the columns {', '.join(names)}; got {', '.join(header)}")
            return tuple(
                kind(**{name: _value(text, types_by_name[name]) for name, text in zip(names, row, strict=True)})
                for row in reader
            )
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); is this a finished run folder?") from error
    except (csv.Error, ValueError) as error:
        raise StoreError(f"{path}: is damaged ({error}); run the audit again to rewrite it") from error


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, str):
        clean = "".join(character if character.isprintable() else " " for character in value)
        return "'" + clean if clean.startswith(_FORMULA) else clean
    return repr(value) if isinstance(value, float) else str(value)


def _value(text: str, kind: Any) -> Any:
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if text == "":
        return None if type(None) in options else float("nan") if float in options else ""
    if bool in options:
        return text == "True"
    for number in (int, float):
        if number in options:
            return number(text)
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
