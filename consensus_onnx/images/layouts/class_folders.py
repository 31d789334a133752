"""A folder with one sub-folder per class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from consensus_onnx.errors import ImageError
from consensus_onnx.images.class_names import LabelSpace
from consensus_onnx.images.items import Dataset, Item, refuse
from consensus_onnx.images.listing import count_of, first_few, list_pictures, sub_folders

_NUMBER = re.compile(r"[0-9]{1,9}")
_WNID = re.compile(r"n\d{8}")
_IMAGENET_CLASSES = 1000


def read_class_folders(folder: Path, space: LabelSpace) -> Dataset:
    """Read a folder whose sub-folders are classes.

    The label of a sub-folder is its name if all are numbers, its place in the class names if those are known, and its
    place in the sorted order only if there are exactly as many sub-folders as classes. A part of the classes is never
    numbered 0..n: its pictures stay without labels, and a notice says what to give.
    """
    class_folders = sub_folders(folder)
    listing = list_pictures(folder, recursive=True)
    labels, notices = _labels(folder, class_folders, space)
    empty = sorted(set(class_folders) - {name.split("/", 1)[0] for name in listing.names})
    if empty:
        notices = [*notices, f"{folder}: {count_of(len(empty), 'class folder')} without pictures: {first_few(empty)}"]
    items = tuple(Item(name, folder / name, labels.get(name.split("/", 1)[0])) for name in listing.names)
    return Dataset(folder, items, (*listing.notices, *notices), space.names)


def _labels(folder: Path, names: Sequence[str], space: LabelSpace) -> tuple[Mapping[str, int], list[str]]:
    """Find the label of each sub-folder, and what to tell about it."""
    if all(_NUMBER.fullmatch(name) for name in names):
        return _numbered(folder, names, space), []
    if space.names is not None:
        found = {name: label for name in names if (label := space.find(name)) is not None}
        if len(found) < len(names):
            unknown = [name for name in names if name not in found]
            refuse(
                [f"{folder / name}: no label for class folder {name!r}: {space.why_not(name)}" for name in unknown],
                folder,
            )
        return found, []
    # 1,000 folders named by WordNet ids are ImageNet, whose labels are by definition the sorted ids.
    is_imagenet = len(names) == _IMAGENET_CLASSES and all(_WNID.fullmatch(name) for name in names)
    expected = space.count or (_IMAGENET_CLASSES if is_imagenet else None)
    if len(names) == expected:
        how = f"labels are the places of the {len(names)} class folders in sorted order"
        return {name: label for label, name in enumerate(names)}, [f"{folder}: {how}: {names[0]!r} is 0"]
    known = f"{count_of(len(names), 'class folder')}" + (f", {space.count} classes" if space.count else "")
    return {}, [
        f"{folder}: labels unknown ({known}): give --classes FILE, one class name per line in the order of the labels, "
        "or name the folders by label number"
    ]


def _numbered(folder: Path, names: Sequence[str], space: LabelSpace) -> dict[str, int]:
    labels = {name: int(name) for name in names}
    if len(set(labels.values())) < len(labels):
        twice = [name for name in names if sum(label == labels[name] for label in labels.values()) > 1]
        raise ImageError(f"{folder}: class folders {first_few(twice)} are the same label; join them")
    problems = [f"{folder / name}: {fault}" for name in names if (fault := space.outside(labels[name]))]
    if problems:
        refuse(problems, folder)
    return labels
