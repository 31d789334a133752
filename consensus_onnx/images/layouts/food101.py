"""Food-101 as it is published: ``images/CLASS/NUMBER.jpg`` and a folder ``meta`` of lists."""

from __future__ import annotations

from pathlib import Path

from consensus_onnx.errors import ImageError
from consensus_onnx.images.class_names import read_label_space, read_text
from consensus_onnx.images.items import Dataset, Item, refuse

_MAX_BYTES = 20_000_000


def is_food101(folder: Path) -> bool:
    """Say whether a folder is laid out as Food-101."""
    return (folder / "meta" / "classes.txt").is_file() and (folder / "meta" / "test.txt").is_file()


def read_food101(folder: Path) -> Dataset:
    """Read Food-101: labels by ``meta/classes.txt``, splits by ``meta/train.txt`` and ``meta/test.txt``."""
    meta = folder / "meta"
    space = read_label_space(meta / "classes.txt")
    items: list[Item] = []
    problems: list[str] = []
    for split in ("train", "test"):
        if not (meta / f"{split}.txt").is_file():
            continue
        for index, line in enumerate(read_text(meta / f"{split}.txt", _MAX_BYTES).split("\n"), start=1):
            if not line.strip():
                continue
            name = f"images/{line.strip()}.jpg"
            label = space.find(line.strip().partition("/")[0])
            if label is None or ".." in name or not (folder / name).is_file():
                problems.append(f"{meta / f'{split}.txt'}:{index}: no file {name!r} of a known class in {folder}")
            else:
                items.append(Item(name, folder / name, label, split=split))
    if problems:
        refuse(problems, folder)
    if not items:
        raise ImageError(f"{meta}: lists no pictures; unpack the data set again")
    notice = f"{folder}: read as Food-101: labels are the lines of meta/classes.txt"
    return Dataset(folder, tuple(sorted(items, key=lambda item: item.name)), (notice,), space.names)
