"""A contained process keeps what it needs, and nothing else; what the kernel lacks is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from consensus_onnx.engine.containment import OPEN, machine_memory, shortcomings
from consensus_onnx.engine.scratch import make_scratch, remove_scratch, sweep_abandoned

# Each attempt is a line of Python; what it did, or the name of the error, comes back.
ATTEMPTS = {
    "read allowed": "open('{allowed}/in.txt').read()",
    "write scratch": "open('{scratch}/new.txt', 'w').write('a')",
    "rename in scratch": "os.rename('{scratch}/new.txt', '{scratch}/newer.txt')",
    "read secret": "open('{secret}').read()",
    "list above": "os.listdir('{above}')",
    "write allowed": "open('{allowed}/new.txt', 'w')",
    "overwrite": "open('{allowed}/in.txt', 'a')",
    "remove": "os.remove('{allowed}/in.txt')",
    "link": "os.symlink('{secret}', '{allowed}/link')",
    "passwords": "open('/etc/passwd').read()",
    "parent": "open('/proc/%d/environ' % os.getppid()).read()",
    "program": "subprocess.run(['/bin/true'])",
    "signal": "os.kill(os.getppid(), 0)",
    "tcp": "socket.create_connection(('127.0.0.1', 9), timeout=5)",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'a', ('192.0.2.1', 9))",
    "listen": "socket.create_server(('127.0.0.1', 0))",
    "memory": "bytearray(3 * 10**9)",
    "some memory": "len(bytearray(10**7))",
    "packages": "__import__('PIL.Image')",
}
PROGRAM = """
import json, os, socket, subprocess, sys
from consensus_onnx.engine.containment import Confines, contain, leave_network
report, found = {}, {}
if sys.argv[4] == "contained":
    report = contain(Confines((sys.argv[1],), (sys.argv[2],), memory=10**9), leave_network())
for name, code in json.loads(sys.argv[3]).items():
    try:
        eval(code)
        found[name] = "done"
    except BaseException as error:
        found[name] = type(error).__name__
print(json.dumps([report, found]))
"""


def attempted(tmp_path: Path, how: str) -> tuple[dict[str, str], dict[str, str]]:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "scratch").mkdir()
    (tmp_path / "allowed" / "in.txt").write_text("in")
    (tmp_path / "secret.txt").write_text("secret")
    names = {name: str(tmp_path / name) for name in ("allowed", "scratch")}
    attempts = {
        name: code.format(**names, secret=tmp_path / "secret.txt", above=tmp_path) for name, code in ATTEMPTS.items()
    }
    command = [sys.executable, "-c", PROGRAM, names["allowed"], names["scratch"], json.dumps(attempts), how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    report, found = json.loads(done.stdout)
    return report, found


def test_a_contained_process_keeps_what_it_needs_and_no_more(tmp_path: Path) -> None:
    report, found = attempted(tmp_path, "contained")
    if OPEN in report.values():
        pytest.skip(f"this kernel cannot contain: {shortcomings(report)}")
    kept = {"read allowed", "write scratch", "rename in scratch", "some memory", "packages"}
    assert {name for name, outcome in found.items() if outcome == "done"} == kept, found
    assert found["memory"] == "MemoryError"
    assert (tmp_path / "allowed" / "in.txt").read_text() == "in"


def test_the_attempts_succeed_where_nothing_is_contained(tmp_path: Path) -> None:
    _, found = attempted(tmp_path, "free")
    assert {name for name, outcome in found.items() if outcome != "done"} <= {"tcp", "udp", "memory", "parent"}, found


def test_what_is_open_is_told() -> None:
    assert shortcomings({"files": "landlock 7", "network": "no tcp", "privileges": "fixed"}) == []
    assert len(shortcomings({"files": OPEN, "network": OPEN, "privileges": OPEN})) == 3


def test_the_memory_of_this_machine_is_known() -> None:
    assert 10**8 < machine_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_folders_of_killed_supervisors_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ours = make_scratch()
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    abandoned = tmp_path / f"consensus-onnx-worker-{dead.stdout.strip()}-abc"
    foreign = tmp_path / "consensus-onnx-worker-letters-abc"
    for folder in (abandoned, foreign):
        folder.mkdir()
    sweep_abandoned()
    assert ours.exists()
    assert foreign.exists()
    assert not abandoned.exists()
    remove_scratch(ours)
    assert os.listdir(tmp_path) == [foreign.name]
