from __future__ import annotations

from pathlib import Path

import pytest

from consensus_onnx.errors import ImageError
from consensus_onnx.images import read_dataset


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"not decoded here")
    return folder


def labels_of(folder: Path, **options: object) -> dict[str, int | None]:
    return {item.name: item.label for item in read_dataset(folder, **options).items}  # type: ignore[arg-type]


def problem(folder: Path, **options: object) -> str:
    with pytest.raises(ImageError) as raised:
        read_dataset(folder, **options)  # type: ignore[arg-type]
    return str(raised.value)


def test_numbers_are_labels(tmp_path: Path) -> None:
    make(tmp_path, "10/a.png", "2/b.png", "007/deep/c.png", ".git/d.png", "__MACOSX/e.png")
    assert labels_of(tmp_path) == {"007/deep/c.png": 7, "10/a.png": 10, "2/b.png": 2}
    assert read_dataset(tmp_path).notices == ()
    assert problem(tmp_path, classes=8) == f"{tmp_path / '10'}: label 10 is outside 0..7 (8 classes)"


def test_numbers_that_are_the_same_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "1/a.png", "01/b.png")
    assert problem(tmp_path) == f"{tmp_path}: class folders '01', '1' are the same label; join them"


def test_names_are_looked_up(tmp_path: Path) -> None:
    make(tmp_path, "data/n01443537/a.png", "data/n01440764/b.png")
    (tmp_path / "synsets.txt").write_text("n01440764 tench\nn01443537 goldfish\nn01484850 great white shark\n")
    folder = tmp_path / "data"
    assert labels_of(folder, classes=tmp_path / "synsets.txt") == {"n01440764/b.png": 0, "n01443537/a.png": 1}
    make(folder, "n0144076/c.png")
    assert problem(folder, classes=tmp_path / "synsets.txt") == (
        f"{folder / 'n0144076'}: no label for class folder 'n0144076': "
        f"{tmp_path / 'synsets.txt'} does not list it; did you mean 'n01440764'?"
    )


def test_a_part_of_the_classes_is_never_numbered(tmp_path: Path) -> None:
    make(tmp_path, "n01443537/a.png", "n01440764/b.png")
    for options, known in (({}, "2 class folders"), ({"classes": 1000}, "2 class folders, 1000 classes")):
        data = read_dataset(tmp_path, **options)  # type: ignore[arg-type]
        assert [item.label for item in data.items] == [None, None]
        assert data.notices == (
            f"{tmp_path}: labels unknown ({known}): give --classes FILE, one class name per line in the order of the "
            "labels, or name the folders by label number",
        )


def test_all_classes_are_numbered_in_sorted_order_with_a_notice(tmp_path: Path) -> None:
    make(tmp_path, "dog/a.png", "Ant/b.png", "cat/c.png")
    assert labels_of(tmp_path, classes=3) == {"Ant/b.png": 0, "cat/c.png": 1, "dog/a.png": 2}
    assert read_dataset(tmp_path, classes=3).notices == (
        f"{tmp_path}: labels are the places of the 3 class folders in sorted order: 'Ant' is 0",
    )


def test_a_thousand_wordnet_ids_are_imagenet(tmp_path: Path) -> None:
    for index in range(1000):
        (tmp_path / f"n{index * 7:08d}").mkdir()
    make(tmp_path, "n00000070/a.png")
    data = read_dataset(tmp_path)
    assert [item.label for item in data.items] == [10]
    assert data.notices[1].startswith(f"{tmp_path}: 999 class folders without pictures: 'n00000000', ")
    (tmp_path / "n99999999").mkdir()
    assert [item.label for item in read_dataset(tmp_path).items] == [None]


def test_linked_class_folders_are_read(tmp_path: Path) -> None:
    make(tmp_path, "store/x/a.png", "data/0/b.png")
    (tmp_path / "data" / "1").symlink_to(tmp_path / "store" / "x")
    assert labels_of(tmp_path / "data") == {"0/b.png": 0, "1/a.png": 1}
