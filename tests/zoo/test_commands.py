"""`consensus-onnx zoo` and `consensus-onnx demo`, from outside and on a part of the committee."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import consensus_onnx as co
from consensus_onnx.cli import main
from consensus_onnx.cli.demo import demo_lines
from consensus_onnx.config import read_yaml, yaml_text
from consensus_onnx_zoo.committee import FOLDER, OUTSIDERS
from consensus_onnx_zoo.scenes import write_scenes

PART = ("resnet", "squeezenet", "vgg", "mobilenet-x0.25", "alexnet", "resnet-shortcut")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_list_names_every_member_and_what_sets_it_apart() -> None:
    done = call("zoo", "list")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    for member in co.load_committee(FOLDER):
        (line,) = [line for line in lines if line.split()[0] == member.name]
        assert f"{member.accuracy:.3f}" in line
        assert OUTSIDERS.get(member.name, "") in line
    assert max(map(len, lines[:-1])) <= 80


def test_export_is_a_committee_folder(tmp_path: Path) -> None:
    done = call("zoo", "export", tmp_path / "models")
    assert done.exit_code == 0, done.output
    exported, embedded = co.load_committee(tmp_path / "models"), co.load_committee(FOLDER)
    assert [member.name for member in exported] == [member.name for member in embedded]
    assert [member.file_digest() for member in exported] == [member.file_digest() for member in embedded]
    assert done.output.startswith(f"{len(embedded)} members")


def test_export_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "committee.yaml").write_text("name: mine\n")
    done = call("zoo", "export", tmp_path)
    assert done.exit_code == 2
    assert "already holds committee.yaml and 0 more; give a new folder" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["committee.yaml"]


@pytest.mark.parametrize("command", [["zoo", "export"], ["zoo", "images"]])
def test_a_file_is_no_folder(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = call(*command, tmp_path / "file")
    assert done.exit_code == 2
    assert "is a file; give a folder" in done.output


def test_images_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        done = call("zoo", "images", tmp_path / name, "--count", 3, "--seed", 7, "--objects", 2, "--shortcut")
        assert done.exit_code == 0, done.output
        files = sorted((tmp_path / name).rglob("*.png"))
        assert len(files) == 6
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["--count", "0"], "--count"), (["--objects", "9"], "--objects"), (["--seed", "-1"], "--seed")],
)
def test_impossible_images_are_refused(arguments: list[str], text: str, tmp_path: Path) -> None:
    done = call("zoo", "images", tmp_path / "x", *arguments)
    assert done.exit_code == 2
    assert text in done.output
    assert not (tmp_path / "x").exists()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> co.Run:
    """A part of the committee, audited on twelve scenes."""
    folder = tmp_path_factory.mktemp("part")
    manifest = dict(read_yaml(FOLDER / "committee.yaml").values)
    manifest["members"] = [entry for entry in manifest["members"] if entry["name"] in PART]
    for name in PART:
        (folder / f"{name}.onnx").symlink_to(FOLDER / f"{name}.onnx")
    (folder / "committee.yaml").write_text(yaml_text(manifest), encoding="utf-8")
    labels = write_scenes(folder / "scenes", 12)
    settings = co.AuditSettings(
        canvas=co.CanvasSettings(96, 96),
        lime=co.Lime(samples=60),
        smoothgrad=co.SmoothGrad(samples=4),
        runtime=co.RuntimeSettings(provider="cpu"),
    )
    committee = co.load_committee(folder)
    return co.audit(committee, folder / "scenes" / "pictures", labels=labels, settings=settings, out=folder / "run")


def test_the_demo_says_what_the_run_holds(run: co.Run) -> None:
    lines = demo_lines(run)
    assert len(lines) == 6
    honest = [index for index, member in enumerate(run.members) if member.name not in OUTSIDERS]
    assert len(honest) == 5
    for position, explainer in enumerate(("lime", "smoothgrad")):
        score, precision, place = lines[3 * position : 3 * position + 3]
        scores = run.scores(explainer).mean(axis=1)
        accuracies = [run.members[index].accuracy for index in honest]
        expected = np.corrcoef(accuracies, scores[honest])[0, 1]
        assert f"over 5 honest members: Pearson {expected:.2f} [" in score
        members = np.nanmean(run.mask_ap(explainer), axis=1)[honest]
        assert f"consensus {np.nanmean(run.consensus_ap(explainer)):.3f}" in precision
        assert f"members {members.min():.3f} to {members.max():.3f}" in precision
        rank = 1 + int((scores > scores[run.member_index("resnet-shortcut")]).sum())
        assert place.endswith(f"place by score of 6, trained on the shortcut: resnet-shortcut {rank}")


def test_the_consensus_finds_the_object(run: co.Run) -> None:
    for explainer in run.explainers:
        chance = np.mean([run.mask(image).mean() for image in range(len(run.images))])  # type: ignore[union-attr]
        assert np.nanmean(run.consensus_ap(explainer)) > 2 * chance


@pytest.mark.slow
def test_the_demo_audits_the_whole_committee(tmp_path: Path) -> None:
    # 16 superpixels need more than 16 rows.
    coarse = ("--set", "lime.superpixels.method=grid", "--set", "lime.superpixels.segments=16")
    quick = ("--set", "lime.samples=40", "--set", "smoothgrad.samples=2", "--images", 3, *coarse)
    done = call("demo", "--out", tmp_path / "demo", *quick)
    assert done.exit_code == 0, done.output
    members = len(co.load_committee(FOLDER))
    assert f"embedded: {members} of {members} members, 3 images" in done.output
    assert done.output.splitlines()[-1].endswith("report.html")
    assert (tmp_path / "demo" / "run" / "report.html").stat().st_size > 10_000
    again = call("demo", "--out", tmp_path / "demo", *quick)  # nothing is left to do
    assert again.exit_code == 0, again.output
