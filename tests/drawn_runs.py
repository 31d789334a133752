"""Runs whose explanations are drawn instead of computed: as many members and images as a test of voting wants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import consensus_onnx as co
from consensus_onnx.committee import Member, ModelFacts
from consensus_onnx.committee.declaration import MemberDeclaration
from consensus_onnx.committee.facts import InputFacts, OutputFacts, Preprocessing
from consensus_onnx.engine.folder import run_identity
from consensus_onnx.engine.images_stage import ImageStage, PreparedImage
from consensus_onnx.engine.keys import array_digest
from consensus_onnx.engine.map_coding import MapForm
from consensus_onnx.engine.member_state import MemberState
from consensus_onnx.engine.results import write_results
from consensus_onnx.engine.store import RunStore
from consensus_onnx.images import Item

CLASSES = 10
_DRAWN = 7  # maps that differ; members and images share them in turns


@dataclass(frozen=True)
class DrawnRun:
    """A run folder of M members and I images with maps of so many pixels a side.

    Attributes
    ----------
    folder : Path
        Of the run.
    members, images, side : int
        How large it is.
    maps : {'float32', 'float16', 'uint8'}
        How its maps are kept.
    """

    folder: Path
    members: int
    images: int
    side: int
    maps: MapForm = "float32"

    @property
    def settings(self) -> co.AuditSettings:
        """As an audit would be given them."""
        return co.AuditSettings(
            explainers=("smoothgrad",),
            canvas=co.CanvasSettings(resize=self.side, crop=self.side),
            storage=co.StorageSettings(maps=self.maps),
        )

    def draw(self) -> DrawnRun:
        """Store pictures, masks, predictions and explanations that the folder does not hold yet."""
        rng = np.random.default_rng(0)
        store, side = RunStore(self.folder), self.side
        drawn = rng.gamma(1.5, size=(_DRAWN, side, side)).astype(np.float32)
        chances = rng.dirichlet(np.ones(CLASSES), _DRAWN).astype(np.float32)
        mask = np.zeros((side, side), np.bool_)
        mask[side // 4 : side // 2, side // 3 : side - side // 4] = True
        canvas = rng.integers(0, 255, (side, side, 3), np.uint8)
        for row in range(self.images):
            if row not in store.image_receipts():
                arrays = {"canvas": canvas, "mask": mask}
                store.commit_image(row, {"digest": "", "superpixels": {}, "mask_file": None}, arrays)
        for index, state in enumerate(self.states()):
            known = store.explanation_receipts("smoothgrad", state.digest)
            for row in range(self.images):
                if row in known:
                    continue
                choice = (index * 3 + row * 5) % _DRAWN
                store.commit_prediction(state.digest, row, "", chances[choice])
                values = drawn[choice] * np.float32(1 + index)
                numbers = {"target": 0, "predicted": 0, "probability": 0.5, "samples": 8, "split_half": 0.5, "r2": None}
                arrays = {"values": values, "standard_error": values / 4}
                store.commit_explanation("smoothgrad", state.digest, row, numbers, arrays, self.maps)
        return self

    def states(self) -> list[MemberState]:
        """Return the members as they are once all is explained."""
        facts = ModelFacts(
            InputFacts("input", "NCHW", (self.side, self.side), "RGB", "float32", 0),
            Preprocessing(1.0, 0.0, 1.0),
            OutputFacts("output", "logits", CLASSES, 0, CLASSES),
            parameters=1,
            opset=17,
            digest="",
            sources={},
            notices=(),
        )
        return [
            MemberState(
                Member(
                    f"member-{index}", f"family-{index % 9}", Path(f"{index}.onnx"), MemberDeclaration(f"{index}.onnx")
                ),
                facts=replace(facts, digest=f"{index:064x}"),
                provider="cpu",
                predicted=dict.fromkeys(range(self.images), 0),
            )
            for index in range(self.members)
        ]

    def vote(self) -> co.Run:
        """Vote, score and write the tables, as the last stage of an audit; return the run."""
        settings = self.settings
        store = RunStore(self.folder)
        items = [Item(f"{row}.png", Path(f"{row}.png"), label=0) for row in range(self.images)]
        digests = {name: array_digest(np.zeros(0)) for name in ("canvas", "mask")}
        images = tuple(PreparedImage(item, row, "", digests, {}) for row, item in enumerate(items))
        states = self.states()
        committee = co.Committee("drawn", tuple(state.member for state in states), CLASSES)
        explainers = settings.chosen_explainers()
        identity = run_identity(settings, explainers)
        write_results(store, identity, committee, states, ImageStage(images, {}), items, settings, explainers)
        return co.Run.open(self.folder)
