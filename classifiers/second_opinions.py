"""Second opinions: what the slow reader said of judged reports, kept without their texts.

The reader is the same whatever the fast model has been taught, so what it says of a report has
to be worked out once: any model can then be judged as a line would run it, without reading.
Owns that record, and the answer that both give together. Reads nothing and judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.array_files import ArtifactError
from classifiers.reader import Reader
from classifiers.reader_file import ReaderOutline, ReaderParts
from classifiers.slow_network import LateNetwork

F32 = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SecondReading:
    """How a line reads twice: by which version of the reader, and within what of even (None: as
    the reader itself says).
    """

    reader: str
    doubt: float | None = None

    def __str__(self) -> str:
        """The same for all lines that read alike."""
        return self.reader if self.doubt is None else f"{self.reader} within {self.doubt:g}"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reader said of some reports: reports x its topics logits, and which of them it read
    to their end.
    """

    outline: ReaderOutline
    opinions: F32
    whole: Flags

    def over(
        self, fast: F32, home: Flags, topic_ids: Sequence[str], doubt: float | None = None
    ) -> F32:
        """The fast model's reports x topics probabilities, those that it doubts read again; `home`
        says which are in the home language.
        """
        reader = Reader(self.outline, LateNetwork(_unread))
        if doubt is not None:
            reader = reader.doubting(doubt)
        columns = [topic_ids.index(topic) for topic in self.outline.topic_ids]
        known, both = fast[:, columns], fast.copy()
        rows = reader.doubtful(known, home)
        again = reader.blended(known[rows], self.opinions[rows], self.whole[rows], home[rows])
        both[rows[:, None], columns] = again
        return both

    def of_rows(self, rows: NDArray[np.int64]) -> Heard:
        """What it said of some of the reports."""
        return Heard(self.outline, self.opinions[rows], self.whole[rows])


def hear(reader: Reader, texts: Sequence[str]) -> Heard:
    """Have a reader read; some milliseconds a text.

    Raises:
        ArtifactError: the reader's file is broken.
    """
    return Heard(reader.outline, *reader.read(texts))


def _unread() -> ReaderParts:
    raise ArtifactError("only what this reader has said is known, not the reader")
