"""Scenes as arrays on disk, drawn once and then mapped into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from consensus_onnx_zoo.scenes import CLASSES, SIDE, SceneSettings, draw_scene

Pictures = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def drawn(folder: Path, name: str, seeds: range, settings: SceneSettings) -> tuple[Pictures, Labels]:
    """Return (N, 96, 96, 3) pictures and (N,) labels of seeds, drawn into a folder if they are not there.

    Parameters
    ----------
    folder : Path
        For large files that can be made again.
    name : str
        Names the settings; the seeds are part of the file's name.
    seeds : range
        Of the scenes.
    settings : SceneSettings
        What they may hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{seeds.start}-{seeds.stop}.npy"
    if not file.exists():
        part = file.with_suffix(".part.npy")
        pictures = np.lib.format.open_memmap(part, "w+", np.uint8, (len(seeds), SIDE, SIDE, 3))
        for index, seed in enumerate(seeds):
            pictures[index] = draw_scene(seed, settings).picture
        pictures.flush()
        part.rename(file)
    return np.load(file, mmap_mode="r"), np.array([seed % len(CLASSES) for seed in seeds])
