"""The GitHub action: its own script, run as a runner would, on the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gated import Gated

ROOT = Path(__file__).resolve().parents[2]


def action() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return content


def run_gate(folder: Path, **inputs: str) -> tuple[int, dict[str, str], str]:
    """Run the step `gate` with some inputs; return its exit code, outputs and summary."""
    step = next(step for step in action()["runs"]["steps"] if step.get("id") == "gate")
    values = {name: str(entry.get("default", "")) for name, entry in action()["inputs"].items()} | inputs
    variables = {name: values.get(name.lower(), str(text)) for name, text in step["env"].items()}
    files = {name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.write_text("", encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **variables, **{name: str(file) for name, file in files.items()}, "PATH": path}
    done = subprocess.run(
        ["bash", "-c", step["run"]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    lines = files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    return done.returncode, outputs, files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")


def test_no_input_is_pasted_into_a_script() -> None:
    for step in action()["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_what_is_broken_breaks_the_step(tmp_path: Path) -> None:
    code, outputs, summary = run_gate(tmp_path, candidates="a.onnx; touch evil", baseline="none.zip")
    assert (code, outputs["exit-code"], outputs["verdict"], summary) == (2, "2", "", "")
    assert not (tmp_path / "evil").exists()


@pytest.mark.slow
def test_every_candidate_is_gated_and_reported(gated: Gated, tmp_path: Path) -> None:
    for number in (1, 2):
        gated.copy_of("plain", tmp_path / f"exports{number}")
    code, outputs, summary = run_gate(
        tmp_path,
        candidates="exports*/*.onnx\n",
        baseline=str(gated.file),
        reference="plain",
        arguments="--explainer=lime\n--max-score-drop=0.1",
    )
    assert (code, outputs) == (0, {"verdict": "passed", "exit-code": "0"})
    assert "exports1/new.onnx against plain: passed" in summary
    assert "exports2/new.onnx against plain: passed" in summary
    names = {path.name for path in (tmp_path / "gate-report").iterdir()}
    assert names == {f"gate.{suffix}" for suffix in ("html", "md", "json", "sarif", "xml")}


def test_the_projects_own_workflow_uses_it_on_members_there_are() -> None:
    from consensus_onnx_zoo.committee import FOLDER

    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "gate.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["gate"]
    assert any(step.get("uses") == "./" for step in job["steps"])
    for member in job["strategy"]["matrix"]["member"]:
        assert (FOLDER / f"{member}.onnx").is_file()
    known = set(action()["inputs"])
    assert set(next(step for step in job["steps"] if step.get("uses") == "./")["with"]) <= known
