"""Every flipped byte, missing file and foreign file of a run is found; a repair costs what was damaged and no more."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import consensus_onnx as co
from consensus_onnx.cli import main
from consensus_onnx.engine.events import UnitDone
from consensus_onnx.engine.lock import LOCK_FILE, folder_lock
from consensus_onnx.engine.seal import seal_report
from consensus_onnx.engine.verification import Finding, verify
from consensus_onnx.errors import StoreError
from worlds import World, tree


@pytest.fixture
def copy(finished: co.Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished.path, tmp_path / "run"))


@pytest.fixture(params=["finished", "compact"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a copy of a run that keeps maps as they are, and of one that keeps them small."""
    return Path(shutil.copytree(request.getfixturevalue(request.param).path, tmp_path / "either"))


def put_report(folder: Path) -> None:
    (folder / "report.html").write_text("<title>a report</title>", encoding="utf-8")
    seal_report(folder)


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def stored_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != LOCK_FILE]


def test_a_finished_run_is_intact(copy: Path) -> None:
    put_report(copy)
    before = tree(copy)
    found = verify(copy)
    assert found.intact
    assert found.finished
    assert found.units == 4 + 2 * 4 + 2 * 2 * 4  # images, predictions, explanations
    assert tree(copy) == before


def test_one_flipped_byte_in_any_file_is_found(either: Path) -> None:
    put_report(either)
    units = {path for path in stored_files(either) if re.search(r"zarr/(?!results).*/c\.\d", path.as_posix())}
    others = set(stored_files(either)) - units - {either / "seal.json"}
    assert len(units) == 4 * 3 + 4 * 2 + 4 * 2 * 2 * 2  # canvas, mask, superpixels; predictions; values and errors
    assert len(others) > 50
    for victims in (units, others, {either / "seal.json"}):
        intact = {path: path.read_bytes() for path in victims}
        for number, path in enumerate(sorted(victims)):
            flip(path, (number * 7919) % len(intact[path]))
        assert {either / path for path in named(verify(either).findings)} >= victims
        for path, content in intact.items():
            path.write_bytes(content)
    assert verify(either).intact


def named(findings: tuple[Finding, ...]) -> set[str]:
    """Return the files that findings name; a stored row is named by its array and number."""
    rows = {(finding.path, *re.findall(r"^row (\d+) ", finding.what)) for finding in findings}
    return {f"{row[0]}/c.{row[1]}{'.0' * axes}" if len(row) > 1 else row[0] for row in rows for axes in (1, 2, 3)}


def test_missing_and_foreign_files_are_found(copy: Path) -> None:
    for path in stored_files(copy)[::25]:
        content = path.read_bytes()
        path.unlink()
        assert "missing" in " ".join(f"{finding.kind} {finding.what}" for finding in verify(copy).findings), path
        path.write_bytes(content)
    inside = next((copy / "explanations.zarr" / "smoothgrad").rglob("values"))
    strangers = (copy / "notes.txt", copy / "receipts" / "lime" / "more.jsonl", inside / "evil", inside / "c.0.0.x")
    for foreign in strangers:
        foreign.write_text("hello", encoding="utf-8")
        (finding,) = verify(copy).findings
        assert (finding.kind, finding.path) == ("foreign", foreign.relative_to(copy).as_posix())
        foreign.unlink()


@pytest.mark.parametrize(
    ("victim", "how", "redone"),
    [
        ("explanations.zarr/lime/*/values/c.2.0", "flip", 1),
        ("explanations.zarr/lime/*/values/c.2.0", "remove", 1),
        ("explanations.zarr/smoothgrad/*/standard_error/c.1.0.0", "flip", 1),
        ("explanations.zarr/predictions/*/c.3.0", "flip", 0),
        ("explanations.zarr/images/canvas/c.0.0.0.0", "remove", 0),
        ("explanations.zarr/results/lime/scores/c/0/0", "flip", 0),
        ("explanations.zarr/lime/*/values/zarr.json", "flip", 0),
        ("explanations.zarr/zarr.json", "remove", 0),
        ("receipts/smoothgrad/*.jsonl", "flip", 1),
        ("receipts/smoothgrad/*.jsonl", "remove", 4),
        ("receipts/rows.jsonl", "flip", 0),
        ("scores.csv", "remove", 0),
        ("run.yaml", "flip", 0),
        ("seal.json", "flip", 0),
    ],
)
def test_a_repaired_run_is_made_whole_by_the_same_audit(
    victim: str, how: str, redone: int, copy: Path, world: World, finished: co.Run
) -> None:
    path = next(copy.glob(victim))
    if how == "flip":
        flip(path, path.stat().st_size // 3)
    else:
        path.unlink()
    assert not verify(copy, repair=True).intact
    assert verify(copy).intact
    _, events = world.audit(copy)
    assert sum(isinstance(event, UnitDone) for event in events) == redone
    ours, theirs = tree(copy), tree(finished.path)
    assert set(ours) == set(theirs)
    differing = {name for name in ours if ours[name] != theirs[name]}
    assert all(name.startswith(("receipts/", "seal.json")) for name in differing)  # made again, receipted last


def test_what_an_unfinished_run_holds_is_verified_too(copy: Path) -> None:
    (copy / "seal.json").unlink()
    (copy / "run.yaml").write_text("identity: {explainers: {}}\n", encoding="utf-8")
    assert verify(copy).intact
    chunk = next(copy.glob("explanations.zarr/lime/*/values/c.2.0"))
    flip(chunk, 20)
    (finding,) = verify(copy).findings
    assert finding.kind == "damaged"
    assert "row 2 cannot be read" in finding.what or "row 2 differs" in finding.what


def test_refusals(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no run folder"):
        verify(tmp_path)
    with folder_lock(copy), pytest.raises(StoreError, match=r"another audit works here \(process"):
        verify(copy)
    (copy / "seal.json").unlink()
    (copy / "run.yaml").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=r"run.yaml: is damaged and there is no copy of it; audit into a new folder"):
        verify(copy, repair=True)


def test_a_symbolic_link_is_foreign(copy: Path) -> None:
    os.symlink("/etc/passwd", copy / "link")
    assert [finding.kind for finding in verify(copy).findings] == ["foreign"]


def test_the_command_tells_and_exits_by_what_is_left(copy: Path) -> None:
    def call(*options: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["verify", str(copy), *options])
        return done.exit_code, done.output

    assert call() == (
        0,
        f"{copy}: {4 + 2 * 4 + 2 * 2 * 4} units and {verify(copy).files} other files read, 0 problems found\n",
    )
    flip(copy / "scores.csv", 5)
    code, said = call()
    assert code == 1
    assert "damaged: scores.csv: its bytes are not the ones that were written" in said
    code, said = call("--json")
    assert code == 1
    assert [finding["path"] for finding in json.loads(said)["findings"]] == ["scores.csv"]
    code, said = call("--repair")
    assert code == 0
    assert "run the same audit again" in said
    code, said = call()
    assert code == 0
    assert "the run is not finished" in said
