"""Miniature runs, written by the engine's own last stage from made-up explanations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from consensus_onnx.committee import Committee, Member, MemberDeclaration, ModelFacts
from consensus_onnx.committee.facts import InputFacts, OutputFacts, Preprocessing
from consensus_onnx.engine.failures import Failure
from consensus_onnx.engine.images_stage import ImageStage, PreparedImage
from consensus_onnx.engine.keys import array_digest
from consensus_onnx.engine.member_state import MemberState
from consensus_onnx.engine.results import write_results
from consensus_onnx.engine.run import Run
from consensus_onnx.engine.settings import AuditSettings
from consensus_onnx.engine.store import RunStore
from consensus_onnx.explainers import Lime, SmoothGrad
from consensus_onnx.images import CanvasSettings, Item, canvas_digest

SIDE, TILE, CLASSES = 56, 7, 4


@dataclass(frozen=True)
class Fake:
    """A member that finds the object with so much `skill` (0..1), or fails; its maps are raised to a `power`."""

    name: str
    skill: float
    family: str = "Net"
    accuracy: float | None = None
    size: int = SIDE
    power: float = 1.0
    status: str = "ok"
    reason: str = ""
    unsupported: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=lambda: {"preprocess.scale": "declared"})


COMMITTEE = (
    Fake("alpha", 0.95, "Net", 0.81),
    Fake("beta", 0.8, "Net", 0.77),
    Fake("gamma", 0.6, "Net", 0.74, size=28),
    Fake("delta", 0.4, "Vit", 0.70, unsupported=("smoothgrad",)),
    Fake("epsilon", 0.2, "Vit", 0.62, notices=("layout assumed NCHW", "mean assumed")),
    Fake("zeta", 0.0, "Odd", 0.55),
    Fake("broken", 0.0, "Odd", status="load_error", reason="not an ONNX file"),
)

MakeRun: TypeAlias = Callable[..., Run]


@pytest.fixture(scope="session")
def fakes() -> tuple[Fake, ...]:
    """Return the usual members, to be altered with `dataclasses.replace`."""
    return COMMITTEE


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Return a function that writes and opens a small run."""

    def make(
        members: Sequence[Fake] = COMMITTEE,
        images: int = 2,
        explainers: Sequence[str] = ("lime", "smoothgrad"),
        *,
        name: str = "miniature",
        labels: bool = True,
        masks: bool = True,
        image_names: Sequence[str] = (),
        failed: dict[str, str] | None = None,
    ) -> Run:
        folder = tmp_path_factory.mktemp("run")
        names = [*image_names, *(f"picture{number}.png" for number in range(len(image_names), images))]
        return _write_run(folder, tuple(members), names, tuple(explainers), name, labels, masks, failed or {})

    return make


@pytest.fixture(scope="session")
def run(make_run: MakeRun) -> Run:
    """Return the usual small run: seven members (one broken, one without SmoothGrad), four images, two explainers."""
    return make_run(images=4, failed={"torn.png": "does not decode"})


def _write_run(
    folder: Path,
    members: tuple[Fake, ...],
    names: list[str],
    explainers: tuple[str, ...],
    committee_name: str,
    labels: bool,
    masks: bool,
    failed: dict[str, str],
) -> Run:
    settings = AuditSettings(explainers=explainers, canvas=CanvasSettings(resize=SIDE, crop=SIDE))  # type: ignore[arg-type]
    chosen = settings.chosen_explainers()
    store = RunStore(folder)
    items = [Item(name, folder / name, label=row % CLASSES if labels else None) for row, name in enumerate(names)]
    prepared = [_prepare(store, item, row, masks) for row, item in enumerate(items)]
    states = [_state(store, fake, prepared, chosen) for fake in members]
    committee = Committee(committee_name, tuple(state.member for state in states), CLASSES)
    everything = [*items, *(Item(name, folder / name) for name in failed)]
    failures = {name: Failure("load_error", reason) for name, reason in failed.items()}
    stage = ImageStage(tuple(prepared), failures)
    write_results(store, {"target": "predicted"}, committee, states, stage, everything, settings, chosen)
    return Run.open(folder)


def _object(row: int) -> np.ndarray:
    """Return a disc, bool (SIDE, SIDE), elsewhere in every image."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.asarray((y - 20 - 3 * row) ** 2 + (x - 30 + 2 * row) ** 2 < 11**2)


def _segments() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return ((y // TILE) * (SIDE // TILE) + x // TILE).astype(np.int32)


def _prepare(store: RunStore, item: Item, row: int, masks: bool) -> PreparedImage:
    rng = np.random.default_rng(row)
    disc = _object(row)
    canvas = rng.integers(60, 120, (SIDE, SIDE, 3)).astype(np.uint8)
    canvas[disc] = [220, 90, 40]
    arrays = {"canvas": canvas, "segments/lime": _segments().astype(np.uint16)}
    if masks:
        arrays["mask"] = disc
    count = int(_segments().max()) + 1
    digest = canvas_digest(canvas)
    content = {"name": item.name, "file": "0" * 64, "digest": digest, "superpixels": {"lime": count}}
    store.commit_image(row, content, arrays)
    digests = {key: array_digest(value) for key, value in arrays.items()}
    return PreparedImage(item, row, digest, digests, {"lime": count})


def _state(
    store: RunStore, fake: Fake, images: Sequence[PreparedImage], explainers: Sequence[Lime | SmoothGrad]
) -> MemberState:
    declaration = MemberDeclaration(file="x.onnx", accuracy=fake.accuracy)
    member = Member(fake.name, fake.family, Path("x.onnx"), declaration, CLASSES)
    state = MemberState(member, status=fake.status, reason=fake.reason)
    if fake.status != "ok":
        return state
    state.facts = ModelFacts(
        InputFacts("x", "NCHW", (fake.size, fake.size), "RGB", "float32", 0),
        Preprocessing(1 / 255, (0.5,), (0.5,)),
        OutputFacts("y", "logits", CLASSES, 0, CLASSES),
        parameters=1_234_567,
        opset=17,
        digest=fake.name.encode().hex(),
        sources=fake.sources,
        notices=fake.notices,
    )
    state.provider = "cpu"
    state.unsupported = dict.fromkeys(fake.unsupported, "no gradient rule for NonMaxSuppression")
    rng = np.random.default_rng(len(fake.name) * 1000 + int(100 * fake.skill))
    for image in images:
        predicted = image.row % CLASSES if rng.random() < 0.4 + 0.6 * fake.skill else (image.row + 1) % CLASSES
        probabilities = np.full(CLASSES, 0.1, np.float32)
        probabilities[predicted] = 0.7
        store.commit_prediction(state.digest, image.row, "key", probabilities)
        state.predicted[image.row] = predicted
        header = {"target": predicted, "predicted": predicted, "probability": 0.7, "samples": 10}
        for explainer in explainers:
            if explainer.name in fake.unsupported:
                continue
            values = _explain(explainer.kind, fake, image.row, rng)
            reliability = {"split_half": 0.6 + 0.3 * fake.skill, "r2": 0.8 if explainer.kind == "superpixel" else None}
            arrays = {"values": values, "standard_error": np.abs(values) / 10}
            content = {"key": "key", **header, **reliability}
            store.commit_explanation(explainer.name, state.digest, image.row, content, arrays)
    return state


def _explain(kind: str, fake: Fake, row: int, rng: np.random.Generator) -> np.ndarray:
    disc = _object(row).astype(np.float64)
    if kind == "superpixel":
        share = np.bincount(_segments().ravel(), disc.ravel()) / TILE**2
        return fake.skill * share + (1 - fake.skill) * rng.normal(0, 0.5, share.size)
    shrunk = disc[:: SIDE // fake.size, :: SIDE // fake.size]
    heat = fake.skill * shrunk + (1 - fake.skill) * np.abs(rng.normal(0, 0.5, shrunk.shape)) + 0.01
    return (heat**fake.power).astype(np.float32)
