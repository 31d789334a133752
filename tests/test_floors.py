"""Imports run one way: a room imports only what stands below it, and some libraries have one room each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Rooms by floor, the ground first; rooms on one floor do not know each other.
FLOORS = [
    {"errors", "arrays"},
    {"config"},
    {"kernels"},
    {"runtime"},
    {"gradients"},
    {"images", "committee"},
    {"explainers"},
    {"consensus"},
    {"analysis"},
    {"engine"},
    {"gate"},
    {"report"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
ONE_ROOM = {"yaml": {"config"}, "onnxruntime": {"runtime"}, "click": {"cli"}, "rich": {"cli"}, "zarr": {"engine"}}


def imported(source: str) -> Iterator[str]:
    """Yield the modules a source imports, anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def room_of(module: str) -> str | None:
    """Return the room of one of our modules, None for others and for the package's own door."""
    parts = module.split(".")
    if parts[0] == "consensus_onnx_kernels":
        return "kernels"
    return parts[1] if parts[0] == "consensus_onnx" and len(parts) > 1 else None


def violations(path: str, source: str) -> list[str]:
    """Return what a file imports that its floor forbids."""
    room = "kernels" if "consensus_onnx_kernels" in path else Path(path).parts[1].removesuffix(".py")
    found = []
    for module in imported(source):
        target = room_of(module)
        upward = target is not None and target != room and LEVEL[target] >= LEVEL[room]
        if room == "kernels" and target not in (None, "kernels"):
            upward = True  # kernels import nothing of ours
        if target is None and module.split(".")[0] == "consensus_onnx":
            upward = True  # the door imports everything
        if upward or room not in ONE_ROOM.get(module.split(".")[0], {room}):
            found.append(f"{path}: {room} imports {module}")
    return found


def sources() -> list[Path]:
    package = [path for path in (ROOT / "consensus_onnx").rglob("*.py") if path.parent != ROOT / "consensus_onnx"]
    ground = [ROOT / "consensus_onnx" / name for name in ("errors.py", "arrays.py")]
    return [*package, *ground, *(ROOT / "kernels").rglob("*.py")]


def test_imports_run_one_way() -> None:
    found = []
    for path in sources():
        relative = path.relative_to(ROOT)
        named = relative if relative.parts[0] != "kernels" else Path(*relative.parts[1:])
        found += violations(str(named), path.read_text(encoding="utf-8"))
    assert not found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("consensus_onnx/gradients/x.py", "from consensus_onnx.engine.run import Run"),
        ("consensus_onnx/images/x.py", "import consensus_onnx.committee"),
        ("consensus_onnx/committee/x.py", "def f():\n    import onnxruntime"),
        ("consensus_onnx/engine/x.py", "import click"),
        ("consensus_onnx/gate/x.py", "from consensus_onnx.report.pictures import overlay"),
        ("consensus_onnx/report/x.py", "import consensus_onnx as co"),
        ("consensus_onnx_kernels/x.py", "from consensus_onnx.arrays import Float64Array"),
    ],
)
def test_the_check_can_fail(path: str, source: str) -> None:
    assert violations(path, source)


def test_every_room_has_a_floor() -> None:
    rooms = {path.name for path in (ROOT / "consensus_onnx").iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(LEVEL)
