"""The stored explanations of a run, image by image, as the analysis takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from consensus_onnx.analysis import ImageEvidence
from consensus_onnx.arrays import AnyArray, BoolArray
from consensus_onnx.consensus import ConsensusSettings
from consensus_onnx.engine.run import Run

_KEPT_BYTES = 256 << 20  # read once up to here; a run beyond it is read anew in every pass


class StoredEvidence:
    """One explainer's explanations of some images; can be passed through again and again.

    Parameters
    ----------
    run : Run
        A finished run.
    explainer : str
        Name of the explainer.
    images : sequence of int, optional
        Indices of images; None takes all.
    grid : int, optional
        Side of the grid maps are brought to from their native size; None takes the run's.
    """

    def __init__(self, run: Run, explainer: str, images: list[int] | None = None, grid: int | None = None) -> None:
        self.explainer = explainer
        self.images = list(range(len(run.images))) if images is None else images
        self._run = run if grid is None or run.kind(explainer) != "pixel" else _on_grid(run, explainer, grid)
        self._kept: dict[int, ImageEvidence] = {}
        self._bytes = 0

    @property
    def settings(self) -> ConsensusSettings:
        """Vote and similarity of the run."""
        return consensus_settings(self._run, self.explainer)

    @property
    def sigma(self) -> float | None:
        """Width of the RBF that was used; None for the cosine."""
        found = self._run.settings["consensus"][self.explainer]["sigma_used"]
        return None if found is None else float(found)

    @property
    def grid(self) -> int | None:
        """Side of the grid of maps; None for superpixels."""
        found = self._run.settings["consensus"][self.explainer]["grid_used"]
        return None if found is None else int(found)

    @property
    def members(self) -> BoolArray:
        """Members that have at least one score, bool (M,)."""
        return np.asarray(np.isfinite(self._run.scores(self.explainer)).any(axis=1))

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[ImageEvidence]:
        for image in self.images:
            yield self.image(image)

    def image(self, image: int) -> ImageEvidence:
        """Return the explanations of any image of the run."""
        found = self._kept.get(image)
        if found is None:
            found = self._read(image)
            if self._bytes + found.values.nbytes <= _KEPT_BYTES:
                self._kept[image] = found
                self._bytes += found.values.nbytes
        return found

    def _read(self, image: int) -> ImageEvidence:
        run, explainer = self._run, self.explainer
        rows: list[AnyArray | None] = []
        for member in range(len(run.members)):
            try:
                rows.append(run.values(explainer, member, image))
            except KeyError:  # its status says why
                rows.append(None)
        present = np.array([row is not None for row in rows])
        shape = next((row.shape for row in rows if row is not None), run.consensus(explainer, image).shape)
        dtype = np.float32 if run.kind(explainer) == "pixel" else np.float64
        values = np.zeros((len(rows), *shape), dtype)
        for place, row in zip(values, rows, strict=True):
            if row is not None:
                place[:] = row
        segments = run.segments(explainer, image) if run.kind(explainer) == "superpixel" else None
        return ImageEvidence(values, present, run.canvas(image), segments, run.mask(image))


def consensus_settings(run: Run, explainer: str) -> ConsensusSettings:
    """Return the settings by which a run voted on and compared an explainer's explanations."""
    used: Mapping[str, Any] = run.settings["consensus"][explainer]
    return ConsensusSettings(**{key: value for key, value in used.items() if not key.endswith("_used")})


def _on_grid(run: Run, explainer: str, side: int) -> Run:
    """Return the run with maps on another grid; only its explanations can be asked for."""
    consensus = dict(run.settings["consensus"])
    consensus[explainer] = {**consensus[explainer], "grid_used": side}
    return replace(run, settings={**run.settings, "consensus": consensus})
