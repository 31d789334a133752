"""Reading scores from elsewhere: a CSV file with the columns member and score."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection
from pathlib import Path

from consensus_onnx.errors import ConfigError

_COLUMNS = ("member", "score")


def read_external(path: Path, members: Collection[str]) -> dict[str, float]:
    """Read imported scores, higher is better.

    Parameters
    ----------
    path : Path
        CSV with a header that holds `member` and `score`; other columns are not looked at.
    members : collection of str
        Names of the run's members.

    Returns
    -------
    dict of str to float
        Scores by member. Members of the run may be missing; names that are no member are not.

    Raises
    ------
    ConfigError
        If the file cannot be read, lacks a column, or a row names no member, a member twice, or no number; every
        problem is told, with its line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                got = ", ".join(reader.fieldnames or ()) or "nothing"
                raise ConfigError(f"{path}: expected a header with the columns member and score, got {got}")
            rows = [(reader.line_num, row["member"], row["score"]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as CSV ({error})") from error
    scores: dict[str, float] = {}
    problems = []
    for line, member, text in rows:
        if member not in members:
            problems.append(f"{path}:{line}: no member named {member!r} in this run; its names stand in committee.csv")
        elif member in scores:
            problems.append(f"{path}:{line}: member {member!r} stands here a second time; keep one row for each")
        else:
            value = _number(text)
            if value is None:
                problems.append(f"{path}:{line}: score must be a finite number, got {text!r}")
            else:
                scores[member] = value
    if not rows:
        problems.append(f"{path}: holds no scores; expected one row per member below the header")
    if problems:
        raise ConfigError(problems)
    return scores


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
