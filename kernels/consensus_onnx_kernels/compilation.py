"""How every kernel is compiled: cached on disk, exact IEEE arithmetic, types kept for the callers' checker."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def serial(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel that runs on one thread."""
    return _compile(function, parallel=False)


def parallel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel whose `numba.prange` loops run on all threads; it may only split independent outputs."""
    return _compile(function, parallel=True)


def _compile(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    # No fastmath: it lets sums be reordered, so results would depend on the width of the CPU's vectors.
    # error_model: a check for division by zero in each loop would keep it from being vectorised.
    decorate = partial(numba.njit, fastmath=False, error_model="numpy", **options)
    try:
        compiled = decorate(cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache folder can be written: compile each time
        compiled = decorate(cache=False)(function)
    return cast("Callable[P, R]", compiled)
