"""docs/operators.md is what `make docs` would write."""

from __future__ import annotations

from pathlib import Path

from consensus_onnx.gradients import supported_operators
from consensus_onnx.gradients.expansion import expanded_operators
from gradients.operator_page import operator_page

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == operator_page(), "run `make docs`"


def test_everything_that_is_supported_is_on_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for domain, name, *_ in (*supported_operators(), *expanded_operators()):
        assert f"`{f'{domain}.{name}'.lstrip('.')}`" in text
