"""Whatever happens to one member or picture costs only itself, and is told."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import consensus_onnx as co
import tiny_models
from bad_explainers import Misbehaving
from consensus_onnx.errors import ConfigError, ImageError, ModelError, StoreError
from worlds import SETTINGS, World, tree


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("segfault", "crashed(SIGSEGV)", "killed by SIGSEGV during explain"),
        ("exit", "crashed(exit 7)", "exit code 7 during explain"),
        ("hang", "timeout(explain)", "no answer within"),
        ("mutter", "timeout(explain)", "no answer within"),
        ("babble", "bad_output", "4 bytes follow its end"),
        ("shout", "bad_output", "got a length of 2147483647"),
        ("nan", "bad_output", "NaN or infinity"),
        ("shape", "bad_output", "must be float32 (h, w), got float32 (8,)"),
        ("pace", "bad_output", "its way to make passes is not told: paces must be numbers of lanes, batch, lane_batch"),
        ("raise", "run_error", "RuntimeError: <script>"),
    ],
)
def test_a_worker_that_fails_is_its_members_status(
    how: str, status: str, reason: str, world: World, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, limit=1, engine=replace(SETTINGS.engine, command_seconds=4.0))
    run = co.audit(
        co.load_committee(world.models),
        world.pictures,
        labels=world.labels,
        explainers=[Misbehaving(how)],
        settings=settings,
        out=tmp_path / "run",
    )
    good, bad = run.members
    assert good.status == "ok"
    assert bad.status == status, bad.reason
    assert reason in bad.reason
    assert "warn" not in bad.reason  # what a worker is quoted as having said are its own last words
    assert len(bad.reason) < 2500
    assert bad.reason.isprintable()
    assert np.isfinite(run.scores("misbehaving")[0]).all()
    assert np.isnan(run.scores("misbehaving")[1]).all()


def test_bad_files_cost_only_themselves(world: World, finished: co.Run, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(world.models, models)
    manifest = (models / "committee.yaml").read_text(encoding="utf-8")
    for name in ("noise", "pointer", "empty"):
        manifest += f"- {{file: {name}.onnx}}\n"
    (models / "committee.yaml").write_text(manifest, encoding="utf-8")
    (models / "noise.onnx").write_bytes(b"\xff" * 300)
    (models / "pointer.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0", encoding="utf-8")
    (models / "empty.onnx").touch()
    run, _ = World(models, world.pictures, world.labels).audit(tmp_path / "run")
    by_name = {member.name: member for member in run.members}
    assert [by_name[name].status for name in ("noise", "pointer", "empty")] == ["rejected"] * 3
    assert "is not an ONNX file" in by_name["noise"].reason
    assert "git lfs pull" in by_name["pointer"].reason
    assert "is empty" in by_name["empty"].reason
    ours, theirs = tree(tmp_path / "run"), tree(finished.path)
    explanations = [name for name in theirs if name.startswith(("explanations.zarr/lime", "explanations.zarr/smooth"))]
    assert explanations
    assert all(ours[name] == theirs[name] for name in explanations)


def test_a_model_without_gradient_is_scored_by_lime_alone(tmp_path: Path, world: World) -> None:
    nets = {"det": tiny_models.unsupported_operator(size=8, classes=10)}
    models = tiny_models.write_committee(tmp_path / "models", nets)
    run, _ = World(models, world.pictures, world.labels).audit(tmp_path / "run", limit=2)
    (member,) = run.members
    assert member.status == "unsupported(smoothgrad)"
    assert "no gradient rule for Det" in member.reason
    assert np.isfinite(run.scores("lime")).all()
    assert np.isnan(run.scores("smoothgrad")).all()


def test_a_bad_picture_is_left_out_with_its_reason(world: World, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(world.pictures, pictures)
    victim = sorted(pictures.iterdir())[1]
    victim.write_bytes(victim.read_bytes()[:100])
    run, _ = World(world.models, pictures, world.labels).audit(tmp_path / "run")
    (failed,) = run.failed_images
    assert failed.name == victim.name
    assert "cannot be decoded" in failed.reason
    assert run.scores("lime").shape == (2, 3)


def test_nothing_usable_is_an_error(world: World, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"none of the 1 images can be used; the first: .*a.png"):
        co.audit(co.load_committee(world.models), pictures, settings=SETTINGS, out=tmp_path / "a")
    models = tmp_path / "models"
    models.mkdir()
    (models / "bad.onnx").write_bytes(b"\xff" * 300)
    with pytest.raises(ModelError, match=r"none of the 1 members can be used: .*bad.onnx: is not an ONNX file"):
        World(models, world.pictures, world.labels).audit(tmp_path / "b")


def test_class_counts_that_differ_are_refused(world: World, tmp_path: Path) -> None:
    nets = {"four": tiny_models.linear_classifier(classes=4), "six": tiny_models.linear_classifier(classes=6)}
    models = tiny_models.write_committee(tmp_path / "models", nets)
    with pytest.raises(ConfigError, match=r"class counts differ: four.onnx has 4, six.onnx has 6; declare `classes`"):
        World(models, world.pictures, world.labels).audit(tmp_path / "run")


def test_labels_outside_the_committees_classes_are_refused(world: World, tmp_path: Path) -> None:
    models = tiny_models.write_committee(tmp_path / "models", {"two": tiny_models.linear_classifier(classes=2)})
    with pytest.raises(ConfigError, match=r"labels lie outside the committee's classes 0..1, the first: .*\.png has"):
        World(models, world.pictures, world.labels).audit(tmp_path / "run")


def test_two_audits_in_one_folder(world: World, finished: co.Run, tmp_path: Path) -> None:
    from consensus_onnx.engine.lock import folder_lock

    shutil.copytree(finished.path, tmp_path / "run")
    with folder_lock(tmp_path / "run"), pytest.raises(StoreError, match=r"another audit works here \(process \d+ on "):
        world.audit(tmp_path / "run")
