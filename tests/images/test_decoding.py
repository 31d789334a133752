from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from consensus_onnx.errors import ImageError
from consensus_onnx.images import load_picture
from consensus_onnx.images.decoding import load_object

PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def encoded(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image or Image.fromarray(PICTURE)).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def png_claiming(width: int, height: int) -> bytes:
    return png_header(width, height) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]


DAMAGED = r"cannot be decoded as PNG, JPEG, BMP or WebP \(.+\); re-export it or leave it out"
UNKNOWN = "is not PNG, JPEG, BMP or WebP, or its header is damaged; re-export it or leave it out"
OTHER = "not PNG, JPEG, BMP or WebP; convert it or leave it out"

BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    # name: (bytes, pattern of what the message says after the file)
    "empty": (lambda: b"", r"is empty \(0 bytes\); copy or download it again"),
    "truncated png": (lambda: encoded("PNG")[:-900], DAMAGED),
    "truncated jpeg": (lambda: encoded("JPEG")[:-300], DAMAGED),
    "truncated bmp": (lambda: encoded("BMP")[:-100], DAMAGED),
    "truncated webp": (lambda: encoded("WEBP", lossless=True)[:-400], f"({DAMAGED}|{UNKNOWN})"),
    "png header alone": (lambda: png_header(32, 24), UNKNOWN),
    "signature alone": (lambda: b"\x89PNG\r\n\x1a\n", UNKNOWN),
    "flipped checksum": (lambda: flipped(encoded("PNG"), 30), f"({DAMAGED}|{UNKNOWN})"),
    "flipped data": (lambda: flipped(encoded("PNG"), 200), DAMAGED),
    "no pixels": (lambda: png_claiming(0, 24), f"({DAMAGED}|{UNKNOWN}|has no pixels)"),
    "pixels over the cap": (
        lambda: png_claiming(13_000, 13_000),
        r"has (13000 x 13000 = 169|more than 50) million pixels.*; make it smaller",
    ),
    "just over the cap": (
        lambda: png_claiming(10_000, 5_001),
        "has 10000 x 5001 = 50 million pixels, at most 50 million are decoded; make it smaller",
    ),
    "bomb": (lambda: png_claiming(60_000, 60_000), "has more than 50 million pixels; make it smaller"),
    "text": (lambda: b"hello, this is not a picture\n", UNKNOWN),
    "zeros": (lambda: bytes(5000), UNKNOWN),
    "noise": (lambda: np.random.default_rng(1).bytes(5000), UNKNOWN),
    "gif": (lambda: encoded("GIF"), f"is a GIF, {OTHER}"),
    "tiff": (lambda: encoded("TIFF"), f"is a TIFF, {OTHER}"),
    "pdf": (lambda: b"%PDF-1.7\n", f"is a PDF, {OTHER}"),
    "eps": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", f"is a PostScript file, {OTHER}"),
    "svg": (lambda: b"\n<svg xmlns='http://www.w3.org/2000/svg'/>", f"is an SVG, {OTHER}"),
    "web page": (lambda: b"<!doctype html><title>404</title>", f"is a web page, perhaps of a failed download, {OTHER}"),
    "zip": (lambda: b"PK\x03\x04" + bytes(40), f"is a ZIP archive, {OTHER}"),
    "heic": (lambda: b"\0\0\0\x18ftypheic" + bytes(40), f"is a HEIC or AVIF picture or a video, {OTHER}"),
    "lfs pointer": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
        "is a Git LFS pointer, not the picture itself; run `git lfs pull`",
    ),
    "text chunk bomb": (
        lambda: png_header(32, 24) + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(70_000_000))) + encoded("PNG")[33:],
        DAMAGED,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures_are_one_line_with_file_and_cause(tmp_path: Path, name: str) -> None:
    make, pattern = BAD[name]
    path = tmp_path / "photo.png"
    path.write_bytes(make())
    with pytest.raises(ImageError, match=rf"^{path}: {pattern}[^\n]*$"):
        load_picture(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_random_damage_gives_a_picture_or_an_image_error(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(3)
    whole = np.frombuffer(encoded(kind), np.uint8)
    path = tmp_path / "photo.png"
    refused = 0
    for _ in range(60):
        data = whole[: rng.integers(1, len(whole) + 1)].copy() if rng.random() < 0.3 else whole.copy()
        places = rng.integers(0, min(len(data), rng.choice([60, len(data)])), rng.integers(0, 4))
        data[places] = rng.integers(0, 256, len(places))
        path.write_bytes(data.tobytes())
        try:
            assert load_picture(path).shape[2] == 3
        except ImageError:
            refused += 1
    assert 5 < refused < 60


def test_paths_that_are_no_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "gone.png")
    for path, problem in {
        tmp_path / "no.png": "no such file",
        tmp_path / "dangling.png": "no such file",
        tmp_path: "is a folder, expected a picture file",
        tmp_path / "pipe": "is not a regular file, expected a picture file",
    }.items():
        with pytest.raises(ImageError) as raised:
            load_picture(path)
        assert str(raised.value) == f"{path}: {problem}"
    with pytest.raises(ImageError, match="cannot be read"):
        load_picture(tmp_path / ("x" * 300))


def test_files_over_the_byte_cap_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(100_000_001)  # sparse: takes no space on disk
    with pytest.raises(ImageError, match=r"large\.png: has 100 MB, at most 100 MB are read; re-export it smaller"):
        load_picture(path)


def test_memory_errors_are_not_taken_for_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG"))

    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", exhausted)
    with pytest.raises(MemoryError):
        load_picture(path)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_lossless_pictures_come_back_exactly_whatever_their_suffix(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(kind, **({"lossless": True} if kind == "WEBP" else {})))
    picture = load_picture(path)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    assert picture.flags.writeable
    np.testing.assert_array_equal(picture, PICTURE)


def decoded(tmp_path: Path, image: Image.Image, kind: str = "PNG", **options: Any) -> np.ndarray:
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(encoded(kind, image, **options))
    return load_picture(path)


def test_grey_one_bit_and_palette_become_rgb(tmp_path: Path) -> None:
    grey = PICTURE[..., 0]
    np.testing.assert_array_equal(decoded(tmp_path, Image.fromarray(grey)), np.stack([grey] * 3, axis=-1))
    bits = Image.fromarray(grey > 128)
    assert bits.mode == "1"
    np.testing.assert_array_equal(decoded(tmp_path, bits), np.stack([(grey > 128) * np.uint8(255)] * 3, axis=-1))
    palette = Image.fromarray(PICTURE).quantize(16)
    np.testing.assert_array_equal(decoded(tmp_path, palette), np.asarray(palette.convert("RGB")))


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    assert Image.fromarray(values).mode.startswith("I")
    picture = decoded(tmp_path, Image.fromarray(values))
    np.testing.assert_array_equal(picture[0, :, 0], [0, 0, 1, 1, 128, 255])
    np.testing.assert_array_equal(picture[0, :, 0], np.round(values[0] / 257).astype(np.uint8))


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    alpha = np.array([[0, 128, 255]], dtype=np.uint8)
    expected = np.round(255 + (10 - 255.0) * alpha / 255).astype(np.uint8)
    rgba = np.dstack([np.full((1, 3, 3), 10, np.uint8), alpha])
    np.testing.assert_array_equal(decoded(tmp_path, Image.fromarray(rgba))[..., 0], expected)
    np.testing.assert_array_equal(decoded(tmp_path, Image.fromarray(rgba[..., 2:]))[..., 1], expected)
    webp = decoded(tmp_path, Image.fromarray(rgba), "WEBP", lossless=True, exact=True)
    np.testing.assert_array_equal(webp[..., 2], expected)


def test_a_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    picture = decoded(tmp_path, image, transparency=0)
    np.testing.assert_array_equal(picture, [[[255, 255, 255], [40, 50, 60]]])


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    picture = decoded(tmp_path, image, "JPEG", quality=100)
    np.testing.assert_allclose(picture.reshape(-1, 3).mean(axis=0), [255, 0, 0], atol=3)


def test_the_first_picture_of_a_phone_jpeg_that_holds_several_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    picture = decoded(tmp_path, frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert picture[0, 0, 0] > 250


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    for kind, options in (("WEBP", {"lossless": True}), ("PNG", {})):
        picture = decoded(tmp_path, frames[0], kind, save_all=True, append_images=frames[1:], **options)
        np.testing.assert_array_equal(picture[0, 0], [255, 0, 0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_orientation_is_applied(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    picture = decoded(tmp_path, Image.fromarray(PICTURE), kind, exif=exif, **options)
    with Image.open(tmp_path / f"a.{kind.lower()}") as image:
        np.testing.assert_array_equal(picture, np.asarray(ImageOps.exif_transpose(image)))
    assert picture.shape[:2] == ((24, 32) if orientation < 5 else (32, 24))


def test_a_jpeg_taken_upright_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (64, 32), "blue")
    image.paste("red", (0, 0, 32, 32))  # the left half, which orientation 6 turns to the top
    picture = decoded(tmp_path, image, "JPEG", exif=exif, quality=95)
    assert picture.shape == (64, 32, 3)
    assert picture[8, 16, 0] > 200
    assert picture[56, 16, 2] > 200


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_damaged_exif_data_is_ignored(tmp_path: Path, exif: bytes) -> None:
    assert decoded(tmp_path, Image.fromarray(PICTURE), "JPEG", exif=exif).shape == PICTURE.shape


def mask_of(tmp_path: Path, image: Image.Image, kind: str = "PNG", **options: Any) -> list[list[bool]]:
    path = tmp_path / "mask.png"
    path.write_bytes(encoded(kind, image, **options))
    mask = load_object(path)
    assert mask.dtype == np.bool_
    return mask.tolist()  # type: ignore[no-any-return]


def test_a_mask_is_what_is_not_zero(tmp_path: Path) -> None:
    values = np.array([[0, 1, 255]], dtype=np.uint8)
    expected = [[False, True, True]]
    assert mask_of(tmp_path, Image.fromarray(values)) == expected
    assert mask_of(tmp_path, Image.fromarray(values), "BMP") == expected
    assert mask_of(tmp_path, Image.fromarray(values > 0)) == expected
    assert mask_of(tmp_path, Image.fromarray(values.astype(np.uint16) * 256)) == expected
    assert mask_of(tmp_path, Image.fromarray(np.dstack([values * 0, values * 0, values]))) == expected


def test_a_palette_mask_counts_by_index_not_by_colour(tmp_path: Path) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([255, 255, 255, 0, 0, 0, 9, 9, 9])
    image.putpixel((1, 0), 1)
    image.putpixel((2, 0), 2)
    assert mask_of(tmp_path, image) == [[False, True, True]]
    assert mask_of(tmp_path, image, transparency=1) == [[False, True, True]]


def test_transparent_pixels_of_a_mask_are_not_object(tmp_path: Path) -> None:
    rgba = np.array([[[9, 9, 9, 0], [9, 9, 9, 255], [0, 0, 0, 255]]], dtype=np.uint8)
    assert mask_of(tmp_path, Image.fromarray(rgba)) == [[False, True, False]]
    assert mask_of(tmp_path, Image.fromarray(rgba[..., 2:])) == [[False, True, False]]


def test_a_lossy_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"mask\.png: is not PNG or BMP"):
        mask_of(tmp_path, Image.new("L", (8, 8)), "JPEG")
