"""The one place where text becomes HTML: everything is escaped, cleaned and clipped unless it is `Markup`."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

TEXT_LIMIT = 600  # characters of any text a model, a file name or a message brings along
MISSING = "–"  # noqa: RUF001  an en dash is what a table shows for a number that does not exist


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return text that cannot disturb a page: no control or direction characters, not longer than `limit`.

    Examples
    --------
    >>> clean("a\\x1b[31mb" + "c" * 20, limit=10)
    'a�[31mbcc…'
    """
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def environment() -> Environment:
    """Return the templates' environment: autoescape on, undefined names are errors, texts cleaned and clipped."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(breakable=breakable, clip=clean, number=number, percent=percent, signed=signed, count=count)
    made.filters.update(p_value=p_value)
    return made


def breakable(text: str, limit: int = 60) -> Markup:
    """Return a cleaned and escaped name that lines may break after its underscores and hyphens."""
    return Markup("").join(
        escape(piece) + (Markup("<wbr>") if piece in ("_", "-", "/") else Markup(""))
        for piece in re.split(r"([_\-/])", clean(text, limit))
    )


def number(value: float | None, decimals: int = 3) -> str:
    """Return a number with so many decimals, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float | None, decimals: int = 2) -> str:
    """Return a number with its sign."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def percent(value: float | None, decimals: int = 1) -> str:
    """Return a share of 0..1 in per cent."""
    return MISSING if value is None or not math.isfinite(value) else f"{100 * value:.{decimals}f} %"


def p_value(p: float) -> str:
    """Return a p-value as people write it.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.00004), p_value(3e-29)
    ('0.031', '4e-05', '3e-29')
    """
    if not math.isfinite(p):
        return number(p)
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """Return '1 image', '18 images', '3,538,984 weights'."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def _finalize(value: Any) -> Any:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
