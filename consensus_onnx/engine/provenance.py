"""What a run was made with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "consensus-onnx",
    "onnxruntime-gpu",
    "onnxruntime",
    "onnx",
    "numpy",
    "numba",
    "scikit-image",
    "pillow",
    "zarr",
)


def software_versions() -> dict[str, str]:
    """Return the versions of Python and of every package whose code can change results, by name."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
