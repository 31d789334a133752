from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from consensus_onnx.config import build_settings, document_yaml, read_yaml, required, setting, to_mapping, yaml_text
from consensus_onnx.config.reading import parse_yaml


@dataclass(frozen=True)
class Superpixels:
    method: Literal["quickshift", "slic"] = setting("quickshift", "How the canvas is divided.")
    sigma: float = setting(1e-7, "Gaussian blur before dividing, in pixels.", minimum=0, below=100)

    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = {"paper": {"sigma": 1.0}, "lime": {"sigma": 0.0}}


@dataclass(frozen=True)
class Audit:
    samples: int = setting(
        1000, "Random on/off rows per picture. " + "Long text is wrapped at a width. " * 5, minimum=2
    )
    name: str = setting("no", "A name that YAML 1.1 would read as false.")
    size: tuple[int, int] | None = setting((224, 224), "Height and width.", minimum=1)
    limit: int | None = setting(None, "The first pictures only.", minimum=1)
    vote: str = setting("mean", "How to vote.", choices=("mean", "median"))
    fast: bool = setting(False, "Whether to hurry.")
    superpixels: Superpixels = setting(Superpixels(), "Superpixels of the canvas.")
    variants: tuple[Superpixels, ...] = setting((Superpixels("slic"),), "Other superpixels.")


@dataclass(frozen=True)
class Member:
    file: str = required("The model file.")
    family: str = setting("", "The family.")


def test_the_documented_text_is_readable() -> None:
    assert (
        document_yaml(Audit)
        == """\
# Random on/off rows per picture. Long text is wrapped at a width. Long text is wrapped at a width.
# Long text is wrapped at a width. Long text is wrapped at a width. Long text is wrapped at a width.
# (a whole number >= 2)
samples: 1000

# A name that YAML 1.1 would read as false. (text)
name: 'no'

# Height and width. (a list of 2: each a whole number >= 1, or null)
size: [224, 224]

# The first pictures only. (a whole number >= 1, or null)
limit: null

# How to vote. (one of 'mean', 'median')
vote: mean

# Whether to hurry. (true or false)
fast: false

# Superpixels of the canvas.
superpixels:
  # `preset: paper` or `preset: lime` sets several keys at once; keys given beside it win.
  # How the canvas is divided. (one of 'quickshift', 'slic')
  method: quickshift
  # Gaussian blur before dividing, in pixels. (a number >= 0 and < 100)
  sigma: 1.0e-07

# Other superpixels. (a list, each entry a mapping of keys to values)
variants:
- method: slic
  sigma: 1.0e-07
"""
    )


def test_the_documented_text_reads_back_as_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "default.yaml"
    path.write_text(document_yaml(Audit))
    document = read_yaml(path)
    assert build_settings(Audit, document.values, lines=document.lines, source=document.source) == Audit()
    # The comparison can fail: one changed value is seen.
    path.write_text(document_yaml(Audit).replace("samples: 1000", "samples: 1001"))
    assert build_settings(Audit, read_yaml(path).values, source="") != Audit()


def test_other_yaml_readers_see_the_same_values() -> None:
    assert yaml.safe_load(document_yaml(Audit)) == to_mapping(Audit())


def test_keys_without_default_are_comments() -> None:
    assert (
        document_yaml(Member)
        == "# The model file. (text)\n# file: ...   # must be given\n\n# The family. (text)\nfamily: ''\n"
    )


def test_a_mapping_builds_the_same_settings() -> None:
    settings = Audit(samples=3, size=None, superpixels=Superpixels("slic", 2.5), variants=())
    assert build_settings(Audit, to_mapping(settings), source="") == settings


# YAML has no place for surrogates and most control characters; PyYAML writes the rest escaped.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
TRICKY = st.sampled_from(
    ["no", "1e3", "010", "1:30", "~", "", "null", "=", "<<", "2020-01-01", "- a", "a: b", "#", " x", "é\n"]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**29), 10**29), st.floats(allow_nan=False), TEXTS, TRICKY)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(TEXTS.filter(lambda key: key != "<<"), VALUES, max_size=4))
def test_any_plain_values_survive_writing_and_reading(values: dict[str, Any]) -> None:
    read = parse_yaml(yaml_text(values), "text").values
    assert repr(read) == repr(values)


@pytest.mark.parametrize("text", ["no", "1e3", "010", "1:30", "true", "~", "", "12", "2020-01-01"])
def test_texts_that_look_like_something_else_are_quoted(text: str) -> None:
    assert yaml_text({"key": text}) == f"key: '{text}'\n"
