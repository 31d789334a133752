"""What the readers of data sets hand on: names, paths and labels, never pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from consensus_onnx.errors import ImageError

_PROBLEMS_TOLD = 5


@dataclass(frozen=True)
class Item:
    """One picture of a data set.

    Parameters
    ----------
    name : str
        Path relative to the folder of the data set, with forward slashes; unique in the data set.
    path : Path
        Where the picture lies.
    label : int or None
        Index of its class in the common label space; None where it is not known.
    mask : Path or None
        Where the mask of its object lies.
    split : str or None
        The part of the data set it belongs to, such as "test".
    """

    name: str
    path: Path
    label: int | None = None
    mask: Path | None = None
    split: str | None = None


@dataclass(frozen=True)
class Dataset:
    """The pictures of one folder, sorted by name.

    Parameters
    ----------
    folder : Path
        The folder the names are relative to.
    items : tuple of Item
        The pictures.
    notices : tuple of str
        What the user should know about how the folder was read, each a sentence.
    class_names : tuple of str or None
        The name of each class, where they are known.
    """

    folder: Path
    items: tuple[Item, ...]
    notices: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None


def refuse(problems: Sequence[str], source: str | Path) -> NoReturn:
    """Raise an ImageError that tells the first few problems, one a line, and counts the rest."""
    told = list(problems[:_PROBLEMS_TOLD])
    if len(problems) > _PROBLEMS_TOLD:
        told.append(f"{source}: and {len(problems) - _PROBLEMS_TOLD} more problems")
    raise ImageError("\n".join(told))
