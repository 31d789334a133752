"""Statistics in plain words that claim no more than the numbers allow."""

from __future__ import annotations

import math
from collections.abc import Sequence

from consensus_onnx.analysis import Correlation
from consensus_onnx.report.templating import signed

FEW_MEMBERS = 10  # a bootstrap interval over fewer points is itself hardly known


def listing(words: Sequence[str], limit: int = 8) -> str:
    """Return 'a', 'a and b', 'a, b and c'; what exceeds `limit` is counted.

    Examples
    --------
    >>> listing(["a", "b", "c"]), listing(list("abcde"), limit=3)
    ('a, b and c', 'a, b, c and 2 more')
    """
    shown = list(words[:limit])
    if len(words) > limit:
        shown.append(f"{len(words) - limit} more")
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]


def coefficient(found: Correlation) -> str:
    """Return 'r = +0.71, 95 % interval +0.42 to +0.88, 18 members', or why there is none."""
    if found.n < 3:
        return f"r cannot be computed from {found.n} member{'' if found.n == 1 else 's'}"
    if not math.isfinite(found.pearson):
        return f"r is not defined: one of the two is the same for all {found.n} members"
    interval = ""
    if math.isfinite(found.ci_low):
        interval = f", 95 % interval {signed(found.ci_low)} to {signed(found.ci_high)}"
    return f"r = {signed(found.pearson)}{interval}, {found.n} members"


def verdict(found: Correlation, more: str, less: str, undecided: str) -> str:
    """Choose the sentence that a correlation supports.

    Parameters
    ----------
    found : Correlation
        With the percentile bootstrap interval over members.
    more, less : str
        What is the case if it is positive, or negative.
    undecided : str
        What cannot be told if its interval holds 0 or there is none.

    Returns
    -------
    str
        One or two sentences.
    """
    if found.n < 3 or not math.isfinite(found.ci_low):
        return f"Nothing can be said about whether {undecided}."
    if found.ci_low <= 0.0 <= found.ci_high:
        return f"These members do not tell whether {undecided}: the interval holds 0."
    sentence = f"{more if found.pearson > 0 else less}."
    if found.n < FEW_MEMBERS:
        sentence += f" With {found.n} members the interval itself is uncertain."
    return sentence
