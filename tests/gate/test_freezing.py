"""A baseline holds what the run says, and comes back from its file as it was."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
from consensus_onnx.errors import BaselineError, ConfigError
from consensus_onnx.gate.baseline import Baseline
from consensus_onnx.gate.container import read_container, write_container
from consensus_onnx.gate.filing import read_baseline, write_baseline
from consensus_onnx.gate.freezing import FreezeOptions, freeze
from consensus_onnx.gate.reach import reach_of
from gated import IMAGES, Gated


def test_it_holds_what_the_run_says(gated: Gated) -> None:
    run, frozen = gated.run, gated.baseline
    assert frozen.names == ("plain", "depthwise")
    assert [image.name for image in frozen.images] == [image.name for image in run.images]
    assert frozen.canvases is not None
    for index in range(IMAGES):
        np.testing.assert_array_equal(frozen.canvases[index], run.canvas(index))
        np.testing.assert_array_equal(frozen.segments["lime"][index], run.segments("lime", index))
        mask = run.mask(index)
        assert mask is not None
        np.testing.assert_array_equal(frozen.mask(index), mask)
    for entry in frozen.explainers:
        np.testing.assert_array_equal(entry.scores, run.scores(entry.name))
        np.testing.assert_array_equal(entry.leave_one_out, run.leave_one_out(entry.name))
        for member, kept in entry.explanations.items():
            np.testing.assert_array_equal(kept[2], run.explanation(entry.name, member, 2).values)
    for index, member in enumerate(frozen.members):
        assert member.accuracy == run.members[index].accuracy_measured
        assert member.inheritable["preprocess"] == {"scale": 1.0, "mean": [127.5] * 3, "std": [63.75] * 3}
    assert frozen.shared_targets is None


def test_it_comes_back_from_its_file_and_gives_the_same_bytes_again(gated: Gated, tmp_path: Path) -> None:
    back = read_baseline(gated.file)
    write_baseline(tmp_path / "again.zip", back)
    assert (tmp_path / "again.zip").read_bytes() == gated.file.read_bytes()
    for name in ("committee", "classes", "target", "seed", "canvas", "runtime", "members", "images", "versions"):
        assert getattr(back, name) == getattr(gated.baseline, name)
    assert [field.name for field in fields(Baseline) if getattr(back, field.name) is None] == []


def test_freezing_again_gives_the_same_bytes(gated: Gated, tmp_path: Path) -> None:
    write_baseline(tmp_path / "again.zip", freeze(co.Run.open(gated.run.path)))
    assert (tmp_path / "again.zip").read_bytes() == gated.file.read_bytes()


def test_fewer_images_one_explainer_no_pictures_one_member(gated: Gated, tmp_path: Path) -> None:
    options = FreezeOptions(explainers=("lime",), limit=2, by_reference=True, keep=("plain",))
    write_baseline(tmp_path / "small.zip", freeze(gated.run, options))
    back = read_baseline(tmp_path / "small.zip")
    assert len(back.images) == 2
    assert [entry.name for entry in back.explainers] == ["lime"]
    assert back.canvases is None
    assert list(back.explainers[0].explanations) == ["plain"]
    assert (tmp_path / "small.zip").stat().st_size < gated.file.stat().st_size / 5


@pytest.mark.slow
def test_noise_can_be_measured_and_is_near_what_is_predicted(gated: Gated) -> None:
    measured = freeze(
        gated.run,
        FreezeOptions(repeats=2),
        committee=co.load_committee(gated.world.models),
        engine=co.AuditSettings(),
    )
    for found, drawn in zip(measured.explainers, gated.baseline.explainers, strict=True):
        assert found.reruns.source == "measured"
        assert found.reruns.scores.shape == (2, 2, IMAGES)
        gap = np.abs(found.reruns.similarities.mean(axis=(0, 2)) - drawn.reruns.similarities.mean(axis=(0, 2)))
        assert (gap < 0.1).all()  # 80 rows, 4 draws: it is large, and predicted so
        assert (found.reruns.similarities.mean(axis=(0, 2)) < 0.99).all()


def test_other_models_are_not_taken_for_the_runs(gated: Gated, tmp_path: Path) -> None:
    models = tmp_path / "models"
    for member in ("plain", "depthwise"):
        gated.copy_of("plain", models).rename(models / f"{member}.onnx")
    (models / "committee.yaml").write_text((gated.world.models / "committee.yaml").read_text(encoding="utf-8"))
    with pytest.raises(BaselineError, match=r"depthwise.onnx: is not the depthwise of the run"):
        freeze(gated.run, FreezeOptions(repeats=1, limit=1), committee=co.load_committee(models))
    with pytest.raises(ConfigError, match="give their folder with --models"):
        freeze(gated.run, FreezeOptions(repeats=1))


def test_names_that_are_not_there_are_told_with_the_nearest(gated: Gated) -> None:
    with pytest.raises(ConfigError, match="has no 'limee'; did you mean 'lime'"):
        freeze(gated.run, FreezeOptions(explainers=("limee",)))
    with pytest.raises(ConfigError, match="no explained member 'plan'; did you mean 'plain'"):
        freeze(gated.run, FreezeOptions(keep=("plan",)))


def test_the_reach_follows_noise_and_limit(gated: Gated) -> None:
    for entry in gated.baseline.explainers:
        for row in reach_of(gated.baseline, entry):
            assert row.kept
            assert row.rerun_similarity < 1
            assert row.detectable > max(0.03, row.rerun_drop)


def changed(texts: dict[str, object], arrays: dict[str, np.ndarray]) -> dict[str, tuple[dict, dict, str]]:  # type: ignore[type-arg]
    """Return baselines whose digests hold and whose content does not, with what is said of them."""
    content, settings = texts["content"], texts["settings"]
    assert isinstance(content, dict)
    assert isinstance(settings, dict)
    canvas = arrays["images/canvas"].copy()
    canvas[0, 0, 0, 0] ^= 1
    labels = arrays["lime/superpixels"] + np.uint16(1)
    lengths = arrays["lime/consensus"][:, :5]
    image = {**content["images"][0], "name": "../../etc/passwd"}
    return {
        "canvas": (texts, {**arrays, "images/canvas": canvas}, "is not the one whose digest is named"),
        "superpixels": (texts, {**arrays, "lime/superpixels": labels}, "does not fit the superpixels"),
        "shape": (texts, {**arrays, "lime/scores": arrays["lime/scores"][:, :2]}, "lime/scores is float64 (2, 2)"),
        "lengths": (texts, {**arrays, "lime/consensus": lengths}, "does not fit the superpixels"),
        "name": ({**texts, "content": {**content, "images": [image, *content["images"][1:]]}}, arrays, "leads out of"),
        "class": ({**texts, "content": {**content, "classes": 2}}, arrays, "classes outside 0..1"),
        "setting": ({**texts, "settings": {**settings, "canvas": {"crop": "wide"}}}, arrays, "canvas.crop"),
        "text": ({**texts, "content": {**content, "committee": "a\x1b[2J"}}, arrays, "expected a printable text"),
        "extra": (texts, {**arrays, "lime/extra": labels}, "lime/extra, which nothing names"),
        "missing": ({"content": content}, arrays, "it holds the texts ['content']"),
    }


@pytest.mark.parametrize(
    "case", ["canvas", "superpixels", "shape", "lengths", "name", "class", "setting", "text", "extra", "missing"]
)
def test_content_that_does_not_fit_together_is_refused(gated: Gated, tmp_path: Path, case: str) -> None:
    texts, arrays, said = changed(*read_container(gated.file))[case]
    write_container(tmp_path / "changed.zip", texts, arrays)
    with pytest.raises(BaselineError) as caught:
        read_baseline(tmp_path / "changed.zip")
    assert "\n" not in str(caught.value)
    if case != "setting":
        assert said in str(caught.value)


def test_a_run_with_shared_targets_knows_them(gated: Gated) -> None:
    labels = replace(gated.baseline, target="label")
    assert labels.shared_targets is not None
    assert labels.shared_targets.shape == (IMAGES,)
