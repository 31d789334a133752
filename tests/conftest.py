"""Fixtures for all rooms."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

DATA_VARIABLE = "CONSENSUS_ONNX_DATA"

# Scripts that make stored references; they need PyTorch, which no test does.
collect_ignore = ["benchmarks", "references"]

# The same examples every time, so that a failure is the change's and not luck's; HYPOTHESIS_PROFILE=default explores.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder that stands for the user's cache, which no test may touch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield Path(os.environ["XDG_CACHE_HOME"])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real models and images, or skip."""
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        pytest.skip(f"{DATA_VARIABLE} is not set: it names the folder of real models and images")
    folder = Path(value)
    if not folder.is_dir():
        pytest.skip(f"{DATA_VARIABLE}={value} is not a folder")
    return folder
