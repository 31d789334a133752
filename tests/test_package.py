"""What gets installed: one wheel that puts only our import names on the path, with the files its code reads."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_the_wheel_holds_our_packages_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a build leaves folders behind that a later one would pick up
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "runs", "tests", "*.egg-info"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "consensus_onnx",
        "consensus_onnx_kernels",
        "consensus_onnx_zoo",
    }
    for needed in (
        "consensus_onnx/__init__.pyi",
        "consensus_onnx/py.typed",
        "consensus_onnx/report/page.html",
        "consensus_onnx/gradients/rules/activations.py",
        "consensus_onnx_kernels/py.typed",
        "consensus_onnx_zoo/committee/committee.yaml",
        "consensus_onnx_zoo/committee/resnet.onnx",
        "consensus_onnx_zoo/committee/resnet.npz",
    ):
        assert needed in names


@pytest.mark.parametrize(
    ("system", "machine", "package"),
    [
        ("linux", "x86_64", "onnxruntime-gpu"),
        ("win32", "AMD64", "onnxruntime-gpu"),
        ("linux", "aarch64", "onnxruntime"),
        ("darwin", "arm64", "onnxruntime"),
    ],
)
def test_every_machine_gets_exactly_one_onnx_runtime(system: str, machine: str, package: str) -> None:
    environment = {"sys_platform": system, "platform_machine": machine, "extra": ""}
    wanted = [Requirement(text) for text in requires("consensus-onnx") or []]
    chosen = [r.name for r in wanted if r.marker is None or r.marker.evaluate(environment)]
    assert [name for name in chosen if name.startswith("onnxruntime")] == [package]


def test_every_dependency_has_a_lower_bound() -> None:
    wanted = [Requirement(text) for text in requires("consensus-onnx") or []]
    unbounded = [r.name for r in wanted if r.marker is None and not any(s.operator == ">=" for s in r.specifier)]
    assert not unbounded
