"""Pictures are cut by several workers side by side; nobody can tell from the run folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import consensus_onnx as co
from consensus_onnx.engine import images_stage, limits
from consensus_onnx.engine.events import Event, ImagePrepared
from consensus_onnx.images import canvas_digest
from consensus_onnx_zoo.scenes import write_scenes
from odd_superpixels import Counting, OddSuperpixels
from worlds import SETTINGS, World, tree

PICTURES = 12


@pytest.fixture(scope="module")
def dozen(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("dozen")
    return World(world.models, folder / "pictures", write_scenes(folder, PICTURES))


@pytest.fixture(scope="module")
def digests(dozen: World) -> tuple[str, ...]:
    """Return the canvases' digests in the dataset's order."""
    pictures = sorted(dozen.pictures.iterdir())
    return tuple(canvas_digest(co.load_canvas(path, SETTINGS.canvas)) for path in pictures)


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    return lambda count: monkeypatch.setattr(images_stage, "threads_per_worker", lambda workers: count)


@pytest.fixture
def finished_order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that is filled with the digests of pictures as workers finish them."""
    order: list[str] = []
    original = images_stage.image_in

    def spy(*given):  # type: ignore[no-untyped-def]
        content, arrays = original(*given)
        order.append(content["digest"])
        return content, arrays

    monkeypatch.setattr(images_stage, "image_in", spy)
    return order


def audited(world: World, superpixels: OddSuperpixels, out: Path) -> tuple[co.Run, list[ImagePrepared]]:
    events: list[Event] = []
    run = co.audit(
        co.load_committee(world.models),
        world.pictures,
        labels=world.labels,
        explainers=[Counting(superpixels)],
        settings=SETTINGS,
        out=out,
        listen=events.append,
    )
    return run, [event for event in events if isinstance(event, ImagePrepared)]


def assert_told_in_order(events: list[ImagePrepared], world: World) -> None:
    assert [event.name for event in events] == sorted(path.name for path in world.pictures.iterdir())
    assert [(event.done, event.total) for event in events] == [(n, PICTURES) for n in range(1, PICTURES + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("bytes_ahead", [None, 0], ids=["far ahead", "hardly ahead"])
def test_three_workers_leave_the_folder_of_one(
    bytes_ahead: int | None,
    dozen: World,
    digests: tuple[str, ...],
    cores: Callable[[int], None],
    finished_order: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    superpixels = OddSuperpixels(method="grid", segments=25, slow=digests[:1], greedy=(digests[3],))
    usable = [digest for digest in digests if digest != digests[3]]
    cores(1)
    audited(dozen, superpixels, tmp_path / "one")
    assert finished_order == usable
    finished_order.clear()
    cores(3)
    if bytes_ahead is not None:
        monkeypatch.setattr(images_stage, "_AHEAD", bytes_ahead)
    run, events = audited(dozen, superpixels, tmp_path / "three")
    assert finished_order != usable
    assert sorted(finished_order) == sorted(usable)
    # Hardly ahead means twice as many pictures as workers, so the seventh is not begun before the first is finished.
    assert (finished_order.index(digests[6]) > finished_order.index(digests[0])) == (bytes_ahead == 0)
    assert_told_in_order(events, dozen)
    assert [image.name for image in run.failed_images] == [events[3].name]
    assert tree(tmp_path / "three") == tree(tmp_path / "one")


def test_a_picture_that_ends_its_workers_costs_only_itself(
    dozen: World, digests: tuple[str, ...], cores: Callable[[int], None], tmp_path: Path
) -> None:
    deadly = (digests[2], digests[3], digests[PICTURES - 1])
    superpixels = OddSuperpixels(method="grid", segments=25, deadly=deadly)
    cores(1)
    audited(dozen, superpixels, tmp_path / "one")
    cores(2)
    run, events = audited(dozen, superpixels, tmp_path / "two")
    assert_told_in_order(events, dozen)
    names = [event.name for event, digest in zip(events, digests, strict=True) if digest in deadly]
    assert [image.name for image in run.failed_images] == names
    errors = [event.error for event in events if event.error is not None]
    assert len(errors) == len(deadly)
    assert all(e.startswith("crashed(SIGSEGV): its process was killed by SIGSEGV during prepare") for e in errors)
    assert len(run.images) == PICTURES - len(deadly)
    assert tree(tmp_path / "two") == tree(tmp_path / "one")
    again, events = audited(dozen, superpixels, tmp_path / "two")
    assert [event.name for event in events] == names
    assert all("--retry-failed asks again" in image.reason for image in again.failed_images)


@pytest.mark.parametrize(
    ("pictures", "side", "workers"),
    [(0, 224, 1), (1, 224, 1), (2, 224, 1), (3, 224, 2), (4, 224, 2), (31, 224, 16), (5794, 224, 16), (5794, 4096, 2)],
)
def test_workers_follow_cores_pictures_and_memory(
    pictures: int, side: int, workers: int, cores: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "machine_memory", lambda: 20 * 10**9)
    cores(16)
    assert images_stage.workers_for(pictures, co.CanvasSettings(resize=side, crop=side)) == workers
