"""A folder of pictures and nothing else."""

from __future__ import annotations

from pathlib import Path

from consensus_onnx.images.class_names import LabelSpace
from consensus_onnx.images.items import Dataset, Item
from consensus_onnx.images.listing import count_of, list_pictures, sub_folders


def read_flat(folder: Path, space: LabelSpace) -> Dataset:
    """Read a folder whose pictures have no labels; its sub-folders are left out."""
    listing = list_pictures(folder, recursive=False)
    notices = list(listing.notices)
    if (folder.parent / "labels.csv").is_file():
        notices.append(
            f"{folder}: no labels used; {folder.parent / 'labels.csv'} lies beside it, name it with --labels"
        )
    nested = sub_folders(folder)
    if nested:
        notices.append(f"{folder}: left out {count_of(len(nested), 'sub-folder')} beside the pictures")
    items = tuple(Item(name, folder / name) for name in listing.names)
    return Dataset(folder, items, tuple(notices), space.names)
