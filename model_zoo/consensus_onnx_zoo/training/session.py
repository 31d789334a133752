"""One training session: members one by one, skipping what is done; several sessions share the work."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import torch

from consensus_onnx_zoo.reference import save_reference
from consensus_onnx_zoo.scenes import SHORTCUT, SPLITS, Mark, SceneSettings
from consensus_onnx_zoo.training.answers import accuracy, reference
from consensus_onnx_zoo.training.data import drawn
from consensus_onnx_zoo.training.export import exported
from consensus_onnx_zoo.training.fit import Course, fit
from consensus_onnx_zoo.training.members import Recipe
from consensus_onnx_zoo.training.twins import ORIGINAL, TWINS, measured

TRAINING_SCENES = 12_000
EASY_SCENES = 3_000
CALIBRATION_SCENES = 200
TEST_SCENES = 2_400
EASY = SceneSettings(distractors=0, occlusion=0, photographs=0, camera=False, mark=Mark(share=0))


@dataclass(frozen=True)
class Trained:
    """What is known of a finished member.

    Attributes
    ----------
    recipe : Recipe
        How it was made.
    accuracy : float
        Top-1 on the first 2400 scenes of the test split.
    seconds : float
        Of training.
    """

    recipe: Recipe
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Session:
    """Where things are.

    Attributes
    ----------
    out : Path
        Committee folder: .onnx and .npz of each member.
    work : Path
        Pictures as arrays and what is known of each member; may be thrown away, costs time to make again.
    """

    out: Path
    work: Path

    def finished(self, recipe: Recipe) -> Trained | None:
        """Return what is known of a member if its files are there and its recipe is still the same."""
        record = self.work / f"{recipe.name}.json"
        if not record.exists() or not (self.out / f"{recipe.name}.onnx").exists():
            return None
        stored = json.loads(record.read_text())
        if stored.pop("recipe") != asdict(recipe):
            return None
        return Trained(recipe, **stored)

    def train(self, recipe: Recipe, tell: Callable[[int, float, float], None]) -> Trained | None:
        """Train, export and describe a member; None where another session is at it."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(parents=True, exist_ok=True)
        with self._claimed(recipe.name) as mine:
            if not mine:
                return None
            began = time.monotonic()
            network = fit(recipe, self._course(recipe), tell)
            seconds = time.monotonic() - began
            pictures, labels = self._drawn("plain", "test", TEST_SCENES, SceneSettings())
            trained = Trained(recipe, accuracy(network, pictures, labels, recipe.side), round(seconds, 1))
            save_reference(self.out / f"{recipe.name}.npz", reference(network, recipe))
            onnx.save(exported(network, recipe), self.out / f"{recipe.name}.onnx")
            torch.save(network.state_dict(), self.work / f"{recipe.name}.pt")
            (self.work / f"{recipe.name}.json").write_text(json.dumps(asdict(trained)))
            return trained

    def twins(self) -> dict[str, float]:
        """Make the twins of the original that are not there yet; return the accuracy of each."""
        original = self.out / f"{ORIGINAL}.onnx"
        if not original.exists():
            return {}
        calibration = self._drawn("plain", "train", TRAINING_SCENES, SceneSettings())[0][:CALIBRATION_SCENES]
        pictures, labels = self._drawn("plain", "test", TEST_SCENES, SceneSettings())
        accuracies = {}
        for twin in TWINS:
            file = self.out / f"{twin.name}.onnx"
            if not file.exists():
                onnx.save(twin.make(original, calibration), file)
            accuracies[twin.name] = measured(onnx.load(file), pictures, labels)
        return accuracies

    def draw(self) -> None:
        """Draw all scenes that training needs; one session at a time."""
        self.work.mkdir(parents=True, exist_ok=True)
        with (self.work / "scenes.claim").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._drawn("easy", "train", EASY_SCENES, EASY)
            self._drawn("plain", "train", TRAINING_SCENES, SceneSettings())
            self._drawn("shortcut", "train", TRAINING_SCENES, SceneSettings(mark=SHORTCUT))
            self._drawn("plain", "test", TEST_SCENES, SceneSettings())

    def _course(self, recipe: Recipe) -> Course:
        if recipe.scenes == "shortcut":
            return Course(self._drawn("shortcut", "train", TRAINING_SCENES, SceneSettings(mark=SHORTCUT)))
        full = self._drawn("plain", "train", TRAINING_SCENES, SceneSettings())
        return Course(full, self._drawn("easy", "train", EASY_SCENES, EASY))

    def _drawn(self, name: str, split: str, count: int, settings: SceneSettings) -> tuple[np.ndarray, np.ndarray]:
        return drawn(self.work, name, SPLITS[split][:count], settings)

    @contextmanager
    def _claimed(self, name: str) -> Iterator[bool]:
        """Hold a member's claim; the system lets it go when this process ends, however it ends."""
        with (self.work / f"{name}.claim").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
