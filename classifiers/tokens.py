"""Words, sentences and windows of a batch of texts, found with numpy over code points.

Owns how text is folded (case, accents, digits), cut and hashed. Does not know topics or weights.
No Python loop runs per word: that is where ordinary vectorizers spend nearly all their time.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Characters of one text that are read. A newspaper's longest features stay below it.
MAX_CHARS: Final = 24_000
#: The first window holds the title and the lead, which says what a report is about.
LEAD_WORDS: Final = 40
#: Later windows are about as long as the reports the model learned from.
WINDOW_WORDS: Final = 50

_BMP: Final = 0x10000
_SENTENCE_ENDS: Final = ".!?…\n;"
#: An odd multiplier has an inverse modulo 2**64, so a slice's hash needs no second pass.
_BASE: Final = 0x9E3779B97F4A7C15
_MASK: Final = (1 << 64) - 1
_BASE_INVERSE: Final = pow(_BASE, -1, 1 << 64)

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Words:
    """Every word of a batch, in reading order.

    `starts` and `ends` are positions in the joined batch, `texts` the number of the text a word
    is in, `sentences` a running number over the batch, `windows` the number of the window within
    its text (0 is the lead). `text_starts` are the positions where each text begins.
    """

    starts: I64
    ends: I64
    texts: I64
    sentences: I64
    windows: I64
    text_starts: I64
    hashes: Hashes


class Hashes:
    """Hashes of any slice of the joined, folded batch, each in constant time."""

    __slots__ = ("_prefix",)

    def __init__(self, folded: NDArray[np.uint16]) -> None:
        """Sum the code points, each times its own power of the base."""
        prefix = np.empty(len(folded) + 1, dtype=np.uint64)
        prefix[0] = 0
        np.cumsum(folded * _powers(len(folded)), out=prefix[1:])
        self._prefix = prefix

    def of(self, starts: I64, ends: I64) -> U64:
        """The hash of each slice `[start, end)`; equal slices have equal hashes anywhere.

        The high bits are the good ones; `mix` spreads them.
        """
        raw = self._prefix[ends] - self._prefix[starts]
        return np.asarray(raw * _inverse_powers(len(self._prefix))[starts], dtype=np.uint64)


def mix(values: U64) -> U64:
    """Spread the information of every bit over all bits (splitmix64's finisher)."""
    mixed = values ^ (values >> np.uint64(30))
    mixed = mixed * np.uint64(0xBF58476D1CE4E5B9)
    mixed = mixed ^ (mixed >> np.uint64(27))
    mixed = mixed * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def hash_of(word: str) -> int:
    """The hash that `Hashes.of` gives a word that stands alone, folded."""
    folded = fold(word)
    return int(Hashes(folded).of(np.array([0]), np.array([len(folded)]))[0])


def fold(text: str) -> NDArray[np.uint16]:
    """One folded code per character: 0 for what parts words, else a letter or a digit.

    Case and accents are dropped and all digits are one, so positions in the folded text are
    positions in the text itself.
    """
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return _FOLDED[np.minimum(points, _BMP - 1)]


def split(texts: Sequence[str]) -> Words:
    """The words of a batch. At most `MAX_CHARS` characters of each text are read."""
    clipped = [text[:MAX_CHARS] for text in texts]
    joined = "\n".join(clipped) + "\n"
    lengths = np.fromiter((len(text) + 1 for text in clipped), np.int64, len(clipped))
    text_starts = np.cumsum(lengths) - lengths
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    points = np.minimum(points, _BMP - 1)
    folded = _FOLDED[points]
    is_word = folded != 0
    # The batch ends with no word; whether it begins with one is asked for apart.
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    if is_word[0]:
        edges = np.concatenate([np.zeros(1, np.int64), edges])
    starts, ends = edges[0::2], edges[1::2]
    in_text = _numbered(starts, text_starts) - 1
    sentences = _numbered(starts, _sentence_starts(points, text_starts))
    return Words(
        starts,
        ends,
        in_text,
        sentences,
        _windows(in_text, sentences, len(texts)),
        text_starts,
        Hashes(folded),
    )


def closes_sentence(char: str) -> bool:
    """Whether a character may stand at the end of a sentence, quotation marks included."""
    return char in _SENTENCE_ENDS or char in "\"'»”)"


def _sentence_starts(points: NDArray[np.uint32], text_starts: I64) -> I64:
    """Positions where a sentence begins: a text's start, or a space after a full stop."""
    ends = np.flatnonzero(_ENDS_SENTENCE[points[:-1]])
    real = _SPACE[points[ends + 1]] | (points[ends] == ord("\n"))
    return np.union1d(text_starts, ends[real] + 1)


def _numbered(positions: I64, borders: I64) -> I64:
    """For each position how many borders stand at or before it; both rise."""
    passed = np.searchsorted(positions, borders)
    counts = np.bincount(passed, minlength=len(positions) + 1)
    return np.cumsum(counts[: len(positions)])


def _windows(in_text: I64, sentences: I64, n_texts: int) -> I64:
    """The window of each word: whole sentences, the lead first, then about equal lengths."""
    first_of_text = np.searchsorted(in_text, np.arange(n_texts))
    begins = np.flatnonzero(np.diff(sentences, prepend=-1))
    first_of_sentence = np.repeat(begins, np.diff(begins, append=len(sentences)))
    before = first_of_sentence - first_of_text[in_text]
    return np.where(before < LEAD_WORDS, 0, 1 + (before - LEAD_WORDS) // WINDOW_WORDS)


def _folded_table() -> NDArray[np.uint16]:
    """The folded code of every character of the Basic Multilingual Plane."""
    table = np.zeros(_BMP, dtype=np.uint16)
    for point in range(_BMP - 1):
        char = chr(point)
        if char.isdecimal():
            table[point] = ord("0")
        elif char.isalpha():
            plain = unicodedata.normalize("NFKD", char.lower())[0]
            # Й and й are letters of their own, not accented ones.
            table[point] = ord("й") if char in "Йй" else ord(plain) & (_BMP - 1)
    return table


def _membership(chars: str) -> NDArray[np.bool_]:
    table = np.zeros(_BMP, dtype=np.bool_)
    table[[ord(char) for char in chars]] = True
    return table


class _Powers:
    """Powers of the base and of its inverse, grown when a longer batch comes."""

    def __init__(self) -> None:
        self.forward = np.ones(1, dtype=np.uint64)
        self.backward = np.ones(1, dtype=np.uint64)

    def grow(self, size: int) -> None:
        if len(self.forward) < size:
            size = 1 << (size - 1).bit_length()
            self.forward = self._of(_BASE, size)
            self.backward = self._of(_BASE_INVERSE, size)

    @staticmethod
    def _of(base: int, size: int) -> U64:
        steps = np.full(size, base & _MASK, dtype=np.uint64)
        steps[0] = 1
        return np.cumprod(steps, dtype=np.uint64)


def _powers(size: int) -> U64:
    _POWERS.grow(size)
    return _POWERS.forward[:size]


def _inverse_powers(size: int) -> U64:
    _POWERS.grow(size)
    return _POWERS.backward


_POWERS = _Powers()
_FOLDED = _folded_table()
_ENDS_SENTENCE = _membership(_SENTENCE_ENDS)
_SPACE = _membership(" \t\r\n\u00a0\"'»”’)")
