"""A whole audit opens no connection, starts no collector's thread and leaves only caches of ours in the home folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hostile import write_models, write_pictures
from test_interruptions import descendants

from worlds import ENTRANCE

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")

SILENCERS = ("CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")
TABLES = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "icmp", "icmp6")


def internet_sockets(process: int) -> set[str]:
    """Return the protocols of the sockets that a process holds, those between processes of one machine left out."""
    try:
        held = {os.readlink(entry) for entry in Path(f"/proc/{process}/fd").iterdir()}
    except OSError:  # it has ended
        return set()
    found = set()
    for table in TABLES:
        try:
            lines = Path(f"/proc/{process}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        inodes = {f"socket:[{field}]" for line in lines for field in line.split()[9:10]}
        if inodes & held:
            found.add(table)
    return found


def watch(process: subprocess.Popen[str]) -> tuple[set[str], int, str]:
    """Look at a process and all it starts until it ends; returns protocols seen, how many processes, what it said."""
    seen: set[str] = set()
    processes: set[int] = set()
    while process.poll() is None:
        for one in (process.pid, *descendants(process.pid)):
            seen |= internet_sockets(one)
            processes.add(one)
        time.sleep(0.02)
    return seen, len(processes), process.communicate()[1]


def start(command: list[str], home: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in SILENCERS}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_an_audit_is_silent(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    models, pictures = write_models(tmp_path / "models", {}), write_pictures(tmp_path / "pictures", 3)
    command = [sys.executable, "-c", ENTRANCE, "audit", str(models), "--images", str(pictures)]
    sets = ["canvas.resize=8", "canvas.crop=8", "lime.samples=20", "lime.superpixels.method=grid"]
    sets += ["lime.superpixels.segments=4", "smoothgrad.samples=2"]
    more = [part for key in sets for part in ("--set", key)]
    process = start([*command, "--out", str(tmp_path / "run"), *more], home)
    seen, processes, said = watch(process)
    assert process.returncode == 0, said
    assert seen == set()
    assert processes >= 3  # the supervisor, the fork server, a worker
    traces = {path.parent.relative_to(home) for path in home.rglob("*") if path.is_file() and "numba" not in str(path)}
    assert traces == {Path(".cache/consensus-onnx/paces")}  # how passes are quickest, remembered for a week


def test_the_watch_sees_a_socket(tmp_path: Path) -> None:
    code = "import socket, time; held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
    code += "held.bind(('127.0.0.1', 0)); time.sleep(0.5)"
    process = start([sys.executable, "-c", code], tmp_path)
    assert watch(process)[0] == {"udp"}
    with socket.socket(socket.AF_UNIX):
        assert internet_sockets(os.getpid()) <= {"tcp", "tcp6"}  # whatever pytest's own plugins hold
