from __future__ import annotations

import os
from pathlib import Path

import pytest

from consensus_onnx.errors import ImageError
from consensus_onnx.images import Dataset, Item, read_dataset


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"not decoded here")
    return folder


def labels_of(data: Dataset) -> dict[str, int | None]:
    return {item.name: item.label for item in data.items}


def problem(*arguments: object, **options: object) -> str:
    with pytest.raises(ImageError) as raised:
        read_dataset(*arguments, **options)  # type: ignore[arg-type]
    return str(raised.value)


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPEG", "a.png", "c.webp", "d.bmp", ".hidden.png", "._a.png", "notes.txt", "x.gif", "sub/z.png")
    (tmp_path / "e.jpg").symlink_to(tmp_path / "a.png")
    data = read_dataset(str(tmp_path))
    assert data.items == tuple(Item(name, tmp_path / name) for name in ("a.png", "b.JPEG", "c.webp", "d.bmp", "e.jpg"))
    assert data.notices == (
        f"{tmp_path}: left out 2 files without a picture's suffix (1 .gif, 1 .txt)",
        f"{tmp_path}: left out 1 sub-folder beside the pictures",
    ) or data.notices[0].endswith("(1 .txt, 1 .gif)")


def test_a_table_beside_a_flat_folder_is_mentioned(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.png", "labels.csv")
    (notice,) = read_dataset(tmp_path / "images").notices
    assert (
        notice
        == f"{tmp_path / 'images'}: no labels used; {tmp_path / 'labels.csv'} lies beside it, name it with --labels"
    )


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    assert problem(tmp_path) == f"{tmp_path}: no pictures found (PNG, JPEG, BMP or WebP, by suffix); check the path"
    touch(tmp_path, "a.txt", "sub/b.txt")
    assert problem(tmp_path).startswith(f"{tmp_path}: no pictures found")
    assert problem(tmp_path / "no") == f"{tmp_path / 'no'}: no such folder of pictures; check the path"
    assert problem(tmp_path / "a.txt") == f"{tmp_path / 'a.txt'}: is a file; give the folder that holds it"


def test_names_that_cannot_be_written_down_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b\n.png")
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb"):
        pass
    data = read_dataset(tmp_path)
    assert [item.name for item in data.items] == ["a.png"]
    assert data.notices == (f"{tmp_path}: left out 2 pictures whose name is not UTF-8 text",)


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    touch(tmp_path, "0/a.png")
    (tmp_path / "0" / "again").symlink_to(tmp_path)
    (tmp_path / "1").symlink_to(tmp_path)
    assert labels_of(read_dataset(tmp_path)) == {"0/a.png": 0, "1/0/a.png": 1}


def test_masks_are_found_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "images/b.png", "images/c.jpg", "masks/a.png", "masks/b.bmp", "masks/c.jpg")
    data = read_dataset(tmp_path / "images", masks=tmp_path / "masks")
    assert [item.mask and item.mask.name for item in data.items] == ["a.png", "b.bmp", None]
    assert data.notices == (f"{tmp_path / 'masks'}: 1 picture of 3 without a mask",)


def test_masks_may_repeat_the_folders_of_the_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "images/0/a.jpg", "images/1/a.jpg", "masks/0/a.png", "masks/a.png")
    data = read_dataset(tmp_path / "images", masks=tmp_path / "masks")
    assert [item.mask for item in data.items] == [tmp_path / "masks/0/a.png", tmp_path / "masks/a.png"]


def test_masks_that_fit_no_picture_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "images/a.jpg", "masks/x.png")
    assert problem(tmp_path / "images", masks=tmp_path / "masks") == (
        f"{tmp_path / 'masks'}: no mask fits any picture; expected names such as 'a.png'"
    )
    assert problem(tmp_path / "images", masks=tmp_path / "no").endswith("no: no such folder of masks; check the path")


@pytest.mark.real
def test_the_real_tables(real_data: Path) -> None:
    data = read_dataset(real_data / "imagenet" / "images", real_data / "imagenet" / "labels.csv", classes=1000)
    assert len(data.items) == 900
    assert all(item.label is not None and item.path.is_file() for item in data.items)
    assert data.items[0] == Item(
        "ILSVRC2012_val_00000355.JPEG", real_data / "imagenet" / "images" / "ILSVRC2012_val_00000355.JPEG", 260
    )
    segmented = read_dataset(real_data / "segmented" / "images", real_data / "segmented" / "labels.csv", classes=1000)
    assert len(segmented.items) == 198
    assert all(item.mask is not None and item.mask.is_file() for item in segmented.items)
    assert data.notices == segmented.notices == ()
