"""The page about timm says what its table holds, and no more."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def load_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("timm_page", ROOT / "tests" / "references" / "timm_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_table_gives() -> None:
    with (ROOT / "docs" / "timm.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["model"], row["exporter"]) for row in rows}) == len(rows)
    page = (ROOT / "docs" / "timm.md").read_text(encoding="utf-8")
    assert page == load_page().page(rows, modules=98), "run python tests/references/timm_page.py docs/timm.csv"


def test_a_wrong_gradient_does_not_count() -> None:
    columns = ("error", "error_unoptimised", "best_sample_error", "error64")
    agrees = load_page().agrees
    assert agrees(dict.fromkeys(columns, "") | {"error": "9e-04"})
    assert agrees(dict.fromkeys(columns, "") | {"error": "1e-01", "error64": "1e-06"})
    assert not agrees(dict.fromkeys(columns, "") | {"error": "2e-03"})
    assert not agrees(dict.fromkeys(columns, "nan"))
