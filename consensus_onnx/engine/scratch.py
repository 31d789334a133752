"""A private folder for each worker: where it may write, where what it prints goes, and gone when it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "consensus-onnx-worker-"
_SAID = "said"  # what the worker, and the native code in it, print
_TAIL = 4000  # bytes of it that are looked at


def make_scratch() -> Path:
    """Make a folder that names this process; `sweep_abandoned` finds it should this process be killed."""
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))


def said_file(scratch: Path) -> Path:
    """Return the file for what a worker prints."""
    return scratch / _SAID


def last_words(scratch: Path) -> str:
    """Return the last lines a worker printed, as it wrote them; empty if there are none."""
    try:
        with said_file(scratch).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read(_TAIL).decode("utf-8", "replace")
    except OSError:
        return ""


def remove_scratch(scratch: Path) -> None:
    """Remove a worker's folder; what cannot be removed is left to the system's own cleaning."""
    shutil.rmtree(scratch, ignore_errors=True)


def sweep_abandoned() -> None:
    """Remove the folders of workers whose supervisor was killed before it could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        with contextlib.suppress(OSError, ValueError):
            owner = int(folder.name.removeprefix(_PREFIX).partition("-")[0])
            if folder.stat().st_uid == os.getuid() and not Path(f"/proc/{owner}").exists():
                remove_scratch(folder)
