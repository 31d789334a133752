from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus_onnx.config import check_settings, required, setting, to_mapping


@dataclass(frozen=True)
class Inner:
    side: int = setting(3, "Side.", minimum=1)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class Settings:
    count: int = setting(10, "Count.", minimum=2, maximum=100)
    level: float = setting(0.1, "Level.", above=0, below=1)
    width: float | Literal["median"] | None = setting(None, "Width.", above=0)
    kind: Literal["a", "b", 3] = setting("a", "Kind.")
    method: str = setting("mean", "Method.", choices=("mean", "median"))
    size: tuple[int, int] | None = setting((1, 2), "Size.", minimum=1)
    free: float = setting(0.0, "May be infinite.", finite=False)
    many: tuple[Inner, ...] = setting((), "Many.")
    inner: Inner = setting(Inner(), "Inner.")

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class Unsupported:
    values: dict[str, int] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("count", 1, "must be >= 2 and <= 100, got 1"),
        ("count", 101, "must be >= 2 and <= 100, got 101"),
        ("count", True, "must be a whole number >= 2 and <= 100, got true"),
        ("count", 3.0, "must be a whole number >= 2 and <= 100, got 3.0; write 3"),
        ("count", None, "must be a whole number >= 2 and <= 100, got null"),
        ("level", 0, "must be > 0 and < 1, got 0"),
        ("level", 1.0, "must be > 0 and < 1, got 1.0"),
        ("level", math.nan, "must be a finite number, got nan"),
        ("level", 10**400, "must be a finite number, got 1" + "0" * 56 + "..."),
        ("level", "0.5", "must be a number > 0 and < 1, got '0.5'"),
        ("width", -1, "must be > 0, got -1"),
        ("width", "medain", "must be a number > 0 or 'median', or null, got 'medain'; did you mean 'median'?"),
        ("kind", "c", "must be one of 'a', 'b', 3, got 'c'"),
        ("kind", 3.0, "must be one of 'a', 'b', 3, got 3.0"),
        ("method", "Mean", "must be one of 'mean', 'median', got 'Mean'; did you mean 'mean'?"),
        ("size", (1, 2, 3), "must be a list of 2: each a whole number >= 1, got (1, 2, 3)"),
        ("size", 5, "must be a list of 2: each a whole number >= 1, or null, got 5"),
        ("many", (Inner(), 3), "must be a mapping of keys to values, got 3"),
        ("inner", 3, "must be a mapping of keys to values, got 3"),
        ("inner", {"side": 3}, "must be an instance of Inner, got a mapping of 1"),
    ],
)
def test_bad_values_are_refused_by_name(name: str, value: object, problem: str) -> None:
    with pytest.raises(ValueError, match="Settings") as raised:
        Settings(**{name: value})
    place = {"many": "many[1]"}.get(name, name)
    assert str(raised.value) == f"Settings.{place}: {problem}"


def test_all_bad_fields_are_told() -> None:
    with pytest.raises(ValueError, match=r"^Settings\.count: .*; Settings\.level: .*; Settings\.size\[1\]: .*$"):
        Settings(count=0, level=2, size=(1, 0))


def test_good_values_take_their_exact_form() -> None:
    settings = Settings(
        count=np.int64(5),
        level=np.float32(0.5),
        width=2,
        size=[3, 4],
        free=math.inf,
        many=[Inner(2)],  # type: ignore[arg-type]
    )
    assert to_mapping(settings) == {
        "count": 5,
        "level": 0.5,
        "width": 2.0,
        "kind": "a",
        "method": "mean",
        "size": [3, 4],
        "free": math.inf,
        "many": [{"side": 2}],
        "inner": {"side": 3},
    }
    assert type(settings.count) is int
    assert type(settings.level) is float
    assert type(settings.width) is float
    assert settings.size == (3, 4)
    assert hash(settings) == hash(Settings(5, 0.5, 2.0, size=(3, 4), free=math.inf, many=(Inner(2),)))


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_a_checked_count_is_an_int_within_its_limits(value: Any) -> None:
    is_good = type(value) is int and 2 <= value <= 100
    if is_good:
        assert Settings(count=value).count == value
    else:
        with pytest.raises(ValueError, match=r"^Settings\.count: must be [^\n]{1,140}$"):
            Settings(count=value)


def test_required_fields_have_no_default() -> None:
    @dataclass(frozen=True)
    class Member:
        file: str = required("The model file.")

    with pytest.raises(TypeError, match="file"):
        Member()


def test_a_settings_class_of_an_unsupported_type_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match=r"settings cannot hold dict\[str, int\]"):
        check_settings(Unsupported())
