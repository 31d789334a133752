"""CUB-200-2011 as it is published: four text files, a folder of pictures, a folder of masks.

The files give every picture a number: ``images.txt`` its path, ``image_class_labels.txt`` its class from 1,
``train_test_split.txt`` whether it is for training, ``classes.txt`` the class names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from consensus_onnx.errors import ImageError
from consensus_onnx.images.class_names import read_text
from consensus_onnx.images.items import Dataset, Item, refuse
from consensus_onnx.images.listing import count_of
from consensus_onnx.images.mask_files import find_mask

_MAX_BYTES = 20_000_000


def is_cub(folder: Path) -> bool:
    """Say whether a folder is laid out as CUB-200-2011."""
    return (folder / "images.txt").is_file() and (folder / "image_class_labels.txt").is_file()


def read_cub(folder: Path, masks: Path | None) -> Dataset:
    """Read CUB-200-2011; labels count from 0, masks are found in `masks` or in ``segmentations``."""
    paths = _numbered_lines(folder / "images.txt")
    labels = _numbered_lines(folder / "image_class_labels.txt")
    splits = _numbered_lines(folder / "train_test_split.txt") if (folder / "train_test_split.txt").is_file() else {}
    classes = _numbered_lines(folder / "classes.txt") if (folder / "classes.txt").is_file() else {}
    if masks is None:
        masks = next(
            (place for place in (folder / "segmentations", folder.parent / "segmentations") if place.is_dir()), None
        )
    items: list[Item] = []
    problems: list[str] = []
    for number, relative in paths.items():
        name = f"images/{relative}"
        if ".." in PurePosixPath(name).parts or not (folder / name).is_file():
            problems.append(f"{folder / 'images.txt'}: no file {name!r} in {folder} (picture {number})")
            continue
        label = labels.get(number, "")
        if not label.isdecimal() or int(label) < 1:
            problems.append(
                f"{folder / 'image_class_labels.txt'}: picture {number} must have a class from 1, got {label!r}"
            )
            continue
        split = {"1": "train", "0": "test"}.get(splits.get(number, ""))
        mask = find_mask(masks, relative) if masks else None
        items.append(Item(name, folder / name, int(label) - 1, mask, split))
    if problems:
        refuse(problems, folder)
    if not items:
        raise ImageError(f"{folder / 'images.txt'}: lists no pictures; unpack the data set again")
    without = sum(item.mask is None for item in items)
    notices = [f"{folder}: read as CUB-200-2011: labels are its class numbers less 1"]
    if masks and without:
        notices.append(f"{masks}: {count_of(without, 'picture')} of {len(items)} without a mask")
    names = tuple(classes[number] for number in sorted(classes, key=int))
    return Dataset(folder, tuple(sorted(items, key=lambda item: item.name)), tuple(notices), names or None)


def _numbered_lines(path: Path) -> Mapping[str, str]:
    """Read lines of a number and a text."""
    entries: dict[str, str] = {}
    for index, line in enumerate(read_text(path, _MAX_BYTES).split("\n"), start=1):
        if not line.strip():
            continue
        number, _, text = line.strip().partition(" ")
        if not number.isdecimal() or not text or number in entries:
            raise ImageError(f"{path}:{index}: expected a new number and a text, got {line.strip()[:60]!r}")
        entries[number] = text
    return entries
