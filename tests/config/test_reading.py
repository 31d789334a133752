from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from consensus_onnx.config import build_settings, check_settings, read_yaml, setting
from consensus_onnx.errors import ConfigError


@dataclass(frozen=True)
class Canvas:
    crop: int = setting(224, "Side.", minimum=1)


@dataclass(frozen=True)
class Audit:
    samples: int = setting(1000, "Rows.", minimum=2)
    alpha: float = setting(1.0, "Ridge.", minimum=0)
    sigma: float | Literal["median"] = setting("median", "Width.", above=0)
    fast: bool = setting(False, "Fast.")
    name: str = setting("audit", "Name.")
    sizes: tuple[int, ...] = setting((), "Sizes.", minimum=1)
    canvas: Canvas = setting(Canvas(), "Canvas.")

    def __post_init__(self) -> None:
        check_settings(self)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "audit.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load(path: Path) -> Audit:
    document = read_yaml(path)
    return build_settings(Audit, document.values, lines=document.lines, source=document.source)


DEEP = "\n".join(f"{' ' * depth}k:" for depth in range(40))
BOMB = "a0: &a0 [0,0,0,0,0,0,0,0,0,0]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)

BAD = {
    # name: (text, line, the rest of the one problem)
    "unknown key": ("sampels: 3\n", 1, "unknown key 'sampels'; did you mean 'samples'?"),
    "unknown key, nothing near": (
        "x: 3\n",
        1,
        "unknown key 'x'; known keys: samples, alpha, sigma, fast, name, sizes, canvas",
    ),
    "unknown nested key": ("canvas:\n  corp: 3\n", 2, "canvas: unknown key 'corp'; did you mean 'crop'?"),
    "text for a number": ("samples: many\n", 1, "samples: must be a whole number >= 2, got 'many'"),
    "float for an int": ("samples: 2.5\n", 1, "samples: must be a whole number >= 2, got 2.5"),
    "exponent for an int": ("samples: 1e3\n", 1, "samples: must be a whole number >= 2, got 1000.0; write 1000"),
    "octal": ("samples: 010\n", 1, "samples: must be a whole number >= 2, got '010'"),
    "hexadecimal": ("samples: 0x10\n", 1, "samples: must be a whole number >= 2, got '0x10'"),
    "underscores": ("samples: 1_000\n", 1, "samples: must be a whole number >= 2, got '1_000'"),
    "sexagesimal": ("samples: 1:30\n", 1, "samples: must be a whole number >= 2, got '1:30'"),
    "boolean for a number": ("samples: true\n", 1, "samples: must be a whole number >= 2, got true"),
    "null for a number": ("samples:\n", 1, "samples: must be a whole number >= 2, got null"),
    "out of range": ("\n\nsamples: 1\n", 3, "samples: must be >= 2, got 1"),
    "nan": ("alpha: .nan\n", 1, "alpha: must be a finite number, got nan"),
    "infinity": ("alpha: .inf\n", 1, "alpha: must be a finite number, got inf"),
    "overflow": ("alpha: 1e999\n", 1, "alpha: must be a finite number, got inf"),
    "yes for a boolean": ("fast: yes\n", 1, "fast: must be true or false, got 'yes'; write true"),
    "number for a boolean": ("fast: 1\n", 1, "fast: must be true or false, got 1"),
    "number for text": ("name: 12\n", 1, "name: must be text, got 12"),
    "misspelt word": (
        "sigma: meidan\n",
        1,
        "sigma: must be a number > 0 or 'median', got 'meidan'; did you mean 'median'?",
    ),
    "entry of a list": ("sizes:\n- 3\n- 0\n", 3, "sizes[1]: must be >= 1, got 0"),
    "scalar for a list": ("sizes: 3\n", 1, "sizes: must be a list, each entry a whole number >= 1, got 3"),
    "scalar for a section": ("canvas: 3\n", 1, "canvas: must be a mapping of keys to values, got 3"),
    "list for a section": ("canvas: [3]\n", 1, "canvas: must be a mapping of keys to values, got [3]"),
    "duplicate key": ("samples: 3\n\nsamples: 4\n", 3, "samples: given twice, first on line 1; keep one"),
    "duplicate nested key": (
        "canvas:\n  crop: 3\n  crop: 3\n",
        3,
        "canvas.crop: given twice, first on line 2; keep one",
    ),
    "number as key": ("1: 3\n", 1, "a key must be text, got 1; put it in quotes"),
    "list as key": ("[a]: 3\n", 1, "a key must be text, got a list or mapping; put it in quotes"),
    "merge key": ("canvas: &c {crop: 3}\n<<: *c\n", 2, "merge keys (<<) are not supported; write the values out"),
    "python tag": (
        "name: !!python/object/apply:os.system [true]\n",
        1,
        "the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed; write the plain value",
    ),
    "tag that lies": (
        "samples: !!int abc\n",
        1,
        "the tag 'tag:yaml.org,2002:int' is not allowed; write the plain value",
    ),
    "binary": ("name: !!binary YWJj\n", 1, "the tag 'tag:yaml.org,2002:binary' is not allowed; write the plain value"),
    "unclosed bracket": ("sizes: [1, 2\n", 2, "is not valid YAML: while parsing a flow sequence, expected ',' or ']'"),
    "unclosed quote": ("name: 'abc\n", 2, "is not valid YAML: while scanning a quoted scalar, found unexpected end"),
    "tab": ("canvas:\n\tcrop: 3\n", 2, "is not valid YAML: while scanning for the next token, found character '\\t'"),
    "undefined alias": ("name: *x\n", 1, "is not valid YAML: found undefined alias 'x'"),
    "two documents": (
        "samples: 3\n---\nsamples: 4\n",
        2,
        "is not valid YAML: expected a single document in the stream",
    ),
    "deep nesting": (DEEP, 32, "is not valid YAML: more than 32 levels of nesting"),
    "deep brackets": ("name: " + "[" * 20_000, 1, "is not valid YAML: more than 32 levels of nesting"),
    "recursive alias": ("name: &x [*x]\n", 1, "more than 32 levels of nesting once aliases are expanded"),
    "bomb of aliases": (BOMB, 1, "more than 100000 values once aliases are expanded"),
    "control character": ("samples: 3\nname: a\x00b\n", 2, "the character U+0000 is not allowed in YAML"),
    "not UTF-8": (b"samples: 3\nname: \xff\xfe\n", 2, "is not UTF-8 text (byte 17); save it as UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_yaml_is_one_line_with_file_line_and_key(tmp_path: Path, name: str) -> None:
    text, line, problem = BAD[name]
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(path)
    (told,) = raised.value.problems
    assert told.startswith(f"{path}:{line}: {problem}")
    assert "\n" not in told


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    def problem(path: Path) -> str:
        with pytest.raises(ConfigError) as raised:
            read_yaml(path)
        return str(raised.value)

    assert problem(tmp_path / "no.yaml") == f"{tmp_path / 'no.yaml'}: no such file; check the path"
    assert problem(tmp_path) == f"{tmp_path}: is a folder; give a YAML file"
    os.mkfifo(tmp_path / "pipe")
    assert problem(tmp_path / "pipe").endswith("pipe: is not a regular file; give a YAML file")
    assert problem(write(tmp_path, "#" * 1_000_001)).endswith("is larger than 1 MB; that is not a settings file")
    assert problem(write(tmp_path, "- 1\n")).endswith(
        "must be a mapping of keys to values (`key: value` lines), got a list"
    )
    assert problem(write(tmp_path, "abc\n")).endswith("got a single value")


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "samples: 1\nalpha: -1\ncanvas:\n  corp: 3\n  crop: 0\n")
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert raised.value.problems == (
        f"{path}:1: samples: must be >= 2, got 1",
        f"{path}:2: alpha: must be >= 0, got -1",
        f"{path}:4: canvas: unknown key 'corp'; did you mean 'crop'?",
        f"{path}:5: canvas.crop: must be >= 1, got 0",
    )


def test_scalars_are_read_as_people_mean_them(tmp_path: Path) -> None:
    text = """
a: 1e3
b: -.5
c: 12
d: [true, False, yes, no, on, off, NO]
e: [1:30, 010, 0x1f, 1_000, 2020-01-01, =, 0o7, 1.2.3]
f: [~, null, ]
g: ['1', "true", '']
h: [+3, -0, 1., 1.5e-3, .inf, -.inf]
"""
    assert read_yaml(write(tmp_path, text)).values == {
        "a": 1000.0,
        "b": -0.5,
        "c": 12,
        "d": [True, False, "yes", "no", "on", "off", "NO"],
        "e": ["1:30", "010", "0x1f", "1_000", "2020-01-01", "=", "0o7", "1.2.3"],
        "f": [None, None],
        "g": ["1", "true", ""],
        "h": [3, 0, 1.0, 0.0015, float("inf"), float("-inf")],
    }


def test_every_key_has_its_line(tmp_path: Path) -> None:
    document = read_yaml(
        write(tmp_path, "\ufeffname: x\nmembers:\n- {file: a}\n- file: b\n  input:\n    size: [1,\n      2]\n")
    )
    assert document.lines == {
        "name": 1,
        "members": 2,
        "members[0]": 3,
        "members[0].file": 3,
        "members[1]": 4,
        "members[1].file": 4,
        "members[1].input": 5,
        "members[1].input.size": 6,
        "members[1].input.size[0]": 6,
        "members[1].input.size[1]": 7,
    }


def test_empty_and_commented_out_files_mean_the_defaults(tmp_path: Path) -> None:
    assert load(write(tmp_path, "")) == Audit()
    assert load(write(tmp_path, "# samples: 3\n---\n")) == Audit()
    assert load(write(tmp_path, "canvas:\n  # crop: 3\n")) == Audit()


def test_honest_aliases_are_expanded(tmp_path: Path) -> None:
    assert load(write(tmp_path, "sizes: &s [1, 2]\n")).sizes == (1, 2)
    assert read_yaml(write(tmp_path, "a: &s [1, 2]\nb: *s\n")).values == {"a": [1, 2], "b": [1, 2]}
