"""The stored arrays of a run and their receipts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import zarr

from consensus_onnx.arrays import AnyArray, BoolArray, Float32Array, Int32Array, UInt8Array
from consensus_onnx.engine.keys import array_digest
from consensus_onnx.engine.map_coding import CodedMap, MapForm, decode_map, encode_map
from consensus_onnx.engine.receipts import Journal, RowReceipts
from consensus_onnx.engine.rows import UNREADABLE, write_ragged_row, write_row
from consensus_onnx.engine.vouched import Vouched, row_digest
from consensus_onnx.errors import StoreError

ARRAYS = "explanations.zarr"
RECEIPTS = "receipts"
_SHORT = 16  # hex digits of a digest in the name of a group

Receipts: TypeAlias = Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True)
class RunStore:
    """Arrays of a run folder; rows are images in the order the run first met them.

    Attributes
    ----------
    folder : Path
        The run folder.

    Notes
    -----
    Groups: `images` (canvas, mask), `superpixels/<explainer>`, `predictions/<member>`,
    `<explainer>/<member>` (values, standard_error), `results/<explainer>`. A row counts only when the journal
    beside it holds its receipt; arrays alone prove nothing, since what is missing reads as fill values. What is read
    back is therefore held against the digest in its receipt.
    """

    folder: Path
    _receipts: dict[tuple[str, ...], RowReceipts] = field(default_factory=dict, repr=False, compare=False)
    _opened: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def _root(self) -> zarr.Group:
        return zarr.open_group(str(self.folder / ARRAYS), mode="a", zarr_format=3)

    def group(self, *names: str) -> zarr.Group:
        """Return a group, made if it is missing."""
        return self._root.require_group("/".join(names))

    def journal(self, *names: str) -> Journal:
        """Return the receipts of a group."""
        return Journal(self.folder / RECEIPTS / ("/".join(names) + ".jsonl"))

    # -- images ---------------------------------------------------------------------------------------------------

    def commit_image(self, index: int, content: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Store canvas, mask (optional) and superpixels of an image, then its receipt."""
        for name, array in arrays.items():
            group, short = place_of_image_array(name)
            write_row(self.group(group), short, index, array)
        digests = {name: array_digest(array) for name, array in sorted(arrays.items())}
        self._receipt(index, {**content, "arrays": digests}, "images")

    def image_receipts(self) -> Receipts:
        """Return the receipts of the images."""
        return self._receipts_of("images")

    def canvas(self, index: int) -> UInt8Array:
        """Return the canvas (H, W, 3) of an image.

        Raises
        ------
        StoreError
            If the bytes on disk are not the ones the receipt vouches for, as whatever reads an array here.
        """
        return self._image_array("canvas", index)

    def mask(self, index: int) -> BoolArray:
        """Return the object mask (H, W) of an image that has one."""
        return self._image_array("mask", index)

    def segments(self, explainer: str, index: int) -> Int32Array:
        """Return the superpixel labels (H, W) an explainer uses for an image."""
        return self._image_array(f"segments/{explainer}", index).astype(np.int32)

    # -- what members answered ------------------------------------------------------------------------------------

    def commit_prediction(self, digest: str, index: int, key: str, probabilities: Float32Array) -> None:
        """Store a member's probabilities (L,) for an image, then the receipt."""
        write_row(self.group("predictions"), digest[:_SHORT], index, probabilities)
        content = {"key": key, "predicted": int(np.argmax(probabilities)), "arrays": array_digest(probabilities)}
        self._receipt(index, content, "predictions", digest[:_SHORT])

    def prediction_receipts(self, digest: str) -> Receipts:
        """Return the receipts of a member's predictions by image."""
        return self._receipts_of("predictions", digest[:_SHORT])

    def probabilities(self, digest: str, index: int) -> Float32Array:
        """Return a member's probabilities (L,) for an image."""
        vouched = Vouched(self.prediction_receipts(digest).get(index, {}).get("arrays"))
        return self._read("predictions", digest[:_SHORT], index, vouched)

    def commit_explanation(
        self,
        explainer: str,
        digest: str,
        index: int,
        content: Mapping[str, Any],
        arrays: Mapping[str, AnyArray],
        maps: MapForm = "float32",
    ) -> None:
        """Store an explanation's arrays, maps in the form asked for, then its receipt.

        Raises
        ------
        RowShapeError
            If a map has another shape than the member's others.
        UncodableError
            If a map cannot be written in that form.
        """
        group = self.group(explainer, digest[:_SHORT])
        ragged = arrays["values"].ndim == 1
        coded = {
            name: CodedMap(array) if ragged else encode_map(name, array, maps) for name, array in sorted(arrays.items())
        }
        for name, row in coded.items():
            write = write_ragged_row if ragged else write_row
            write(group, name, index, row.codes)
        codings = {name: row.coding for name, row in coded.items() if row.coding}
        described: dict[str, Any] = {
            "arrays": {name: _digest_of(row) for name, row in coded.items()},
            **({"coding": codings} if codings else {}),
            **({"size": int(arrays["values"].size)} if ragged else {}),
        }
        self._receipt(index, {**content, **described}, explainer, digest[:_SHORT])

    def explanation_receipts(self, explainer: str, digest: str) -> Receipts:
        """Return the receipts of a member's explanations by image."""
        return self._receipts_of(explainer, digest[:_SHORT])

    def explanation_array(
        self, explainer: str, digest: str, index: int, name: str, receipt: Mapping[str, Any]
    ) -> AnyArray:
        """Return `values` or `standard_error` of a receipted explanation, maps as float32 in whatever form they lie."""
        return self._read(f"{explainer}/{digest[:_SHORT]}", name, index, Vouched.of(receipt, name))

    # -- results --------------------------------------------------------------------------------------------------

    def write_result(self, explainer: str, name: str, array: AnyArray) -> None:
        """Store a derived array whole, in place of an older one."""
        self.group("results", explainer).create_array(name, data=np.ascontiguousarray(array), overwrite=True)

    def result_rows(self, explainer: str, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
        """Make a derived array whose rows are written one by one, in place of an older one."""
        group = self.group("results", explainer)
        return group.create_array(name, shape=shape, chunks=(1, *shape[1:]), dtype=dtype, overwrite=True)

    def result(self, explainer: str, name: str, row: int | None = None) -> AnyArray:
        """Return a derived array, or one row of it."""
        try:
            stored: Any = self.group("results", explainer)[name]
            return np.asarray(stored[:] if row is None else stored[row])
        except UNREADABLE as error:
            raise StoreError(
                f"{self.folder}: stored {name} of {explainer} cannot be read ({error}); run the audit again to "
                "rewrite it"
            ) from error

    # -- reading back ---------------------------------------------------------------------------------------------

    def _image_array(self, name: str, index: int) -> AnyArray:
        vouched = Vouched(self.image_receipts().get(index, {}).get("arrays", {}).get(name))
        return self._read(*place_of_image_array(name), index, vouched)

    def _read(self, group: str, name: str, index: int, vouched: Vouched) -> AnyArray:
        """Return a row that is the one its receipt vouches for."""
        try:
            array, intact = vouched.read(self._array(group, name, index), index)
            damage = "" if intact else "differ from their receipt"
        except UNREADABLE as error:
            damage = f"cannot be read ({type(error).__name__}: {error})"
        if damage:
            raise StoreError(
                f"{self.folder}: stored {name} of {group}, row {index}, {damage}; the folder is damaged: "
                "audit into a new one"
            )
        return array

    def _array(self, group: str, name: str, index: int) -> Any:
        """Return an array that has a row `index`; kept open, since opening costs twice as much as reading a row."""
        array = self._opened.get((group, name))
        if array is None or array.shape[0] <= index:  # it has grown since
            array = self._opened[group, name] = self.group(group)[name]
        return array

    # -- receipts -------------------------------------------------------------------------------------------------

    def _receipts_of(self, *names: str) -> RowReceipts:
        """Return the receipts of a group by image; read once, this process is the only one that adds to them."""
        if names not in self._receipts:
            self._receipts[names] = self.journal(*names).rows()
        return self._receipts[names]

    def _receipt(self, index: int, content: Mapping[str, Any], *names: str) -> None:
        known = self._receipts_of(*names)
        self.journal(*names).append(str(index), content)
        known.add(index, content)


def place_of_image_array(name: str) -> tuple[str, str]:
    """Return the group in which one of an image's arrays lies, and its name there."""
    segments = name.startswith("segments/")
    return "superpixels" if segments else "images", name.removeprefix("segments/")


def _digest_of(row: CodedMap) -> str:
    meant = decode_map(row.codes, row.coding) if row.coding else row.codes
    return row_digest(row.codes, meant, row.coding)
