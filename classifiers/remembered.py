"""What is worked out of a piece of text once: news repeats its words.

Owns how much is remembered. What is worked out is its users'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

#: Pieces that one memory holds at most, and the longest of them.
MAX_PIECES: Final = 40_000
MAX_PIECE_CHARS: Final = 40

Made = TypeVar("Made")


class Remembered(dict[str, Made]):
    """Asked for a piece, gives what is made of it. Who holds the most begins anew."""

    def __init__(self, make: Callable[[str], Made]) -> None:
        """`make` gives the same for the same piece."""
        self._make = make

    def __missing__(self, piece: str) -> Made:
        found = self._make(piece)
        if len(piece) <= MAX_PIECE_CHARS:
            if len(self) >= MAX_PIECES:
                self.clear()
            self[piece] = found
        return found
