"""Finding the mask that belongs to a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from consensus_onnx.errors import ImageError
from consensus_onnx.images.items import Item
from consensus_onnx.images.listing import count_of

MASK_SUFFIXES = (".png", ".bmp", ".PNG", ".BMP")


def masks_by_stem(items: Sequence[Item], masks: Path) -> tuple[tuple[Item, ...], tuple[str, ...]]:
    """Give each item without a mask the file of the mask folder that has its name but for the suffix.

    Parameters
    ----------
    items : sequence of Item
        The pictures.
    masks : Path
        The folder of masks; it may repeat the sub-folders of the pictures or be flat.

    Returns
    -------
    items : tuple of Item
        The pictures with their masks.
    notices : tuple of str
        How many have none.

    Raises
    ------
    ImageError
        If the folder does not exist or no picture has a mask in it.
    """
    if not masks.is_dir():
        raise ImageError(f"{masks}: no such folder of masks; check the path")
    masked = tuple(item if item.mask else dataclasses.replace(item, mask=find_mask(masks, item.name)) for item in items)
    without = [item for item in masked if item.mask is None]
    if len(without) == len(masked):
        expected = PurePosixPath(masked[0].name).with_suffix(".png")
        raise ImageError(f"{masks}: no mask fits any picture; expected names such as {str(expected)!r}")
    notice = f"{masks}: {count_of(len(without), 'picture')} of {len(masked)} without a mask"
    return masked, (notice,) if without else ()


def find_mask(masks: Path, name: str) -> Path | None:
    """Return the mask of one picture, by its path or, failing that, its bare name; None if there is none."""
    path = PurePosixPath(name)
    for stem in (path, PurePosixPath(path.name)):
        for suffix in MASK_SUFFIXES:
            candidate = masks / stem.with_suffix(suffix)
            if candidate.is_file():
                return candidate
    return None
