"""A file held open, so that it stays the one it was: what an upgrade puts in its place is another
file, and the old one lives on until it is let go.

Owns the descriptor. What stands in the file is its reader's.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path


class HeldFile:
    """An open file, let go with this object. One reader at a time: it has one position."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
        """
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)

    @contextmanager
    def reading(self) -> Iterator[BufferedReader]:
        """The file from its beginning. What was written into it since is seen."""
        with open(self._descriptor, "rb", closefd=False) as file:
            file.seek(0)
            yield file
