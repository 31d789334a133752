"""The command line from outside: exit codes, one-line errors, machine output, no traceback ever."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import tiny_models
from consensus_onnx_zoo.scenes import write_scenes
from miniature import SIDE, build_committee

QUICK = [
    *("--set", f"canvas.resize={SIDE}", "--set", f"canvas.crop={SIDE}"),
    *("--set", "lime.samples=60", "--set", "lime.superpixels.method=grid", "--set", "lime.superpixels.segments=16"),
    *("--set", "smoothgrad.samples=3", "--provider", "cpu"),
]


@dataclass(frozen=True)
class Files:
    """Things to name on a command line."""

    root: Path
    models: Path
    pictures: Path
    labels: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    root = tmp_path_factory.mktemp("cli")
    models = build_committee(root / "models")
    labels = write_scenes(root / "scenes", 2)
    (root / "empty").mkdir()
    (root / "noise.onnx").write_bytes(b"\xff" * 100)
    (root / "unknown.yaml").write_text("lime:\n  sampels: 10\nseeed: 3\n", encoding="utf-8")
    (root / "twice.yaml").write_text("seed: 1\nseed: 2\n", encoding="utf-8")
    (root / "far.csv").write_text("file,label\n" + f"{next((root / 'scenes/pictures').iterdir()).name},77\n", "utf-8")
    (root / "ghost.csv").write_text("file,label\nghost.png,1\n", encoding="utf-8")
    tiny_models.write_committee(root / "det", {"det": tiny_models.unsupported_operator()})
    return Files(root, models, root / "scenes" / "pictures", labels)


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from consensus_onnx.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)


BAD = {
    "no such folder": (["audit", "{root}/nowhere", *("--images", "{pictures}", "--out", "{out}")], "no such folder"),
    "no models": (["audit", "{root}/empty", "--images", "{pictures}", "--out", "{out}"], "no .onnx files here"),
    "no pictures": (["audit", "{models}", "--images", "{root}/empty", "--out", "{out}"], "no pictures found"),
    "missing pictures": (["audit", "{models}", "--images", "{root}/gone", "--out", "{out}"], "gone"),
    "missing labels": (
        ["audit", "{models}", "--images", "{pictures}", "--labels", "{root}/gone.csv", "--out", "{out}"],
        "gone.csv",
    ),
    "label out of range": (
        ["audit", "{models}", "--images", "{pictures}", "--labels", "{root}/far.csv", "--out", "{out}"],
        "far.csv:2",
    ),
    "label of a missing file": (
        ["audit", "{models}", "--images", "{pictures}", "--labels", "{root}/ghost.csv", "--out", "{out}"],
        "ghost.csv:2",
    ),
    "no out": (["audit", "{models}", "--images", "{pictures}"], "--out"),
    "unknown option": (["audit", "{models}", "--imges", "{pictures}", "--out", "{out}"], "--images"),
    "unknown command": (["adit", "{models}"], "adit"),
    "unknown explainer": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--explainer", "lim"],
        "did you mean 'lime'?",
    ),
    "unknown keys of a file": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--config", "{root}/unknown.yaml"],
        "unknown.yaml:2: lime: unknown key 'sampels'; did you mean 'samples'?",
    ),
    "duplicate key": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--config", "{root}/twice.yaml"],
        "twice.yaml:2",
    ),
    "missing file of settings": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--config", "{root}/no.yaml"],
        "no.yaml",
    ),
    "unknown key of --set": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--set", "lime.sampels=3"],
        "did you mean 'samples'?",
    ),
    "malformed --set": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--set", "lime.samples"],
        "must be dotted.key=value",
    ),
    "value out of range": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--set", "smoothgrad.noise=15"],
        "smoothgrad.noise: must be > 0 and <= 1, got 15",
    ),
    "target that is none": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--target", "mine"],
        "target",
    ),
    "target out of range": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--target", "12", *QUICK],
        "must be a class in 0..11, got 12",
    ),
    "label target without labels": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--target", "label"],
        "needs a label for every image",
    ),
    "limit of zero": (["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--limit", "0"], ">= 1"),
    "provider that is none": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{out}", "--provider", "gpu"],
        "runtime.provider",
    ),
    "out is a file": (["audit", "{models}", "--images", "{pictures}", "--out", "{labels}", *QUICK], "cannot be made"),
    "out holds something else": (
        ["audit", "{models}", "--images", "{pictures}", "--out", "{models}", *QUICK],
        "is not empty",
    ),
    "gradient of no model": (["gradient", "{root}/noise.onnx", "-o", "{out}"], "is not an ONNX file"),
    "gradient of a missing file": (["gradient", "{root}/gone.onnx", "-o", "{out}"], "gone.onnx"),
    "gradient without a rule": (["gradient", "{root}/det/det.onnx", "-o", "{out}"], "no gradient rule for Det"),
    "gradient of an unknown tensor": (
        ["gradient", "{models}/plain.onnx", "-o", "{out}", "--of", "nothing"],
        "got 'nothing'",
    ),
    "gradient of a misspelt tensor": (
        ["gradient", "{models}/plain.onnx", "-o", "{out}", "--of", "logit"],
        "got 'logit'; nearest: logits",
    ),
    "gradient by a misspelt tensor": (
        ["gradient", "{models}/plain.onnx", "-o", "{out}", "--wrt", "inpt"],
        "wrt: expected one of input or an inner tensor (of the folded graph), got 'inpt'; nearest: input",
    ),
    "gradient of a class too many": (
        ["gradient", "{models}/plain.onnx", "-o", "{out}", "--target", "12"],
        "target: expected 0 to 11, entries of axis 1 of 'logits', got 12",
    ),
    "gradient into no folder": (["gradient", "{models}/plain.onnx", "-o", "{out}/g.onnx"], "cannot be written"),
    "report of no run": (["report", "{root}/empty"], "is no run folder"),
    "inspect labels without pictures": (["inspect", "{models}", "--labels", "{labels}"], "--images"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_2(name: str, files: Files, tmp_path: Path) -> None:
    arguments, text = BAD[name]
    places = {"root": files.root, "models": files.models, "pictures": files.pictures, "labels": files.labels}
    done = call(*(argument.format(out=tmp_path / "out", **places) for argument in arguments))
    assert done.returncode == 2, done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_cuda_is_refused_where_there_is_none(files: Files, tmp_path: Path) -> None:
    from consensus_onnx.runtime import available_providers

    if "cuda" in available_providers():
        pytest.skip("this machine has a CUDA device")
    done = call(
        "audit", files.models, "--images", files.pictures, "--out", tmp_path / "o", *QUICK, "--provider", "cuda"
    )
    assert done.returncode == 2
    assert "provider cuda was asked for, but ONNX Runtime finds no usable CUDA device" in done.stderr


@pytest.fixture(scope="module")
def audited(files: Files) -> subprocess.CompletedProcess[str]:
    out = files.root / "run"
    return call("audit", files.models, "--images", files.pictures, "--labels", files.labels, "--out", out, *QUICK)


def test_an_audit_says_what_to_remember(audited: subprocess.CompletedProcess[str], files: Files) -> None:
    assert audited.returncode == 0, audited.stderr
    assert [line for line in audited.stderr.splitlines() if line.startswith("plain: ok")]
    lines = audited.stdout.splitlines()
    assert max(map(len, lines)) <= 100 or lines[-1].startswith("results: ")
    assert "miniature: 2 of 2 members, 2 images" in lines
    assert lines[-1] == f"results: {files.root / 'run' / 'report.html'}"
    assert (files.root / "run" / "report.html").stat().st_size > 10_000


def test_a_member_alone_agrees_with_nobody(files: Files, tmp_path: Path) -> None:
    model = files.models / "plain.onnx"
    done = call("audit", model, "--images", files.pictures, "--out", tmp_path / "run", *QUICK, "--limit", "1")
    assert done.returncode == 0, done.stderr
    assert "lime: plain is alone; the consensus is its own explanation" in done.stdout.splitlines()
    assert "agrees most" not in done.stdout


def test_json_is_json(audited: subprocess.CompletedProcess[str], files: Files) -> None:
    done = call("audit", files.models, "--images", files.pictures, "--out", files.root / "run", *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert [member["name"] for member in content["members"]] == ["plain", "depthwise"]
    assert 0 < content["members"][0]["scores"]["lime"]["score"] <= 1
    assert done.stderr == ""


def test_quiet_is_quiet(audited: subprocess.CompletedProcess[str], files: Files) -> None:
    done = call("audit", files.models, "--images", files.pictures, "--out", files.root / "run", *QUICK, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_failed_members_make_exit_code_3(files: Files, tmp_path: Path) -> None:
    nets = {"det": tiny_models.unsupported_operator(classes=12), "fine": tiny_models.linear_classifier(classes=12)}
    models = tiny_models.write_committee(tmp_path / "models", nets)
    done = call("audit", models, "--images", files.pictures, "--out", tmp_path / "run", *QUICK, "--limit", "1")
    assert done.returncode == 3, done.stderr
    assert "no gradient rule for Det" in done.stderr


def test_inspect_fits_a_terminal_and_speaks_json(files: Files) -> None:
    sets = ["--set", f"canvas.resize={SIDE}", "--set", f"canvas.crop={SIDE}"]
    done = call("inspect", files.models, "--images", files.pictures, "--labels", files.labels, *sets)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "…" not in done.stdout
    assert "96x96 NCHW RGB" in done.stdout
    plain = json.loads(call("inspect", files.models, "--json").stdout)[0]
    assert plain["facts"]["output"] == {
        "name": "logits",
        "kind": "logits",
        "width": 12,
        "class_offset": 0,
        "classes": 12,
    }
    assert plain["gradient_obstacles"] == []


def test_inspect_names_what_stops_a_gradient(files: Files) -> None:
    done = call("inspect", files.root / "det")
    assert done.returncode == 0, done.stderr
    assert "Det-22" in done.stdout or "Det-11" in done.stdout
    assert "SmoothGrad will leave it out" in done.stdout


def test_gradient_writes_a_model_that_runs(files: Files, tmp_path: Path) -> None:
    done = call("gradient", files.models / "plain.onnx", "-o", tmp_path / "g.onnx", "--check")
    assert done.returncode == 0, done.stderr
    assert "checked: error against differences" in done.stdout
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])
    feeds = {"input": np.zeros((2, 3, SIDE, SIDE), np.float32), "grad/seed": np.eye(2, 12, dtype=np.float32)}
    assert session.run(["grad/input"], feeds)[0].shape == (2, 3, SIDE, SIDE)


def test_gradient_of_one_class_needs_no_seed(files: Files, tmp_path: Path) -> None:
    arguments = (files.models / "plain.onnx", "-o", tmp_path / "g.onnx", "--of", "log-probabilities", "--target", "2")
    done = call("gradient", *arguments, "--check", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["seed"], told["gradient"], told["output"]) == (None, "grad/input", "grad/log_probabilities")
    assert told["max_relative_error"] < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])
    assert [info.name for info in session.get_inputs()] == ["input"]
    noise = np.random.default_rng(0).standard_normal((2, 3, SIDE, SIDE)).astype(np.float32)
    gradient = session.run(["grad/input"], {"input": noise})[0]
    assert gradient.shape == (2, 3, SIDE, SIDE)
    assert gradient.any()


def test_help_costs_no_numpy_and_no_runtime() -> None:
    code = (
        "import sys\nfrom consensus_onnx.cli import main\nmain(['--help'], standalone_mode=False)\n"
        "print([name for name in ('numpy', 'onnx', 'onnxruntime', 'numba', 'skimage', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.splitlines()[-1] == "[]"


# What pybind11 makes of a signal while ONNX Runtime is imported.
STOPPED_AT_IMPORT = """
import os, signal, sys
class Importing:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            try:
                signal.raise_signal({number})
            except BaseException as error:
                raise ImportError("initialization failed") from error
sys.meta_path.insert(0, Importing())
from consensus_onnx.cli import main
main()
"""


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_that_a_library_wraps_is_still_a_signal(
    number: signal.Signals, code: int, word: str, files: Files, tmp_path: Path
) -> None:
    program = STOPPED_AT_IMPORT.format(number=int(number))
    arguments = ["audit", str(files.models), "--images", str(files.pictures), "--out", str(tmp_path / "run"), *QUICK]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        code,
        f"{word}; run the same command again to go on where it stopped",
    )
    assert "Traceback" not in done.stderr
