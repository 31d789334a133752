from __future__ import annotations

from pathlib import Path

import pytest

from consensus_onnx.errors import ImageError
from consensus_onnx.images import Item, read_dataset


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


CUB = {
    "images.txt": "1 001.Black/b_1.jpg\n2 001.Black/b_2.jpg\n3 002.Laysan/a_1.jpg\n",
    "image_class_labels.txt": "1 1\n2 1\n3 2\n",
    "train_test_split.txt": "1 0\n2 1\n3 1\n",
    "classes.txt": "1 001.Black\n2 002.Laysan\n",
    "images/001.Black/b_1.jpg": "",
    "images/001.Black/b_2.jpg": "",
    "images/002.Laysan/a_1.jpg": "",
    "segmentations/001.Black/b_1.png": "",
    "segmentations/002.Laysan/a_1.png": "",
}
FOOD = {
    "meta/classes.txt": "apple_pie\nbeignets\n",
    "meta/train.txt": "beignets/2\n",
    "meta/test.txt": "apple_pie/1\n",
    "images/apple_pie/1.jpg": "",
    "images/beignets/2.jpg": "",
}


def test_cub(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path, CUB), classes=200)
    images, masks = tmp_path / "images", tmp_path / "segmentations"
    assert data.items == (
        Item("images/001.Black/b_1.jpg", images / "001.Black/b_1.jpg", 0, masks / "001.Black/b_1.png", "test"),
        Item("images/001.Black/b_2.jpg", images / "001.Black/b_2.jpg", 0, None, "train"),
        Item("images/002.Laysan/a_1.jpg", images / "002.Laysan/a_1.jpg", 1, masks / "002.Laysan/a_1.png", "train"),
    )
    assert data.class_names == ("001.Black", "002.Laysan")
    assert data.notices == (
        f"{tmp_path}: read as CUB-200-2011: labels are its class numbers less 1",
        f"{masks}: 1 picture of 3 without a mask",
    )


def test_cub_masks_may_lie_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "CUB", {name: text for name, text in CUB.items() if not name.startswith("seg")})
    assert all(item.mask is None for item in read_dataset(tmp_path / "CUB").items)
    write(tmp_path, {"segmentations/001.Black/b_2.png": "", "m/001.Black/b_1.png": ""})
    assert [item.mask is None for item in read_dataset(tmp_path / "CUB").items] == [True, False, True]
    masked = read_dataset(tmp_path / "CUB", masks=tmp_path / "m").items
    assert [item.mask is None for item in masked] == [False, True, True]


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("images.txt", "1 001.Black/gone.jpg\n", "images.txt: no file 'images/001.Black/gone.jpg' in {} (picture 1)"),
        ("images.txt", "1 ../../../etc/passwd\n", "images.txt: no file 'images/../../../etc/passwd' in {} (picture 1)"),
        ("images.txt", "", "images.txt: lists no pictures; unpack the data set again"),
        ("images.txt", "1\n", "images.txt:1: expected a new number and a text, got '1'"),
        ("images.txt", "1 a\n1 b\n", "images.txt:2: expected a new number and a text, got '1 b'"),
        (
            "image_class_labels.txt",
            "1 1\n2 0\n3 2\n",
            "image_class_labels.txt: picture 2 must have a class from 1, got '0'",
        ),
        ("image_class_labels.txt", "1 1\n2 1\n", "image_class_labels.txt: picture 3 must have a class from 1, got ''"),
    ],
)
def test_damaged_cub_is_told(tmp_path: Path, file: str, text: str, told: str) -> None:
    write(tmp_path, {**CUB, file: text})
    with pytest.raises(ImageError) as raised:
        read_dataset(tmp_path)
    assert str(raised.value) == f"{tmp_path}/{told.format(tmp_path)}"


def test_food101(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path, FOOD))
    assert [(item.name, item.label, item.split) for item in data.items] == [
        ("images/apple_pie/1.jpg", 0, "test"),
        ("images/beignets/2.jpg", 1, "train"),
    ]
    assert data.class_names == ("apple_pie", "beignets")
    write(tmp_path, {"meta/test.txt": "apple_pie/1\ncake/3\n"})
    with pytest.raises(ImageError, match=r"test\.txt:2: no file 'images/cake/3\.jpg' of a known class"):
        read_dataset(tmp_path)


def test_published_labels_are_held_to_the_classes(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a_1\.jpg: label 1 is outside 0\.\.0 \(1 classes\)"):
        read_dataset(write(tmp_path, CUB), classes=1)
