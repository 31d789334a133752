"""Which files of a folder are pictures."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from consensus_onnx.errors import ImageError

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".webp"})


@dataclass(frozen=True)
class Listing:
    """The pictures found in a folder.

    Parameters
    ----------
    names : tuple of str
        Paths relative to the folder, with forward slashes, sorted.
    notices : tuple of str
        What was left out, counted.
    """

    names: tuple[str, ...]
    notices: tuple[str, ...]


def list_pictures(folder: Path, *, recursive: bool) -> Listing:
    """List the pictures of a folder by their suffix, hidden files and folders left out.

    Parameters
    ----------
    folder : Path
        The folder.
    recursive : bool
        Whether to go into sub-folders; links to folders are followed in `folder` itself but not below, where they might
        lead in circles.

    Returns
    -------
    Listing
        Names and notices.

    Raises
    ------
    ImageError
        If the folder cannot be read.
    """
    names: list[str] = []
    others: Counter[str] = Counter()
    unreadable = 0
    for parent, folders, files in os.walk(folder, onerror=_refuse_folder, followlinks=True):
        is_top = Path(parent) == folder
        folders[:] = [
            name
            for name in folders
            if recursive and not _is_hidden(name) and (is_top or not Path(parent, name).is_symlink())
        ]
        for file in files:
            if _is_hidden(file):
                continue
            if Path(file).suffix.lower() not in PICTURE_SUFFIXES:
                others[Path(file).suffix.lower() or "no suffix"] += 1
                continue
            name = Path(parent, file).relative_to(folder).as_posix()
            if _is_text(name):
                names.append(name)
            else:
                unreadable += 1
    notices = []
    if others:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(5))
        notices.append(f"{folder}: left out {count_of(others.total(), 'file')} without a picture's suffix ({kinds})")
    if unreadable:
        notices.append(f"{folder}: left out {count_of(unreadable, 'picture')} whose name is not UTF-8 text")
    return Listing(tuple(sorted(names)), tuple(notices))


def sub_folders(folder: Path) -> tuple[str, ...]:
    """List the names of the sub-folders of a folder, sorted, hidden ones left out; links to folders count."""
    try:
        entries = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    except OSError as error:
        _refuse_folder(error)
    return tuple(name for name in entries if not _is_hidden(name))


def count_of(count: int, what: str) -> str:
    """Say a count with its noun: "1 file", "3 files"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def first_few(names: Iterable[object], most: int = 3) -> str:
    """List the first few names in quotes: "'a', 'b', 'c' and 7 more"."""
    texts = [repr(str(name)) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _is_text(name: str) -> bool:
    """Say whether a file name can be written down: no undecodable bytes, no control characters."""
    return not any(
        character < " " or "\x7f" <= character < "\xa0" or "\ud800" <= character < "\ue000" for character in name
    )


def _refuse_folder(error: OSError) -> None:
    raise ImageError(
        f"{error.filename}: cannot be read ({error.strerror or error}); check the path and its permissions"
    )
