"""Scenes as a folder of pictures, masks and labels that `audit --images --labels` reads."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image

from consensus_onnx_zoo.scenes.outlines import CLASSES
from consensus_onnx_zoo.scenes.scene import draw_scene
from consensus_onnx_zoo.scenes.settings import SceneSettings
from consensus_onnx_zoo.scenes.splits import SPLITS


def write_scenes(folder: Path, count: int, seed: int | None = None, settings: SceneSettings | None = None) -> Path:
    """Write scenes as PNG: `pictures/`, `masks/`, `labels.csv` (file,label,mask) and `classes.txt`.

    Parameters
    ----------
    folder : Path
        Made if missing.
    count : int
        Scenes `seed` .. `seed + count - 1`.
    seed : int, optional
        The test split's first seed where none is given.
    settings : SceneSettings, optional
        What the scenes may hold.

    Returns
    -------
    Path
        labels.csv.
    """
    first = SPLITS["test"].start if seed is None else seed
    for name in ("pictures", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(first, first + count):
        scene = draw_scene(number, settings)
        name = f"{number:07d}_{CLASSES[scene.label]}.png"
        Image.fromarray(scene.picture).save(folder / "pictures" / name)
        Image.fromarray(scene.mask).save(folder / "masks" / name)
        rows.append((name, scene.label, name))
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    labels = folder / "labels.csv"
    with labels.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("file", "label", "mask"), *rows])
    return labels
