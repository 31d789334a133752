"""A folder of pictures described by a label table."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from consensus_onnx.images.class_names import LabelSpace
from consensus_onnx.images.items import Dataset, Item, refuse
from consensus_onnx.images.labels_csv import Row, read_labels
from consensus_onnx.images.listing import count_of, first_few, list_pictures


def read_table(folder: Path, table: Path, space: LabelSpace, masks: Path | None) -> Dataset:
    """Read a folder of which a table says what belongs to it: pictures without a row are left out.

    Masks named in the table are looked for in `masks` if that is given, else beside the table, in a folder ``masks``
    beside the table, and beside the pictures.
    """
    rows = read_labels(table, space)
    listed = list_pictures(folder, recursive=True).names
    _refuse_missing(folder, table, rows, listed)
    places = [masks] if masks else [table.parent, table.parent / "masks", folder]
    items: list[Item] = []
    problems: list[str] = []
    for row in rows:
        mask = None
        if row.mask:
            mask = next((place / row.mask for place in places if (place / row.mask).is_file()), None)
            if mask is None:
                looked = " or ".join(str(place) for place in places)
                problems.append(f"{table}:{row.line}: no mask {row.mask!r} in {looked}")
        items.append(Item(row.file, folder / row.file, row.label, mask, row.split))
    if problems:
        refuse(problems, table)
    left_out = sorted(set(listed) - {row.file for row in rows})
    notices = []
    if left_out:
        notices.append(f"{table}: left out {count_of(len(left_out), 'picture')} without a row: {first_few(left_out)}")
    unlabelled = sum(row.label is None for row in rows)
    if unlabelled:
        notices.append(f"{table}: {count_of(unlabelled, 'picture')} without a label")
    return Dataset(folder, tuple(sorted(items, key=lambda item: item.name)), tuple(notices), space.names)


def _refuse_missing(folder: Path, table: Path, rows: Sequence[Row], listed: Sequence[str]) -> None:
    """Refuse rows whose picture is not in the folder."""
    known = set(listed)
    missing = [row for row in rows if row.file not in known and not (folder / row.file).is_file()]
    if not missing:
        return
    if len(missing) == len(rows):
        refuse(
            [
                f"{table}:{missing[0].line}: no file {missing[0].file!r} in {folder}, nor that of any other row"
                f"{_all_missing_hint(folder, missing[0].file, listed)}"
            ],
            table,
        )
    problems = [f"{table}:{row.line}: no file {row.file!r} in {folder}" for row in missing]
    near = difflib.get_close_matches(missing[0].file, listed[:10_000], n=1, cutoff=0.8)
    problems[0] += f"; did you mean {near[0]!r}?" if near else "; add the file or remove the row"
    refuse(problems, table)


def _all_missing_hint(folder: Path, file: str, listed: Sequence[str]) -> str:
    """Say why the files of a table are probably not found."""
    for name in listed:
        path = PurePosixPath(name)
        if path.name == PurePosixPath(file).name:
            return f"; it has {name!r}: files are relative to the image folder, perhaps that is {folder / path.parent}"
        if path.stem == PurePosixPath(file).stem or path.stem == file:
            return f"; it has {name!r}: give file names with their suffix"
    return f"; it has {first_few(listed)}: check the image folder" if listed else "; it has no pictures"
