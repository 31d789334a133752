from __future__ import annotations

import pytest

from consensus_onnx.config import Document, override
from consensus_onnx.errors import ConfigError


def values(*items: str, base: dict[str, object] | None = None) -> dict[str, object]:
    return override(Document(base or {}, {}, "a.yaml"), items).values


def test_values_are_read_as_yaml() -> None:
    assert values("a=1", "b=1e3", "c=no", "d=null", "e=[1, x]", "f={g: 2}", "h=a=b", "i='1'", "j=") == {
        "a": 1,
        "b": 1000.0,
        "c": "no",
        "d": None,
        "e": [1, "x"],
        "f": {"g": 2},
        "h": "a=b",
        "i": "1",
        "j": None,
    }


def test_sections_are_created_and_later_items_win() -> None:
    assert values("a.b.c=1", "a.b.c=2", "a.d=3", "e.f=4", base={"a": {"b": {"x": 0}}, "e": None}) == {
        "a": {"b": {"x": 0, "c": 2}, "d": 3},
        "e": {"f": 4},
    }


def test_the_document_given_is_not_changed() -> None:
    document = Document({"a": {"b": 1}}, {"a": 1, "a.b": 2}, "a.yaml")
    changed = override(document, ["a.b=2"])
    assert document == Document({"a": {"b": 1}}, {"a": 1, "a.b": 2}, "a.yaml")
    assert changed == Document({"a": {"b": 2}}, {"a": 1, "a.b": "--set a.b"}, "a.yaml")


def test_lines_of_replaced_values_are_forgotten() -> None:
    document = Document({"a": {"b": [1]}}, {"a": 1, "a.b": 2, "a.b[0]": 3, "ab": 4}, "a.yaml")
    assert override(document, ["a={b: [0]}"]).lines == {"a": "--set a", "ab": 4}


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("samples", "--set 'samples': must be dotted.key=value, for example --set lime.samples=200"),
        ("=3", "--set '=3': must be dotted.key=value, for example --set lime.samples=200"),
        ("a..b=3", "--set 'a..b=3': must be dotted.key=value, for example --set lime.samples=200"),
        ("a[0]=3", "--set 'a[0]=3': must be dotted.key=value, for example --set lime.samples=200"),
        ("a.b=[1", "--set a.b: is not valid YAML: while parsing a flow sequence, expected ',' or ']', but got"),
        ("n.b=3", "--set n.b: 'n' is 5, not a section that can hold keys"),
        ("a.b={c: 1, c: 2}", "--set a.b: c: given twice; keep one"),
        (
            "a.b=!!python/name:os.system x",
            "--set a.b: the tag 'tag:yaml.org,2002:python/name:os.system' is not allowed",
        ),
    ],
)
def test_bad_items_are_told(item: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        values(item, base={"n": 5})
    (told,) = raised.value.problems
    assert told.startswith(problem)


def test_all_bad_items_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        values("x", "n.b=1", "ok=1", base={"n": 5})
    assert len(raised.value.problems) == 2
