from __future__ import annotations

from pathlib import Path

import pytest

from consensus_onnx.errors import ImageError
from consensus_onnx.images import Item, read_dataset


def make(folder: Path, table: str, *names: str) -> tuple[Path, Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"not decoded here")
    (folder / "labels.csv").write_text(table)
    return folder / "images", folder / "labels.csv"


def problem(*arguments: object, **options: object) -> str:
    with pytest.raises(ImageError) as raised:
        read_dataset(*arguments, **options)  # type: ignore[arg-type]
    return str(raised.value)


def test_rows_say_what_belongs_to_the_data_set(tmp_path: Path) -> None:
    images, table = make(
        tmp_path,
        "file,label,split\nsub/b.jpg,2,test\na.png,0,train\nc.png,,\n",
        "images/a.png",
        "images/sub/b.jpg",
        "images/c.png",
        "images/x.png",
        "images/y.png",
    )
    data = read_dataset(images, table, classes=3)
    assert data.items == (
        Item("a.png", images / "a.png", 0, split="train"),
        Item("c.png", images / "c.png"),
        Item("sub/b.jpg", images / "sub/b.jpg", 2, split="test"),
    )
    assert data.notices == (
        f"{table}: left out 2 pictures without a row: 'x.png', 'y.png'",
        f"{table}: 1 picture without a label",
    )


def test_a_table_in_the_folder_is_used(tmp_path: Path) -> None:
    make(tmp_path, "file,label\nimages/a.png,2\n", "images/a.png")
    data = read_dataset(tmp_path)
    assert [(item.name, item.label) for item in data.items] == [("images/a.png", 2)]
    assert data.notices == (f"{tmp_path}: labels are those of its labels.csv",)


@pytest.mark.parametrize(
    ("mask", "place"), [("m/a.png", "m/a.png"), ("a.png", "masks/a.png"), ("b.png", "images/b.png"), ("c.png", "c.png")]
)
def test_masks_are_looked_for_beside_the_table_and_the_pictures(tmp_path: Path, mask: str, place: str) -> None:
    table = f"file,label,mask\nx.jpg,0,{mask}\n"
    images, csv = make(tmp_path, table, "images/x.jpg", place)
    (item,) = read_dataset(images, csv).items
    assert item.mask == tmp_path / place


def test_a_mask_folder_is_the_only_place_if_given(tmp_path: Path) -> None:
    images, csv = make(tmp_path, "file,label,mask\nx.jpg,0,a.png\n", "images/x.jpg", "masks/a.png", "other/b.png")
    assert problem(images, csv, masks=tmp_path / "other") == f"{csv}:2: no mask 'a.png' in {tmp_path / 'other'}"
    assert read_dataset(images, csv, masks=tmp_path / "masks").items[0].mask == tmp_path / "masks/a.png"


def test_a_missing_mask_names_row_and_places(tmp_path: Path) -> None:
    images, csv = make(tmp_path, "file,label,mask\nx.jpg,0,a.png\n", "images/x.jpg")
    assert problem(images, csv) == f"{csv}:2: no mask 'a.png' in {tmp_path} or {tmp_path / 'masks'} or {images}"


def test_missing_pictures_are_told_with_their_rows(tmp_path: Path) -> None:
    images, csv = make(
        tmp_path, "file,label\nphoto1.jpg,0\nphotoo2.jpg,0\nq.png,0\n", "images/photo1.jpg", "images/photo2.jpg"
    )
    assert problem(images, csv).split("\n") == [
        f"{csv}:3: no file 'photoo2.jpg' in {images}; did you mean 'photo2.jpg'?",
        f"{csv}:4: no file 'q.png' in {images}",
    ]


@pytest.mark.parametrize(
    ("row", "hint"),
    [
        ("a.png", "it has 'sub/a.png': files are relative to the image folder, perhaps that is {images}/sub"),
        ("a", "it has 'sub/a.png': give file names with their suffix"),
        ("q.png", "it has 'sub/a.png', 'sub/b.png', 'sub/c.png' and 1 more: check the image folder"),
    ],
)
def test_a_table_of_another_folder_is_told_in_one_line(tmp_path: Path, row: str, hint: str) -> None:
    names = [f"images/sub/{name}.png" for name in "abcd"]
    images, csv = make(tmp_path, f"file,label\n{row},0\nzzz.png,0\n", *names)
    text = f"{csv}:2: no file {row!r} in {images}, nor that of any other row; {hint.format(images=images)}"
    assert problem(images, csv) == text


def test_names_of_classes_become_labels(tmp_path: Path) -> None:
    images, csv = make(tmp_path, "file,label\na.png,cat\nb.png,0\n", "images/a.png", "images/b.png")
    (tmp_path / "names.txt").write_text("dog\ncat\n")
    data = read_dataset(images, csv, classes=tmp_path / "names.txt")
    assert [item.label for item in data.items] == [1, 0]
    assert data.class_names == ("dog", "cat")
