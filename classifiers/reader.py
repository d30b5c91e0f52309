"""The slow reader: a small multilingual transformer that reads what the fast model doubts.

Owns which reports are doubtful, and how both opinions become one probability. Does not train.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers import reader_file
from classifiers.reader_file import ReaderParts

F32 = NDArray[np.float32]

#: Enough characters for all the pieces that are read, whatever the language.
_CHARS_PER_PIECE: Final = 16
#: Beyond this one opinion would drown the other.
_MAX_LOGIT: Final = 8.0


class Reader:
    """A trained reader in memory. Safe to share between threads: nothing in it changes."""

    def __init__(self, parts: ReaderParts) -> None:
        """Lay the network out in floats."""
        self.version = parts.version
        self.topic_ids = parts.topic_ids
        self._doubt = self._unsure = parts.doubt
        self._blend = parts.arrays["blend"]
        self._limit = len(parts.arrays["positions"])
        self._pieces = parts.segmentation()
        self._encoder = parts.encoder()

    @classmethod
    def load(cls, path: Path | None = None) -> Reader:
        """Read a reader's file; without a path, the one that ships.

        Raises:
            ArtifactError: the file is not a reader of ours; nothing of it was executed.
        """
        return cls(reader_file.load(path or reader_file.SHIPPED))

    def doubting(self, width: float) -> Reader:
        """The same reader, asked wherever the fast model's logit is within `width` of even."""
        other = copy.copy(self)
        other._doubt = (-width, width)
        return other

    def doubtful(self, probabilities: F32) -> NDArray[np.intp]:
        """The rows of n x topics probabilities of the fast model that are worth reading.

        Columns are in the order of `topic_ids`.
        """
        return np.flatnonzero(_between(logits(probabilities), self._doubt).any(axis=1))

    def opinions(self, texts: Sequence[str]) -> F32:
        """n texts to n x topics logits of the reader alone, from the beginning of each text.

        Each text is read by itself: its row does not depend on the others.
        """
        return self._read(texts)[0]

    def probabilities(self, texts: Sequence[str], fast: F32) -> F32:
        """Both opinions as one: the fast model's n x topics probabilities, read again.

        Of a text that is too long to be read whole only the doubtful topics change: what the fast
        model found further down the reader has not seen.
        """
        heard, whole = self._read(texts)
        slope_fast, slope_read, offset = self._blend
        scores = logits(fast)
        joint = slope_fast * scores + slope_read * heard.clip(-_MAX_LOGIT, _MAX_LOGIT) + offset
        again = np.asarray(1 / (1 + np.exp(-joint)), dtype=np.float32)
        return np.where(whole[:, None] | _between(scores, self._unsure), again, fast)

    def _read(self, texts: Sequence[str]) -> tuple[F32, NDArray[np.bool_]]:
        """The opinion on each text, and whether it was read to its end."""
        rows = np.zeros((len(texts), len(self.topic_ids)), dtype=np.float32)
        whole = np.zeros(len(texts), dtype=np.bool_)
        for row, text in enumerate(texts):
            head = text[: self._limit * _CHARS_PER_PIECE]
            pieces = self._pieces.ids(head, self._limit)
            whole[row] = len(pieces) < self._limit and len(head) == len(text)
            rows[row] = self._encoder.logits(pieces)
        return rows, whole


@functools.cache
def shipped() -> Reader | None:
    """The reader that ships, in memory once; None where there is none.

    Raises:
        ArtifactError: the file is not a reader of ours.
    """
    return Reader.load() if reader_file.SHIPPED.is_file() else None


def logits(probabilities: F32) -> F32:
    """Logits of probabilities, as large as one opinion may be."""
    least = 1 / (1 + np.exp(np.float32(_MAX_LOGIT)))
    clipped = probabilities.astype(np.float64).clip(least, 1 - least)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float32)


def _between(scores: F32, limits: tuple[float, float]) -> NDArray[np.bool_]:
    return (scores >= limits[0]) & (scores <= limits[1])
