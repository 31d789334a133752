"""Lines of a benchmark's page, seen as soon as they are known."""

from __future__ import annotations

import sys


def tell(*lines: str) -> None:
    """Write lines to standard output."""
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
