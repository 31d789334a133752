from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus_onnx.errors import ImageError
from consensus_onnx.images.class_names import LabelSpace
from consensus_onnx.images.labels_csv import Row, read_labels

NAMES = LabelSpace(4, ("tench", "gold fish", "crane", "crane"), "names.txt")
PATHS = "must be a path inside the folder, without a leading / and without .."

BAD: dict[str, tuple[str | bytes, int | None, str]] = {
    # name: (table, line, the problem)
    "empty": ("", None, "is empty; expected a header `file,label` and one row per picture"),
    "blank lines": ("\n\n", None, "is empty; expected a header `file,label` and one row per picture"),
    "header alone": ("file,label\n", None, "has a header but no rows; expected one row per picture"),
    "no header": ("a.jpg,3\n", 1, "the header must name the columns file and label, got 'a.jpg', '3'"),
    "other names": (
        "image,label\na.jpg,3\n",
        1,
        "the header must name the columns file and label, got 'image', 'label'",
    ),
    "semicolons": (
        "file;label\na.jpg;3\n",
        1,
        "the header must name the columns file and label, got 'file;label'; columns are separated by commas, not ';'",
    ),
    "tabs": (
        "file\tlabel\na.jpg\t3\n",
        1,
        "the header must name the columns file and label, got 'file\\tlabel'; columns are separated by commas",
    ),
    "column twice": ("file,label,label\na.jpg,3,3\n", 1, "the header names the column 'label' 2 times; keep one"),
    "short row": (
        "file,label,mask\na.jpg,3\n",
        2,
        "has 2 fields, the header has 3; put fields that hold commas in double quotes",
    ),
    "long row": (
        "file,label\na.jpg,3\nb,c.jpg,3\n",
        3,
        "has 3 fields, the header has 2; put fields that hold commas in double",
    ),
    "unclosed quote": (
        'file,label\n"a.jpg,3\nb.jpg,3\nc.jpg,3\n',
        2,
        "is not valid CSV (a double quote is not closed); correct this row",
    ),
    "quote closed rows later": (
        'file,label\n"a.jpg,3\nb.jpg",3\nc.jpg,3\n',
        2,
        "a quoted field runs over several lines; close its double quote",
    ),
    "text after a quote": ('file,label\n"a"b.jpg,3\n', 2, "is not valid CSV ("),
    "huge field": (f"file,label\n{'a' * 140_000},3\n", 2, "is not valid CSV ("),
    "duplicate": (
        "file,label\na.jpg,3\nb.jpg,3\n./a.jpg,2\n",
        4,
        "file 'a.jpg' is given twice, first on line 2; keep one row",
    ),
    "no file": ("file,label\n ,3\n", 2, "file is empty; expected the path of a picture in the image folder"),
    "absolute file": ("file,label\n/etc/passwd,3\n", 2, f"file '/etc/passwd' {PATHS}"),
    "file outside": ("file,label\nx/../../a.jpg,3\n", 2, f"file 'x/../../a.jpg' {PATHS}"),
    "mask outside": ("file,label,mask\na.jpg,3,../m.png\n", 2, f"mask '../m.png' {PATHS}"),
    "dot": ("file,label\n.,3\n", 2, f"file '.' {PATHS}"),
    "control character": ("file,label\na\x1b[31m.jpg,3\n", 2, "file 'a\\x1b[31m.jpg' holds control characters"),
    "null byte": ("file,label\na\x00.jpg,3\n", 2, "file 'a\\x00.jpg' holds control characters"),
    "float": ("file,label\na.jpg,3.0\n", 2, "label '3.0' must be a whole number; write 3"),
    "fraction": (
        "file,label\na.jpg,2.5\n",
        2,
        "label '2.5' must be a whole number >= 0; leave it empty where it is not known",
    ),
    "negative": (
        "file,label\na.jpg,-1\n",
        2,
        "label '-1' must be a whole number >= 0; leave it empty where it is not known",
    ),
    "very long number": (f"file,label\na.jpg,{'9' * 5000}\n", 2, f"label '{'9' * 57}...' must be a whole number >= 0"),
    "other digits": (
        "file,label\na.jpg,\u0663\n",
        2,
        "label '\u0663' is not a whole number and not a known class name",
    ),
    "out of range": ("file,label\na.jpg,17\n", 2, "label 17 is outside 0..3 (4 classes)"),
    "counted from 1": (
        "file,label\na.jpg,4\n",
        2,
        "label 4 is outside 0..3 (4 classes); labels count from 0, subtract 1 from all",
    ),
    "misspelt name": (
        "file,label\na.jpg,tensh\n",
        2,
        "label 'tensh' is not a whole number and not a known class name; "
        "names.txt does not list it; did you mean 'tench'?",
    ),
    "ambiguous name": (
        "file,label\na.jpg,crane\n",
        2,
        "label 'crane' is not a whole number and not a known class name; "
        "names.txt has it 2 times (lines 3 and 4); use label numbers",
    ),
    "not UTF-8": (b"file,label\nb.jpg,1\n\xe9.jpg,3\n", 3, "is not UTF-8 text (byte 19); save it as UTF-8"),
    "lfs pointer": (
        "version https://git-lfs.github.com/spec/v1\n",
        None,
        "is a Git LFS pointer, not the table itself; run",
    ),
}


def write(folder: Path, table: str | bytes) -> Path:
    path = folder / "labels.csv"
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    return path


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_one_line_with_file_row_and_cause(tmp_path: Path, name: str) -> None:
    table, line, problem = BAD[name]
    path = write(tmp_path, table)
    with pytest.raises(ImageError) as raised:
        read_labels(path, NAMES)
    place = path if line is None else f"{path}:{line}"
    assert str(raised.value).startswith(f"{place}: {problem}")
    assert "\n" not in str(raised.value)


def test_names_without_a_list_of_classes_say_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(
        ImageError, match=r"csv:2: label 'tench' is not .*; give --classes FILE, one class name per line"
    ):
        read_labels(write(tmp_path, "file,label\na.jpg,tench\n"), LabelSpace(1000))


def test_missing_tables_and_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"no\.csv: no such file; check the path"):
        read_labels(tmp_path / "no.csv", NAMES)
    with pytest.raises(ImageError, match="is not a file; check the path"):
        read_labels(tmp_path, NAMES)


def test_the_first_problems_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "file,label\n" + "".join(f"{index}.jpg,9\n" for index in range(20)))
    with pytest.raises(ImageError) as raised:
        read_labels(path, NAMES)
    lines = str(raised.value).split("\n")
    assert lines[0] == f"{path}:2: label 9 is outside 0..3 (4 classes)"
    assert lines[4] == f"{path}:6: label 9 is outside 0..3 (4 classes)"
    assert lines[5:] == [f"{path}: and 15 more problems"]


def test_good_tables(tmp_path: Path) -> None:
    table = (
        "\ufefflabel, File ,extra,mask,split\r\n"
        '1,"a,b.jpg","x ""y""",m/a.png,test\r\n'
        "\r\n"
        "gold fish,./sub//c d.jpg,,,\r\n"
        ",e.jpg,,,train\r\n"
    )
    assert read_labels(write(tmp_path, table), NAMES) == (
        Row(2, "a,b.jpg", 1, "m/a.png", "test"),
        Row(4, "sub/c d.jpg", 1, None, None),
        Row(5, "e.jpg", None, None, "train"),
    )


FILES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="/"), min_size=1, max_size=8
)


@given(st.dictionaries(FILES.filter(lambda file: file not in (".", "..")), st.integers(0, 3), min_size=1, max_size=8))
def test_what_a_csv_writer_writes_is_read_back(rows: dict[str, int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "labels.csv")
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "label"])
            writer.writerows(rows.items())
        read = read_labels(path, LabelSpace(4))
    assert {row.file: row.label for row in read} == rows
    assert [row.line for row in read] == list(range(2, len(rows) + 2))
