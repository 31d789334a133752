"""Which pictures, labels and masks a folder holds. Lists files and parses text; never decodes a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from consensus_onnx.errors import ImageError
from consensus_onnx.images.class_names import LabelSpace, read_label_space
from consensus_onnx.images.items import Dataset, refuse
from consensus_onnx.images.layouts.class_folders import read_class_folders
from consensus_onnx.images.layouts.cub import is_cub, read_cub
from consensus_onnx.images.layouts.flat import read_flat
from consensus_onnx.images.layouts.food101 import is_food101, read_food101
from consensus_onnx.images.layouts.table import read_table
from consensus_onnx.images.listing import list_pictures, sub_folders
from consensus_onnx.images.mask_files import masks_by_stem


def read_dataset(
    folder: str | Path,
    labels: str | Path | None = None,
    *,
    masks: str | Path | None = None,
    classes: str | Path | int | Sequence[str] | None = None,
) -> Dataset:
    """Read what a folder of pictures holds.

    With `labels`, or a ``labels.csv`` in the folder, the table says which pictures belong to the data set. Without, the
    folder is read as CUB-200-2011 or Food-101 where it is laid out so, else as pictures without labels, or, if it holds
    no pictures itself, as one sub-folder per class.

    Parameters
    ----------
    folder : str or Path
        The folder of pictures.
    labels : str or Path, optional
        A CSV file with the columns ``file,label`` and perhaps ``mask`` and ``split``; paths are relative to `folder`.
    masks : str or Path, optional
        A folder of masks: those the table names, else those named as their pictures.
    classes : path, int or sequence of str, optional
        A file of class names (one per line, in the order of the labels), the names, or the number of classes. Labels
        are held to them; names in the table or of sub-folders become labels by them.

    Returns
    -------
    Dataset
        The pictures sorted by name, with notices of what was left out or assumed.

    Raises
    ------
    ImageError
        If there is no picture, or if folder, table, labels or masks do not fit together; names file and line.
    """
    folder = Path(folder)
    _check_folder(folder)
    masks = None if masks is None else Path(masks)
    space = read_label_space(classes)
    if labels is not None:
        data = read_table(folder, Path(labels), space, masks)
    elif (folder / "labels.csv").is_file():
        data = read_table(folder, folder / "labels.csv", space, masks)
        data = dataclasses.replace(data, notices=(f"{folder}: labels are those of its labels.csv", *data.notices))
    elif is_cub(folder):
        data = _held_to(read_cub(folder, masks), space)
    elif is_food101(folder):
        data = _held_to(read_food101(folder), space)
    elif list_pictures(folder, recursive=False).names:
        data = read_flat(folder, space)
    elif sub_folders(folder):
        data = read_class_folders(folder, space)
    else:
        data = Dataset(folder, ())
    if not data.items:
        raise ImageError(f"{folder}: no pictures found (PNG, JPEG, BMP or WebP, by suffix); check the path")
    if masks is not None and any(item.mask is None for item in data.items):
        items, notices = masks_by_stem(data.items, masks)
        data = dataclasses.replace(data, items=items, notices=data.notices + notices)
    return data


def _check_folder(folder: Path) -> None:
    if folder.is_file():
        raise ImageError(f"{folder}: is a file; give the folder that holds it")
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder of pictures; check the path")


def _held_to(data: Dataset, space: LabelSpace) -> Dataset:
    """Hold the labels of a published data set to the classes that are known."""
    problems = [
        f"{item.path}: {fault}"
        for item in data.items
        if item.label is not None and (fault := space.outside(item.label))
    ]
    if problems:
        refuse(problems, data.folder)
    return data if space.names is None else dataclasses.replace(data, class_names=space.names)
