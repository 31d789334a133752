"""Memory that ran out, recognised by the words, since no two libraries raise one class; and memory given back."""

from __future__ import annotations

import ctypes
from typing import Any

# ONNX Runtime raises Fail on the CPU, RuntimeException on CUDA, and both for a hundred other reasons.
_WORDS = (
    "Failed to allocate memory",
    "bad_alloc",
    "out of memory",
    "Available memory of",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "Unable to allocate",  # NumPy
    "Cannot allocate memory",  # ENOMEM
)


def tells_of_memory(text: str) -> bool:
    """Return whether a message says that an allocation failed."""
    folded = text.casefold()
    return any(words.casefold() in folded for words in _WORDS)


def ran_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one it was raised from, means that an allocation failed."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or tells_of_memory(str(seen)[:10_000]):
            return True
        seen = seen.__cause__
    return False


def give_back_freed() -> None:
    """Give the memory that was freed back to the system, where the C library keeps it (glibc).

    After ResNet-50's gradient graph was built and opened these are 320 MB that nothing else can use.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def shrinking() -> Any:
    """Return ONNX Runtime's options of a run after which a session on the CPU keeps no memory but what it needs.

    It keeps what its largest pass took for good otherwise: MobileNetV2 438 MB after 32 pictures at once, 121 so.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options
