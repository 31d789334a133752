"""Class names: what a label number stands for, and which number a name has."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from consensus_onnx.errors import ImageError

_MAX_BYTES = 10_000_000
_MAX_NAMES = 1_000_000
_WNID = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class LabelSpace:
    """What is known of the classes: how many, and perhaps their names.

    Parameters
    ----------
    count : int or None
        Number of classes; None if not known.
    names : tuple of str or None
        The name of each class, in the order of the labels.
    source : str
        Where this is known from, for messages.
    """

    count: int | None = None
    names: tuple[str, ...] | None = None
    source: str = ""

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """Where each name stands; a line such as "n01440764 tench" also counts under its WordNet id alone."""
        places: dict[str, list[int]] = {}
        for index, name in enumerate(self.names or ()):
            first = name.partition(" ")[0]
            for key in {name, first} if _WNID.fullmatch(first) else {name}:
                places.setdefault(key, []).append(index)
        return places

    def find(self, name: str) -> int | None:
        """Return the label of a class name; None if no class, or more than one, has it."""
        found = self._places.get(name, [])
        return found[0] if len(found) == 1 else None

    def why_not(self, name: str) -> str:
        """Say why `find` does not know a name, as the rest of a sentence."""
        if self.names is None:
            return "give --classes FILE, one class name per line in the order of the labels"
        found = self._places.get(name, [])
        if found:
            return (
                f"{self.source} has it {len(found)} times (lines {found[0] + 1} and {found[1] + 1}); use label numbers"
            )
        near = difflib.get_close_matches(name, self._places, n=1)
        return f"{self.source} does not list it" + (f"; did you mean {near[0]!r}?" if near else "")

    def outside(self, label: int) -> str:
        """Say what is wrong with a label outside the space; empty if nothing is."""
        if self.count is None or label < self.count:
            return ""
        hint = "; labels count from 0, subtract 1 from all of them" if label == self.count else ""
        return f"label {label} is outside 0..{self.count - 1} ({self.count} classes){hint}"


def read_label_space(classes: str | Path | int | Sequence[str] | None) -> LabelSpace:
    """Find out what is known of the classes.

    Parameters
    ----------
    classes : path, int, sequence of str or None
        A UTF-8 text file with one class name per line in the order of the labels; or the number of classes; or the
        names themselves.

    Returns
    -------
    LabelSpace
        Count and names, as far as they are known.

    Raises
    ------
    ImageError
        If the file cannot be read or has empty lines between names.
    """
    if classes is None:
        return LabelSpace()
    if isinstance(classes, int):
        if classes < 1:
            raise ImageError(f"the number of classes must be >= 1, got {classes}")
        return LabelSpace(classes)
    if not isinstance(classes, str | Path):
        return LabelSpace(len(classes), tuple(classes), "the list of classes")
    names = _read_names(Path(classes))
    return LabelSpace(len(names), names, str(classes))


def read_text(path: Path, max_bytes: int) -> str:
    """Read a small UTF-8 text file, a byte order mark dropped."""
    if not path.is_file():
        raise ImageError(f"{path}: {'is not a file' if path.exists() else 'no such file'}; check the path")
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(data) > max_bytes:
        raise ImageError(f"{path}: is larger than {max_bytes // 10**6} MB; expected a small text file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ImageError(f"{path}:{line}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _read_names(path: Path) -> tuple[str, ...]:
    lines = [line.strip() for line in read_text(path, _MAX_BYTES).rstrip().split("\n")]
    if lines == [""]:
        raise ImageError(f"{path}: is empty; expected one class name per line")
    if len(lines) > _MAX_NAMES:
        raise ImageError(f"{path}: has {len(lines)} lines; expected one class name per line, at most {_MAX_NAMES}")
    if "" in lines:
        raise ImageError(f"{path}:{lines.index('') + 1}: is an empty line; expected one class name per line")
    return tuple(lines)
