"""How members' passes are quickest on this machine, remembered from run to run: what a worker found by timing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from consensus_onnx.committee.pacing import PACES, SIZES, Paces
from consensus_onnx.engine.keys import ALGORITHM
from consensus_onnx.runtime import RuntimeSettings, runtime_version

_LASTS = 7 * 24 * 3600.0  # seconds: what was found on a busy machine is not believed for ever
_LONGEST = 200  # bytes of a file
_OURS = re.compile(r"[0-9a-f]{64}\.(json|[a-z0-9_]+\.partial)")
_MOST = {"lanes": 1_024}  # and of pictures the largest pass that is ever tried
_CPU_LINES = ("model name", "CPU implementer", "CPU part")  # of /proc/cpuinfo, on x86 and on Arm


@dataclass
class PaceMemory:
    """What is known of one member.

    Attributes
    ----------
    path : Path or None
        Where it is kept: in `consensus-onnx/paces` of the user's cache, $XDG_CACHE_HOME or ~/.cache. None without one.
    known : dict of str to int
        See `committee.pacing.PACES`; empty if nothing is.
    """

    path: Path | None = None
    known: Paces = field(default_factory=dict)

    @classmethod
    def of(cls, digest: str, runtime: RuntimeSettings, workers: int = 1) -> PaceMemory:
        """Return what the last week's audits found of a model, run in the same way beside as many other workers."""
        folder = _folder()
        if folder is None:
            return cls()
        way = {
            "model": digest,
            "runtime": asdict(runtime),
            "workers": workers,
            "version": [runtime_version(), ALGORITHM],
            "processor": _processor(),
        }
        path = folder / f"{hashlib.sha256(json.dumps(way, sort_keys=True).encode()).hexdigest()}.json"
        return cls(path, _read(path))

    def learn(self, found: Paces) -> None:
        """Keep what was found if it is news, beside what others found. Without a cache it goes on."""
        if found == self.known or self.path is None:
            return
        self.known = found
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self.path.parent, prefix=f"{self.path.stem}.", suffix=".partial", delete=False
            ) as file:
                json.dump({**_read(self.path), **found}, file)
            Path(file.name).replace(self.path)
            _forget_old(self.path.parent)


def paces_from(content: Any) -> Paces:
    """Return paces as a worker tells or a file holds them.

    Raises
    ------
    ValueError
        If they are none.
    """
    if not isinstance(content, Mapping) or not all(
        name in PACES and type(number) is int and 1 <= number <= _MOST.get(name, SIZES[-1])
        for name, number in content.items()
    ):
        raise ValueError(f"paces must be numbers of {', '.join(PACES)}, got {content!s:.80}")
    return dict(content)


def _folder() -> Path | None:
    for base in (os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache")):
        if os.path.isabs(base):
            return Path(base) / "consensus-onnx" / "paces"
    return None  # a user without a home


def _read(path: Path) -> Paces:
    """Return what a file holds; nothing where it is old, broken or no plain file, and passes are timed anew."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not _is_fresh(os.fstat(file.fileno())):
                return {}
            return paces_from(json.loads(file.read(_LONGEST)))
    except (OSError, ValueError):
        return {}


def _forget_old(folder: Path) -> None:
    """Remove our own files that nobody believes any longer."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if _OURS.fullmatch(path.name) and not _is_fresh(path.lstat()):
                path.unlink()


def _is_fresh(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and 0 <= time.time() - status.st_mtime < _LASTS


def _processor() -> str:
    """Return the processor's name: what is quickest on one need not be on another that shares the home folder."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        named = dict.fromkeys(line for line in lines if line.startswith(_CPU_LINES))
        if named:
            return "\n".join(named)
    return platform.processor()
