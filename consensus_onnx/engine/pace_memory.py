"""How members' passes are quickest on this machine, remembered from run to run: what a worker found by timing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from consensus_onnx.committee.pacing import PACES, Paces
from consensus_onnx.runtime import RuntimeSettings, runtime_version

_LASTS = 7 * 24 * 3600.0  # seconds: what was found on a busy machine is not believed for ever
_MOST = 4096  # lanes, or pictures a pass: beyond what any timing tries


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
    def of(cls, digest: str, runtime: RuntimeSettings) -> PaceMemory:
        """Return what the last week's audits found of a model, run in the same way by as many threads."""
        folder = _folder()
        if folder is None:
            return cls()
        way = {"model": digest, "runtime": asdict(runtime), "version": runtime_version(), "processor": _processor()}
        path = folder / f"{hashlib.sha256(json.dumps(way, sort_keys=True).encode()).hexdigest()}.json"
        try:
            return cls(path, paces_from(json.loads(path.read_bytes())) if _is_fresh(path) else {})
        except (OSError, ValueError):  # timed anew
            return cls(path)

    def learn(self, found: Paces) -> None:
        """Keep what was found if it is news. A cache that cannot be written is done without."""
        if found == self.known or self.path is None:
            return
        self.known = found
        written = self.path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for other in self.path.parent.iterdir():
                if not _is_fresh(other):
                    other.unlink()
            written.write_text(json.dumps(found), encoding="ascii")
            written.replace(self.path)


def paces_from(content: Any) -> Paces:
    """Return paces as a worker tells or a file holds them.

    Raises
    ------
    ValueError
        If they are none.
    """
    if not isinstance(content, Mapping) or not all(
        name in PACES and type(number) is int and 1 <= number <= _MOST for name, number in content.items()
    ):
        raise ValueError(f"paces must be numbers of {', '.join(PACES)}, got {content!s:.80}")
    return dict(content)


def _folder() -> Path | None:
    for base in (os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache")):
        if os.path.isabs(base):
            return Path(base) / "consensus-onnx" / "paces"
    return None  # a user without a home


def _is_fresh(path: Path) -> bool:
    return time.time() - path.stat().st_mtime < _LASTS


def _processor() -> str:
    """Return the processor's name: what is quickest on one need not be on another that shares the home folder."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
