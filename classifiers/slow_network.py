"""The reader's network and vocabulary: in memory from the first text that needs them.

Owns when they are loaded, and what happens when they cannot be. Does not know what a reader is
asked, or why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import structlog
from numpy.typing import NDArray

from classifiers import heap
from classifiers.array_files import ArtifactError
from classifiers.encoder import Encoder
from classifiers.quick_encoder import NoRuntimeError, QuickEncoder
from classifiers.reader_file import ReaderParts
from classifiers.reader_pieces import Pieces

F32 = NDArray[np.float32]

#: Enough characters for all the pieces that are read, whatever the language.
_CHARS_PER_PIECE = 16

_log = structlog.get_logger("wirebell.reader")


class Network:
    """A vocabulary, and the network that knows its pieces. Nothing in it changes."""

    def __init__(self, parts: ReaderParts) -> None:
        """Lay them out."""
        self._limit = len(parts.arrays["positions"])
        self._pieces: Pieces = parts.segmentation()
        self._encoder = _encoder(parts)
        self._n_topics = len(parts.topic_ids)

    def read(self, texts: Sequence[str]) -> tuple[F32, NDArray[np.bool_]]:
        """n texts to n x topics logits, and whether each text was read to its end.

        Each text is read by itself: its row does not depend on the others.
        """
        rows = np.zeros((len(texts), self._n_topics), dtype=np.float32)
        whole = np.zeros(len(texts), dtype=np.bool_)
        for row, text in enumerate(texts):
            head = text[: self._limit * _CHARS_PER_PIECE]
            pieces = self._pieces.ids(head, self._limit)
            whole[row] = len(pieces) < self._limit and len(head) == len(text)
            rows[row] = self._encoder.logits(pieces)
        return rows, whole


def _encoder(parts: ReaderParts) -> QuickEncoder | Encoder:
    """The network by the quicker of two ways to count: they differ by hundredths of a logit."""
    try:
        return QuickEncoder(parts.arrays, parts.heads)
    except NoRuntimeError as error:
        _log.warning(
            "the slow reader takes three times as long without ONNX Runtime", why=str(error)
        )
        return parts.encoder()


class LateNetwork:
    """A network that is loaded once, by whichever thread asks first; the others wait for it."""

    def __init__(self, load: Callable[[], ReaderParts]) -> None:
        """`load` raises ArtifactError where there is no such reader."""
        self._load = load
        self._loading = threading.Lock()
        self._network: Network | None = None
        self._broken = False

    @property
    def broken(self) -> bool:
        """Whether `if_sound` has found that it cannot be loaded."""
        return self._broken

    def opened(self) -> Network:
        """The network, loaded if need be.

        Raises:
            ArtifactError: it cannot be loaded.
        """
        with self._loading:
            if self._network is None:
                self._network = Network(self._load())
                heap.give_back()  # loading takes 45 MB for a moment, which would stay idle
            return self._network

    def if_sound(self) -> Network | None:
        """The network, loaded if need be; None where it cannot be, which is said once, and stays
        so: a process that began with one opinion on its articles does not change it later.
        """
        if self._broken:
            return None
        try:
            return self.opened()
        except (ArtifactError, MemoryError) as error:
            self._broken = True
            _log.error(
                "the slow reader cannot be loaded: from now on doubtful articles are judged by "
                "the fast model alone, until this process is started with a sound reader",
                error=str(error) or type(error).__name__,
            )
            return None
