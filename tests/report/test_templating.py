from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import Markup

from consensus_onnx.report.templating import (
    MISSING,
    TEXT_LIMIT,
    breakable,
    clean,
    count,
    environment,
    number,
    percent,
    signed,
)


@given(st.text(max_size=2000))
def test_cleaned_text_is_printable_and_short(text):
    assert clean(text).isprintable()
    assert len(clean(text)) <= TEXT_LIMIT


@given(st.text(alphabet=st.characters(categories=["L", "N"]), max_size=TEXT_LIMIT))
def test_cleaning_keeps_plain_words(text):
    assert clean(text) == text


def render(source: str, **values: object) -> str:
    return environment().from_string(source).render(**values)


def test_everything_is_escaped_cleaned_and_clipped_unless_it_is_markup():
    assert render("{{ x }}", x="<b>\x1b") == "&lt;b&gt;\N{REPLACEMENT CHARACTER}"
    assert len(render("{{ x }}", x="a" * 5000)) == TEXT_LIMIT
    assert render("{{ x }}", x=Markup("<b>" + "a" * 5000)) == "<b>" + "a" * 5000


def test_undefined_names_are_errors():
    with pytest.raises(UndefinedError, match="nothing_here"):
        render("{{ nothing_here }}")


@given(st.text(max_size=59))
def test_breakable_adds_nothing_but_places_to_break(text):
    assert breakable(text).replace("<wbr>", "") == str(Markup.escape(clean(text, 60)))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (number(0.12345), "0.123"),
        (number(-0.5, 1), "\N{MINUS SIGN}0.5"),
        (number(math.nan), MISSING),
        (number(None), MISSING),
        (signed(0.7), "+0.70"),
        (signed(-0.7), "\N{MINUS SIGN}0.70"),
        (signed(math.inf), MISSING),
        (percent(0.825), "82.5 %"),
        (percent(None), MISSING),
        (count(1, "image"), "1 image"),
        (count(1200, "image"), "1,200 images"),
    ],
)
def test_numbers(made, expected):
    assert made == expected
