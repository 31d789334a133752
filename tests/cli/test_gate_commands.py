"""`baseline` and `gate` from outside: exit codes, what is printed and written, one line for what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gated import Gated, build_gated


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Gated:
    return build_gated(tmp_path_factory.mktemp("gated"))


def call(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from consensus_onnx.cli import main; main()", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=180, check=False, stdin=subprocess.DEVNULL, cwd=folder
    )


@pytest.mark.slow
def test_from_a_run_to_a_passing_and_a_failing_job(gated: Gated, tmp_path: Path) -> None:
    frozen = call("baseline", "freeze", gated.run.path, "-o", tmp_path / "baseline.zip")
    assert frozen.returncode == 0, frozen.stderr
    assert "2 members, 12 classes, target predicted" in frozen.stdout
    assert (tmp_path / "baseline.zip").read_bytes() == gated.file.read_bytes()
    candidate = gated.copy_of("plain", tmp_path / "candidate")
    files = {name: tmp_path / f"gate.{name}" for name in ("junit", "sarif", "markdown", "json", "html")}
    written = [part for name, path in files.items() for part in (f"--{name}", path)]
    passed = call("gate", candidate, "--baseline", "baseline.zip", "--reference", "plain", *written, folder=tmp_path)
    assert passed.returncode == 0, passed.stderr
    assert "gate: passed" in passed.stdout
    assert "preprocessing: scale, mean, std, color, class offset: inherited from plain" in passed.stdout
    assert json.loads(files["json"].read_text(encoding="utf-8"))["verdict"] == "passed"
    assert json.loads(files["sarif"].read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert ElementTree.parse(files["junit"]).getroot().get("failures") == "0"
    assert files["markdown"].read_text(encoding="utf-8").startswith("## ✅")
    assert files["html"].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    other = gated.world.models / "depthwise.onnx"
    failed = call(
        *("gate", other, "--baseline", "baseline.zip", "--reference", "plain", "--explainer", "lime"),
        *("--markdown", "-", "--max-score-drop", "0.5", "--quiet"),
        folder=tmp_path,
    )
    assert failed.returncode == 1, failed.stderr
    assert failed.stdout.startswith("## ❌ consensus-onnx gate: failed")
    assert "| max_score_drop.lime |" in failed.stdout
    assert "Traceback" not in failed.stderr


def test_show_says_what_is_in_it(gated: Gated) -> None:
    shown = call("baseline", "show", gated.file)
    assert shown.returncode == 0
    for said in (
        "sha256 ",
        "6 pictures inside, canvas 96 x 96, 6 labelled, 6 with a mask",
        "reruns predicted",
        "depthwise",
    ):
        assert said in shown.stdout


BAD = {
    "no such baseline": (["gate", "{candidate}", "--baseline", "{root}/none.zip"], "none.zip: no such file"),
    "no baseline": (["gate", "{candidate}", "--baseline", "{candidate}"], "is damaged or was tampered with"),
    "tampered": (["gate", "{candidate}", "--baseline", "{root}/tampered.zip"], "is damaged or was tampered with"),
    "no candidate": (["gate", "{root}/gone.onnx", "--baseline", "{file}"], "gone.onnx: no such file"),
    "no model": (["gate", "{file}", "--baseline", "{file}", "--reference", "plain"], "is not an ONNX file"),
    "no reference": (["gate", "{candidate}", "--baseline", "{file}", "--reference", "plian"], "did you mean 'plain'"),
    "bad limit": (
        ["gate", "{candidate}", "--baseline", "{file}", "--max-score-drop", "much", "--set", "gate.powr=0.9"],
        "unknown key 'powr'; did you mean 'power'",
    ),
    "bad provider": (["gate", "{candidate}", "--baseline", "{file}", "--provider", "tpu"], "--provider"),
    "nothing judged": (
        ["gate", "{candidate}", "--baseline", "{file}", "--set", "gate.min_score_percentile=null"],
        "nothing would be judged",
    ),
    "no run": (["baseline", "freeze", "{root}", "-o", "{root}/b.zip"], "is no run folder"),
    "no models": (
        ["baseline", "freeze", "{run}", "-o", "{root}/b.zip", "--repeats", "1"],
        "give their folder with --models",
    ),
    "no place": (["baseline", "freeze", "{run}", "-o", "{root}/no/b.zip"], "cannot be written"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_one_line_and_exit_2(gated: Gated, tmp_path: Path, case: str) -> None:
    arguments, said = BAD[case]
    data = bytearray(gated.file.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "tampered.zip").write_bytes(data)
    places = {
        "root": tmp_path,
        "file": gated.file,
        "run": gated.run.path,
        "candidate": gated.world.models / "plain.onnx",
    }
    done = call(*(argument.format(**places) for argument in arguments), folder=tmp_path)
    assert done.returncode == 2, done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert any(said in line for line in errors)
    assert len(errors) == (2 if case == "bad limit" else 1)
    assert "Traceback" not in done.stderr
    assert "passed" not in done.stdout
