from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from consensus_onnx.config import Document, build_settings, check_settings, override, read_yaml, required, setting
from consensus_onnx.errors import ConfigError


@dataclass(frozen=True)
class Superpixels:
    method: Literal["quickshift", "slic"] = setting("quickshift", "Method.")
    sigma: float = setting(1.0, "Blur.", minimum=0)

    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = {"lime": {"sigma": 0.0}, "blurred": {"sigma": 5}}

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class Lime:
    samples: int = setting(1000, "Rows.", minimum=2)
    batch: int = setting(64, "Rows at once.", minimum=1)
    superpixels: Superpixels | None = setting(Superpixels(), "Superpixels.")

    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "lime": {"samples": 500, "superpixels": {"preset": "lime"}},
        "quick": {"samples": 100},
    }

    def __post_init__(self) -> None:
        check_settings(self)
        if self.batch > self.samples:
            raise ValueError(f"Lime.batch: must be <= samples ({self.samples}), got {self.batch}")


@dataclass(frozen=True)
class Audit:
    lime: Lime = setting(Lime(), "LIME.")
    variants: tuple[Lime, ...] = setting((), "More of it.")


@dataclass(frozen=True)
class Input:
    size: tuple[int, int] = setting((224, 224), "Height and width.", minimum=1)
    color: Literal["RGB", "BGR"] = setting("RGB", "Colour order.")


@dataclass(frozen=True)
class Member:
    file: str = required("the model file")
    input: Input = setting(Input(), "Input.")


def problems(cls: type, mapping: object, **arguments: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        build_settings(cls, mapping, source="a.yaml", **arguments)  # type: ignore[arg-type]
    return raised.value.problems


def test_nested_sections_and_lists_of_sections() -> None:
    built = build_settings(Audit, {"lime": {"superpixels": None}, "variants": [{"samples": 70}, None]}, source="a.yaml")
    assert built == Audit(Lime(superpixels=None), (Lime(70), Lime()))


def test_a_preset_lies_under_explicit_keys_at_every_level() -> None:
    assert build_settings(Lime, {"preset": "lime"}, source="") == Lime(500, superpixels=Superpixels(sigma=0))
    assert build_settings(Lime, {"samples": 70, "preset": "lime"}, source="").samples == 70
    mixed = build_settings(Lime, {"preset": "lime", "superpixels": {"method": "slic"}}, source="")
    assert mixed.superpixels == Superpixels("slic", sigma=0)
    other = build_settings(Lime, {"preset": "lime", "superpixels": {"preset": "blurred"}}, source="")
    assert other.superpixels == Superpixels(sigma=5)


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"preset": "lmie"}, "a.yaml: preset: must be one of 'lime', 'quick', got 'lmie'; did you mean 'lime'?"),
        ({"preset": 3}, "a.yaml: preset: must be one of 'lime', 'quick', got 3"),
        ({"superpixels": {"preset": "x"}}, "a.yaml: superpixels.preset: must be one of 'lime', 'blurred', got 'x'"),
        ({"preset": "quick", "batch": 101}, "a.yaml: batch: must be <= samples (100), got 101"),
        ({"samples": 0}, "a.yaml: samples: must be >= 2, got 0"),
        ({"Samples": 9}, "a.yaml: unknown key 'Samples'; did you mean 'samples'?"),
        (3, "a.yaml: must be a mapping of keys to values, got 3"),
    ],
)
def test_one_problem(mapping: object, problem: str) -> None:
    assert problems(Lime, mapping) == (problem,)


def test_a_condition_between_fields_is_told_at_the_line_of_its_field(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("lime:\n  samples: 10\n  batch: 20\n")
    document = read_yaml(path)
    with pytest.raises(ConfigError) as raised:
        build_settings(Audit, document.values, lines=document.lines, source=document.source)
    assert str(raised.value) == f"{path}:3: lime.batch: must be <= samples (10), got 20"


def test_a_part_of_a_document_is_built_under_its_prefix(tmp_path: Path) -> None:
    path = tmp_path / "committee.yaml"
    path.write_text("members:\n- file: a.onnx\n- file: b.onnx\n  input: {size: [0, 3], colour: RGB}\n- input: {}\n")
    document = read_yaml(path)
    told: list[str] = []
    for index, member in enumerate(document.values["members"]):
        try:
            prefix = f"members[{index}]"
            build_settings(Member, member, lines=document.lines, source=document.source, prefix=prefix)
        except ConfigError as error:
            told += error.problems
    assert told == [
        f"{path}:4: members[1].input: unknown key 'colour'; did you mean 'color'?",
        f"{path}:4: members[1].input.size[0]: must be >= 1, got 0",
        f"{path}:5: members[2]: the key 'file' is missing; it must be given (the model file)",
    ]


def test_keys_without_a_line_are_told_at_the_nearest_section() -> None:
    assert problems(Audit, {"lime": {"superpixels": {"sigma": -1}}}, lines={"lime": 7}) == (
        "a.yaml:7: lime.superpixels.sigma: must be >= 0, got -1",
    )


def test_problems_of_command_line_settings_name_the_option() -> None:
    document = override(
        Document({"lime": {"batch": 1}}, {"lime": 1, "lime.batch": 2}, "a.yaml"),
        ["lime.samples=1", "lime.sampels=3", "lime.superpixels={sigma: -1}", "variants=[{samples: 1}]"],
    )
    assert problems(Audit, document.values, lines=document.lines) == (
        "--set lime.sampels: unknown key 'sampels'; did you mean 'samples'?",
        "--set lime.samples: must be >= 2, got 1",
        "--set lime.superpixels: lime.superpixels.sigma: must be >= 0, got -1",
        "--set variants: variants[0].samples: must be >= 2, got 1",
    )


def test_hostile_values_stay_short_and_on_one_line() -> None:
    (told,) = problems(Lime, {"samples": "x\n\x1b[31m" * 100})
    assert len(told) < 160
    assert told.isprintable()
    (told,) = problems(Lime, {"a\nb": 1})
    assert told.isprintable()
