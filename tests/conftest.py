"""Fixtures for all rooms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA_VARIABLE = "CONSENSUS_ONNX_DATA"

# Scripts that make stored references; they need PyTorch, which no test does.
collect_ignore = ["benchmarks", "references"]


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
