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
from classifiers.array_files import ArtifactError
from classifiers.reader_file import ReaderOutline, ReaderParts
from classifiers.slow_network import LateNetwork

F32 = NDArray[np.float32]
Flags = NDArray[np.bool_]

#: Beyond this one opinion would drown the other.
MAX_LOGIT: Final = 8.0
#: In other languages than the home language the fast model is asked again so many times as far
#: from even: it is weaker there, and reading pays further out (docs/decisions/0022).
ABROAD: Final = 3.5


class Reader:
    """A trained reader. Safe to share between threads: nothing in it changes but that its network
    comes into memory when it is needed, and leaves it when asked to `rest`.
    """

    def __init__(self, outline: ReaderOutline, network: LateNetwork) -> None:
        """Take what is known of a reader, and its network, which may come later."""
        self.outline = outline
        self.version = outline.version
        self.topic_ids = outline.topic_ids
        self._doubt = self._unsure = outline.doubt
        self._blend = outline.blend
        self._network = network
        self._optional = False

    @classmethod
    def of(cls, parts: ReaderParts) -> Reader:
        """A reader in memory."""
        return cls(parts.outline(), LateNetwork(lambda: parts))

    @classmethod
    def load(cls, path: Path | None = None) -> Reader:
        """Read a reader's file, whole; without a path, the one that ships.

        Raises:
            ArtifactError: the file is not a reader of ours; nothing of it was executed.
        """
        found = cls.look(path)
        found.open()
        return found

    @classmethod
    def look(cls, path: Path | None = None) -> Reader:
        """A reader whose network stays in its file until something is doubtful.

        Raises:
            ArtifactError: the file is not a reader of ours, as far as can be seen at a glance.
        """
        file = path or reader_file.SHIPPED
        held = reader_file.hold(file)  # an upgrade must not change what this process thinks
        outline = reader_file.look(held)

        def load() -> ReaderParts:
            parts = reader_file.load(held)
            if parts.version != outline.version:
                raise ArtifactError(f"{file}: is not the file that was there at the start")
            return parts

        is_there = functools.partial(reader_file.is_still, held, outline.version)
        return cls(outline, LateNetwork(load, is_there=is_there))

    def open(self) -> None:
        """Have the network in memory now.

        Raises:
            ArtifactError: its file is broken.
        """
        with self._network.opened():
            pass

    def rest(self, idle_s: float) -> bool:
        """Have the network out of memory if nothing was doubtful for so long; whether that was
        done. The next text loads it again, and is told the same. Blocks for some 50 ms.
        """
        return self._network.rest(idle_s)

    @property
    def broken(self) -> bool:
        """Whether an `optional` reader turned out to be none: what it doubts stays as it was."""
        return self._optional and self._network.broken

    def doubting(self, width: float) -> Reader:
        """The same reader, asked wherever the fast model's logit is within `width` of even."""
        other = copy.copy(self)
        other._doubt = (-width, width)
        return other

    def optional(self) -> Reader:
        """The same reader for a line that must go on: should its network not come into memory,
        that is said in the log, and the fast model's probabilities stand.
        """
        other = copy.copy(self)
        other._optional = True
        return other

    def doubtful(self, probabilities: F32, home: Flags) -> NDArray[np.intp]:
        """The rows of n x topics probabilities of the fast model that are worth reading.

        Columns are in the order of `topic_ids`; `home` says which are in the home language.
        """
        return np.flatnonzero(_between(logits(probabilities), self._doubt, home).any(axis=1))

    def opinions(self, texts: Sequence[str]) -> F32:
        """n texts to n x topics logits of the reader alone, from the beginning of each text.

        Each text is read by itself: its row does not depend on the others.

        Raises:
            ArtifactError: the network had not been loaded yet, and is broken.
        """
        return self.read(texts)[0]

    def probabilities(self, texts: Sequence[str], fast: F32, home: Flags) -> F32:
        """Both opinions as one: the fast model's n x topics probabilities, read again.

        Of a text that is too long to be read whole only the doubtful topics change: what the fast
        model found further down the reader has not seen.

        Raises:
            ArtifactError: as for `opinions`; not of an `optional` reader.
        """
        if not texts:
            return fast
        opened = self._network.if_sound() if self._optional else self._network.opened()
        with opened as network:
            return fast if network is None else self.blended(fast, *network.read(texts), home)

    def read(self, texts: Sequence[str]) -> tuple[F32, Flags]:
        """`opinions`, and whether each text was read to its end.

        Raises:
            ArtifactError: as for `opinions`.
        """
        with self._network.opened() as network:
            return network.read(texts)

    def blended(self, fast: F32, heard: F32, whole: Flags, home: Flags) -> F32:
        """`probabilities` from what was `read` before."""
        scores = logits(fast)
        again = joint(scores, heard, self._blend)
        return np.where(whole[:, None] | _between(scores, self._unsure, home), again, fast)


@functools.cache
def shipped() -> Reader | None:
    """The reader that ships, one for all, its network not yet loaded; None where there is none.

    Raises:
        ArtifactError: the file is not a reader of ours, as far as can be seen at a glance.
    """
    return Reader.look() if reader_file.SHIPPED.is_file() else None


def joint(fast: F32, heard: F32, blend: F32) -> F32:
    """The probabilities of both opinions together, of which each is n x topics logits."""
    scores = blend[0] * fast + blend[1] * heard.clip(-MAX_LOGIT, MAX_LOGIT) + blend[2]
    return np.asarray(1 / (1 + np.exp(-scores)), dtype=np.float32)


def logits(probabilities: F32) -> F32:
    """Logits of probabilities, as large as one opinion may be."""
    least = 1 / (1 + np.exp(np.float32(MAX_LOGIT)))
    clipped = probabilities.astype(np.float64).clip(least, 1 - least)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float32)


def _between(scores: F32, limits: tuple[float, float], home: Flags) -> Flags:
    """Which scores lie between limits, which are wider where it is not the home language."""
    low, high = (np.where(home, limit, limit * ABROAD)[:, None] for limit in limits)
    return np.asarray((scores >= low) & (scores <= high))
