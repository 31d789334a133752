"""Reading ``labels.csv``: a table of ``file,label[,mask][,split]``, every fault told with its line.

Python's csv reader, left to itself, takes everything after an unclosed quote as one field and so loses rows without a
word. Here fields may not run over several lines and every row must be as wide as the header.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from consensus_onnx.errors import ImageError
from consensus_onnx.images.class_names import LabelSpace, read_text
from consensus_onnx.images.items import refuse

_MAX_BYTES = 100_000_000
_COLUMNS = ("file", "label", "mask", "split")
_NUMBER = re.compile(r"[0-9]{1,9}")
_ALMOST_NUMBER = re.compile(r"([0-9]{1,9})\.0*")


@dataclass(frozen=True)
class Row:
    """One row of a label table.

    Parameters
    ----------
    line : int
        Its line in the file, from 1.
    file : str
        Path of the picture relative to the folder of pictures, with forward slashes.
    label : int or None
        Its class; None if the field is empty.
    mask : str or None
        Path of its mask, as `file`.
    split : str or None
        The part of the data set it belongs to.
    """

    line: int
    file: str
    label: int | None
    mask: str | None
    split: str | None


def read_labels(path: Path, space: LabelSpace) -> tuple[Row, ...]:
    """Read a label table.

    Parameters
    ----------
    path : Path
        A UTF-8 file with commas between columns and a header that names ``file`` and ``label``, and perhaps ``mask``
        and ``split``; other columns are ignored.
    space : LabelSpace
        What is known of the classes: labels are held to their number, and names become numbers by it.

    Returns
    -------
    tuple of Row
        The rows in the order of the file.

    Raises
    ------
    ImageError
        If the table cannot be used; tells the first five problems with their lines and counts the rest.
    """
    cells = _cells(path)
    _, header = next(cells, (1, []))
    columns = _columns(path, [name.strip().lower() for name in header])
    rows: list[Row] = []
    problems: list[str] = []
    first_line: dict[str, int] = {}
    for line, fields in cells:
        place = f"{path}:{line}"
        if len(fields) != len(header):
            problems.append(
                f"{place}: has {len(fields)} fields, the header has {len(header)}; "
                "put fields that hold commas in double quotes"
            )
            continue
        values = {name: fields[index].strip() for name, index in columns.items()}
        faults = [*_path_faults("file", values["file"], required=True)]
        faults += _path_faults("mask", values.get("mask", ""), required=False)
        label, fault = _label(values["label"], space)
        faults += [fault] if fault else []
        file = PurePosixPath(values["file"]).as_posix()
        if file in first_line:
            faults.append(f"file {file!r} is given twice, first on line {first_line[file]}; keep one row")
        first_line.setdefault(file, line)
        problems += [f"{place}: {fault}" for fault in faults]
        if not faults:
            rows.append(Row(line, file, label, values.get("mask") or None, values.get("split") or None))
    if problems:
        refuse(problems, path)
    if not rows:
        raise ImageError(f"{path}: has a header but no rows; expected one row per picture")
    return tuple(rows)


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the fields of every row that is not blank."""
    text = read_text(path, _MAX_BYTES)
    if text.startswith("version https://git-lfs"):
        raise ImageError(f"{path}: is a Git LFS pointer, not the table itself; run `git lfs pull`")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for fields in reader:
            if any("\n" in field or "\r" in field for field in fields):
                raise ImageError(f"{path}:{line}: a quoted field runs over several lines; close its double quote")
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        unclosed = "unexpected end of data" in str(error) or "field larger" in str(error)
        cause = "a double quote is not closed" if unclosed else str(error)
        raise ImageError(f"{path}:{line}: is not valid CSV ({cause}); correct this row") from error


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Find the columns by name."""
    if not any(header):
        raise ImageError(f"{path}: is empty; expected a header `file,label` and one row per picture")
    for name in ("file", "label"):
        if name not in header:
            separator = next((mark for mark in (";", "\t", "|") if mark in header[0]), None)
            hint = f"; columns are separated by commas, not {separator!r}" if separator else ""
            found = ", ".join(repr(column) for column in header[:8])
            raise ImageError(f"{path}:1: the header must name the columns file and label, got {found}{hint}")
    for name in _COLUMNS:
        if header.count(name) > 1:
            raise ImageError(f"{path}:1: the header names the column {name!r} {header.count(name)} times; keep one")
    return {name: header.index(name) for name in _COLUMNS if name in header}


def _path_faults(column: str, text: str, *, required: bool) -> Iterator[str]:
    """Say what is wrong with a path in the table; it must stay inside the folder it is relative to."""
    if not text:
        if required:
            yield f"{column} is empty; expected the path of a picture in the image folder"
    elif any(character < " " or character == "\x7f" for character in text):
        yield f"{column} {text!r} holds control characters"
    elif (
        PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts or PurePosixPath(text) == PurePosixPath()
    ):
        yield f"{column} {text!r} must be a path inside the folder, without a leading / and without .."


def _label(text: str, space: LabelSpace) -> tuple[int | None, str]:
    """Read a label: its number, and what is wrong with it."""
    if not text:
        return None, ""
    if _NUMBER.fullmatch(text):
        return int(text), space.outside(int(text))
    named = space.find(text)
    if named is not None:
        return named, ""
    shown = repr(text if len(text) <= 60 else f"{text[:57]}...")
    almost = _ALMOST_NUMBER.fullmatch(text)
    if almost:
        return None, f"label {shown} must be a whole number; write {almost[1]}"
    if re.fullmatch(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", text):
        return None, f"label {shown} must be a whole number >= 0; leave it empty where it is not known"
    return None, f"label {shown} is not a whole number and not a known class name; {space.why_not(text)}"
