"""Whether the run folder is still the one the audit began in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from consensus_onnx.errors import StoreError


@dataclass(frozen=True)
class FolderPresence:
    """A folder and what the file system called it at the start.

    The store makes the folders it needs, so an audit whose folder was removed would go on into a new one, and be
    missed only at its end.
    """

    folder: Path
    identity: tuple[int, int]

    @staticmethod
    def of(folder: Path) -> FolderPresence:
        """Take note of a folder that is there."""
        found = folder.stat()
        return FolderPresence(folder, (found.st_dev, found.st_ino))

    def check(self) -> None:
        """Do nothing if the folder is still there.

        Raises
        ------
        StoreError
            If it was removed or replaced.
        """
        try:
            found = os.stat(self.folder)
        except OSError as error:
            raise StoreError(self._gone(f"is gone ({error.strerror})")) from error
        if (found.st_dev, found.st_ino) != self.identity:
            raise StoreError(self._gone("was replaced by another folder"))

    def _gone(self, what: str) -> str:
        return f"{self.folder}: {what} while the audit worked in it; run the same command again to begin anew"
