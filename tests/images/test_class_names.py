from __future__ import annotations

from pathlib import Path

import pytest

from consensus_onnx.errors import ImageError
from consensus_onnx.images.class_names import LabelSpace, read_label_space


def test_names_counts_and_nothing(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(b"\xef\xbb\xbfn01440764 tench, Tinca tinca\r\nn01443537 goldfish\r\n\r\n")
    space = read_label_space(path)
    assert space.names == ("n01440764 tench, Tinca tinca", "n01443537 goldfish")
    assert space.count == 2
    assert space.find("n01443537") == 1
    assert space.find("n01443537 goldfish") == 1
    assert space.find("goldfish") is None
    assert read_label_space(["a", "b"]).find("b") == 1
    assert read_label_space(7) == LabelSpace(7)
    assert read_label_space(None) == LabelSpace()


def test_a_first_word_that_is_no_wordnet_id_is_not_a_name() -> None:
    assert read_label_space(["great white shark", "great grey owl"]).find("great") is None


def test_labels_outside_are_told() -> None:
    assert LabelSpace(3).outside(2) == ""
    assert LabelSpace(3).outside(5) == "label 5 is outside 0..2 (3 classes)"
    assert LabelSpace(3).outside(3).endswith("labels count from 0, subtract 1 from all of them")
    assert LabelSpace().outside(10**8) == ""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty; expected one class name per line"),
        (b"\n \n", "is empty; expected one class name per line"),
        (b"a\n\nb\n", ":2: is an empty line; expected one class name per line"),
        (b"a\n\xff\n", ":2: is not UTF-8 text (byte 2); save it as UTF-8"),
    ],
)
def test_bad_files_of_names(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(ImageError) as raised:
        read_label_space(path)
    assert str(raised.value).startswith(str(path))
    assert str(raised.value).endswith(problem)


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(ImageError, match="the number of classes must be >= 1, got 0"):
        read_label_space(0)
