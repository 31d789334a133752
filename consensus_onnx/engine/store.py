"""The stored arrays of a run and their receipts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from consensus_onnx.arrays import AnyArray, BoolArray, Float32Array, Int32Array, UInt8Array
from consensus_onnx.engine.keys import array_digest
from consensus_onnx.engine.receipts import Journal
from consensus_onnx.engine.rows import read_row, write_ragged_row, write_row
from consensus_onnx.errors import StoreError

ARRAYS = "explanations.zarr"
RECEIPTS = "receipts"
_SHORT = 16  # hex digits of a digest in the name of a group


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
    beside it holds its receipt; arrays alone prove nothing, since what is missing reads as fill values.
    """

    folder: Path

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
            if name.startswith("segments/"):
                write_row(self.group("superpixels"), name.removeprefix("segments/"), index, array)
            else:
                write_row(self.group("images"), name, index, array)
        digests = {name: array_digest(array) for name, array in sorted(arrays.items())}
        self.journal("images").append(str(index), {**content, "arrays": digests})

    def canvas(self, index: int) -> UInt8Array:
        """Return the canvas (H, W, 3) of an image."""
        return read_row(self.group("images"), "canvas", index)

    def mask(self, index: int) -> BoolArray:
        """Return the object mask (H, W) of an image that has one."""
        return read_row(self.group("images"), "mask", index)

    def segments(self, explainer: str, index: int) -> Int32Array:
        """Return the superpixel labels (H, W) an explainer uses for an image."""
        return read_row(self.group("superpixels"), explainer, index).astype(np.int32)

    # -- what members answered ------------------------------------------------------------------------------------

    def commit_prediction(self, digest: str, index: int, key: str, probabilities: Float32Array) -> None:
        """Store a member's probabilities (L,) for an image, then the receipt."""
        write_row(self.group("predictions"), digest[:_SHORT], index, probabilities)
        content = {"key": key, "predicted": int(np.argmax(probabilities)), "arrays": array_digest(probabilities)}
        self.journal("predictions", digest[:_SHORT]).append(str(index), content)

    def prediction_receipts(self, digest: str) -> dict[int, dict[str, Any]]:
        """Return the receipts of a member's predictions by image."""
        return _by_image(self.journal("predictions", digest[:_SHORT]))

    def probabilities(self, digest: str, index: int) -> Float32Array:
        """Return a member's probabilities (L,) for an image."""
        return read_row(self.group("predictions"), digest[:_SHORT], index)

    def commit_explanation(
        self, explainer: str, digest: str, index: int, content: Mapping[str, Any], arrays: Mapping[str, AnyArray]
    ) -> None:
        """Store an explanation's arrays, then its receipt."""
        group = self.group(explainer, digest[:_SHORT])
        for name, array in arrays.items():
            write = write_ragged_row if array.ndim == 1 else write_row
            write(group, name, index, array)
        described = {name: array_digest(array) for name, array in sorted(arrays.items())}
        sizes = {"size": int(arrays["values"].size)} if arrays["values"].ndim == 1 else {}
        self.journal(explainer, digest[:_SHORT]).append(str(index), {**content, **sizes, "arrays": described})

    def explanation_receipts(self, explainer: str, digest: str) -> dict[int, dict[str, Any]]:
        """Return the receipts of a member's explanations by image."""
        return _by_image(self.journal(explainer, digest[:_SHORT]))

    def explanation_array(
        self, explainer: str, digest: str, index: int, name: str, receipt: Mapping[str, Any]
    ) -> AnyArray:
        """Return `values` or `standard_error` of a receipted explanation.

        Raises
        ------
        StoreError
            If the bytes on disk are not the ones the receipt vouches for.
        """
        array = read_row(self.group(explainer, digest[:_SHORT]), name, index, receipt.get("size"))
        if array_digest(array) != receipt["arrays"][name]:
            raise StoreError(
                f"{self.folder}: stored {name} of {explainer}/{digest[:_SHORT]}, image {index}, differ from their "
                "receipt; the folder is damaged: audit into a new one"
            )
        return array

    # -- results --------------------------------------------------------------------------------------------------

    def write_result(self, explainer: str, name: str, array: AnyArray) -> None:
        """Store a derived array whole, in place of an older one."""
        self.group("results", explainer).create_array(name, data=np.ascontiguousarray(array), overwrite=True)

    def result(self, explainer: str, name: str) -> AnyArray:
        """Return a derived array."""
        stored: Any = self.group("results", explainer)[name]
        return np.asarray(stored[:])


def _by_image(journal: Journal) -> dict[int, dict[str, Any]]:
    return {int(unit): receipt for unit, receipt in journal.read().items()}
