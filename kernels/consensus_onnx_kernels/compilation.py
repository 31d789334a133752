"""How every kernel is compiled: cached on disk, exact IEEE arithmetic, types kept for the callers' checker."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import caching

P = ParamSpec("P")
R = TypeVar("R")

# Numbers to write from which a kernel runs on all threads, about a batch of 14 pictures. Below, the threads cost more
# than they bring: after a parallel loop OpenMP's threads wait spinning for a while, on the cores ONNX Runtime is about
# to use. Measured on two cores, MobileNetV2 in batches of 4: masking 0.45 ms on one thread and 2.2 ms on two, and the
# forward pass after it 12 ms and 24 ms.
PARALLEL_FROM = 1 << 21


def serial(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel that runs on one thread."""
    return _compile(function, parallel=False)


def parallel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel whose `numba.prange` loops run on all threads; it may only split independent outputs.

    It needs a serial twin for small arrays, see `PARALLEL_FROM`. The two must be two functions: Numba's cache does not
    tell apart two compilations of one.
    """
    return _compile(function, parallel=True)


def _compile(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    # No fastmath: it lets sums be reordered, so results would depend on the width of the CPU's vectors.
    # error_model: a check for division by zero in each loop would keep it from being vectorised.
    # nogil: other threads of Python go on meanwhile, so that images can be voted on side by side.
    decorate = partial(numba.njit, fastmath=False, error_model="numpy", nogil=True, **options)
    try:
        compiled = decorate(cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache folder can be written: compile each time
        compiled = decorate(cache=False)(function)
    return cast("Callable[P, R]", compiled)


def keep_compiled_in_memory() -> None:
    """Write no compiled code to the cache on disk from now on, in this process; what is there is still used.

    For a process that may not write there: Numba would fail over a kernel that it compiled and cannot store.
    """

    def leave_unsaved(*_: object) -> None:
        """Take no notice."""

    caching.Cache.save_overload = leave_unsaved


def use_threads(count: int) -> None:
    """Let kernels run on so many threads; for a forked process, before the first of its kernels runs.

    Its environment may name another number than Numba read when it was imported. Read late, at the first kernel that is
    compiled, that would be an error once threads have started; so it is read here. Never more than that number.
    """
    numba.config.reload_config()
    with warnings.catch_warnings():
        # It locks what it does here against other processes, and a contained one may not. Of this one nobody starts
        # another, and the warning would be what a worker is quoted as having said before it crashed.
        warnings.filterwarnings("ignore", message="Could not obtain multiprocessing lock")
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
