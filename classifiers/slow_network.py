"""The reader's network and vocabulary: in memory from the first text that needs them until a
while after the last.

Owns when they are loaded and let go, and what happens when they cannot be. Does not know what a
reader is asked, or why.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

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
        _tell_once(str(error))
        return parts.encoder()


@functools.cache  # the reader comes and goes
def _tell_once(why: str) -> None:
    _log.warning("the slow reader takes three times as long without ONNX Runtime", why=why)


class LateNetwork:
    """A network that is loaded by whichever thread asks first, while the others wait for it; and
    again, once it has been let go.
    """

    def __init__(
        self,
        load: Callable[[], ReaderParts],
        *,
        is_there: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` raises ArtifactError where there is no such reader; `is_there` says whether it
        would find the same one again.
        """
        self._load = load
        self._is_there = is_there
        self._clock = clock
        self._lock = threading.Lock()
        self._network: Network | None = None
        self._broken = self._stays = False
        self._n_reading = 0
        self._read_at = 0.0

    @property
    def broken(self) -> bool:
        """Whether `if_sound` has found that it cannot be loaded."""
        return self._broken

    @contextmanager
    def opened(self) -> Iterator[Network]:
        """The network, loaded if need be; it stays for as long as the context lasts.

        Raises:
            ArtifactError: it cannot be loaded.
        """
        with self._lock:
            if self._network is None:
                self._network = Network(self._load())
                heap.give_back()  # loading takes 45 MB for a moment, which would stay idle
            network = self._network
            self._n_reading += 1
        try:
            yield network
        finally:
            with self._lock:
                self._n_reading -= 1
                self._read_at = self._clock()

    @contextmanager
    def if_sound(self) -> Iterator[Network | None]:
        """As `opened`; None where it cannot be loaded, which is said once, and stays so: a process
        that began with one opinion on its articles does not change it later.
        """
        with ExitStack() as stack:
            network = None
            if not self._broken:
                try:
                    network = stack.enter_context(self.opened())
                except (ArtifactError, MemoryError) as error:
                    self._leave_out(error)
            yield network

    def _leave_out(self, error: Exception) -> None:
        self._broken = True
        _log.error(
            "the slow reader cannot be loaded: from now on doubtful articles are judged by "
            "the fast model alone, until this process is started with a sound reader",
            error=str(error) or type(error).__name__,
        )

    def rest(self, idle_s: float) -> bool:
        """Let the network go if nobody has read for so long; whether it was. The next text has it
        loaded again. It stays where it would not be found again: opinions would change.

        Blocks while it is being loaded, and for some 50 ms.
        """
        with self._lock:
            if self._network is None or self._n_reading or self._stays:
                return False
            if self._clock() - self._read_at < idle_s:
                return False
            if not self._is_there():
                self._stays = True
                _log.warning(
                    "the slow reader's file is not as it was at the start: what was read of it "
                    "stays in memory until this process ends"
                )
                return False
            self._network = None
        heap.give_back()
        return True
