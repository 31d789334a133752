"""The page about timm says what its table holds, and no more."""

from __future__ import annotations

from pathlib import Path

from references import timm_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_what_the_table_gives() -> None:
    rows = timm_page.table_of(DOCS / "timm.csv")
    assert len({(row["model"], row["exporter"]) for row in rows}) == len(rows)
    page = (DOCS / "timm.md").read_text(encoding="utf-8")
    assert page == timm_page.page(rows), "run python tests/references/timm_page.py docs/timm.csv"


def test_where_the_gradient_is_steady_counts_apart() -> None:
    def counts(error: str, steady: str) -> tuple[bool, bool]:
        row = {"status": "done", "error": error, "steady_error": steady}
        return timm_page.agrees(row), timm_page.agrees_where_steady(row)

    assert counts("2e-03", "9e-07") == (False, True)
    assert counts("2e-03", "2e-03") == (False, False)
    assert counts("2e-03", "") == (False, False)
    assert counts("9e-07", "9e-07") == (True, False)


def test_a_wrong_gradient_does_not_count() -> None:
    def verdicts(error: str, in_float64: str = "", ours: str = "", status: str = "done") -> tuple[bool, bool]:
        row = {"status": status, "error": error, "error64": ours, "error_in_float64": in_float64}
        return timm_page.agrees(row), timm_page.agrees_in_float64(row)

    assert verdicts("9e-04") == (True, False)
    assert verdicts("1e-01", "1e-06") == (False, True)
    assert verdicts("1e-01", ours="1e-06") == (False, True)
    assert verdicts("2e-03") == (False, False)
    assert verdicts("2e-03", "2e-03", "2e-03") == (False, False)
    assert verdicts("nan", "nan", "nan") == (False, False)
    assert verdicts("", status="failed") == (False, False)
