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
#: Their folded code: no letter or digit has it.
_SENTENCE_END: Final = 1
_LAST_ASCII: Final = 127
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
        sums = prefix[1:]
        np.multiply(folded, _powers(len(folded)), out=sums)
        np.cumsum(sums, out=sums)
        self._prefix = prefix

    def of(self, starts: I64, ends: I64) -> U64:
        """The hash of each slice `[start, end)`; equal slices have equal hashes anywhere.

        The high bits are the good ones; `mix` spreads them.
        """
        return self.beginning(starts).up_to(ends)

    def beginning(self, starts: I64) -> Beginnings:
        """For several hashes from the same places on: what they share is read once."""
        scales = _inverse_powers(len(self._prefix)).take(starts)
        return Beginnings(self._prefix, self._prefix.take(starts), scales)


@dataclass(frozen=True, slots=True)
class Beginnings:
    """Places where hashed slices begin."""

    _prefix: U64
    _before: U64
    _scales: U64

    def up_to(self, ends: I64) -> U64:
        """The hash of each slice that ends there."""
        hashes = self._prefix.take(ends) - self._before
        hashes *= self._scales
        return hashes

    def of(self, which: I64) -> Beginnings:
        """Some of them, by number."""
        return Beginnings(self._prefix, self._before.take(which), self._scales.take(which))


def mix(values: U64) -> U64:
    """Spread the information of every bit over all bits (splitmix64's finisher)."""
    mixed = values >> np.uint64(30)
    mixed ^= values
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def hash_of(word: str) -> int:
    """The hash that `Hashes.of` gives a word that stands alone, folded."""
    folded = fold(word)
    return int(Hashes(folded).of(np.array([0]), np.array([len(folded)]))[0])


def fold(text: str) -> NDArray[np.uint16]:
    """One folded code per character: 0 for what parts words, else a letter or a digit.

    Case and accents are dropped and all digits are one, so positions in the folded text are
    positions in the text itself.
    """
    folded = _FOLDED[_points(text)]
    folded[folded == _SENTENCE_END] = 0
    return folded


def split(texts: Sequence[str]) -> Words:
    """The words of a batch. At most `MAX_CHARS` characters of each text are read."""
    clipped = [text[:MAX_CHARS] for text in texts]
    joined = "\n".join(clipped) + "\n"
    lengths = np.fromiter((len(text) + 1 for text in clipped), np.int64, len(clipped))
    text_starts = np.cumsum(lengths) - lengths
    points = _points(joined)
    folded = _coded(points)
    is_word = folded > _SENTENCE_END
    # The batch ends with no word; whether it begins with one is asked for apart.
    edges = (is_word[1:] != is_word[:-1]).nonzero()[0]
    edges += 1
    if is_word[0]:
        edges = np.concatenate([np.zeros(1, np.int64), edges])
    starts, ends = edges[0::2], edges[1::2]
    in_text = _numbered(starts, text_starts) - 1
    sentences = _numbered(starts, _sentence_starts(points, folded))
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


def _points(text: str) -> NDArray[np.uint16]:
    """One code a character; what lies beyond the Basic Multilingual Plane is no letter here."""
    points = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype=np.uint16)
    if len(points) == len(text):
        return points
    wide = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return np.minimum(wide, _BMP - 1).astype(np.uint16)


def _coded(points: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The folded codes of a batch, 1 for what ends a sentence. Most characters are ASCII, which
    `translate` folds several times faster than an array is indexed.
    """
    low = bytearray(points.astype(np.uint8)).translate(_FOLDED_ASCII)
    folded = np.frombuffer(low, dtype=np.uint8).astype(np.uint16)
    other = (points > _LAST_ASCII).nonzero()[0]
    folded[other] = _FOLDED[points[other]]
    return folded


def _sentence_starts(points: NDArray[np.uint16], folded: NDArray[np.uint16]) -> I64:
    """Positions where a sentence begins: a text's start, or a space after a full stop. A line
    feed, which ends a sentence, stands before every text but the first.
    """
    ends = (folded[:-1] == _SENTENCE_END).nonzero()[0]
    real = _SPACE[points[ends + 1]] | (points[ends] == ord("\n"))
    return np.concatenate([np.zeros(1, np.int64), ends[real] + 1])


def _numbered(positions: I64, borders: I64) -> I64:
    """For each position how many borders stand at or before it; both rise."""
    passed = np.searchsorted(positions, borders)
    counts = np.bincount(passed, minlength=len(positions) + 1)
    return np.cumsum(counts[: len(positions)])


def _windows(in_text: I64, sentences: I64, n_texts: int) -> I64:
    """The window of each word: whole sentences, the lead first, then about equal lengths."""
    first_of_text = in_text.searchsorted(np.arange(n_texts))
    changes = np.ones(len(sentences), dtype=np.bool_)
    np.not_equal(sentences[1:], sentences[:-1], out=changes[1:])
    begins = changes.nonzero()[0]
    before = begins - first_of_text[in_text[begins]]
    # Rounded down, so that within the lead it is -1.
    later = (before - LEAD_WORDS) // WINDOW_WORDS
    return np.repeat(np.maximum(later + 1, 0), np.append(begins[1:], len(sentences)) - begins)


def _folded_table() -> NDArray[np.uint16]:
    """The folded code of every character of the Basic Multilingual Plane."""
    table = np.zeros(_BMP, dtype=np.uint16)
    table[[ord(char) for char in _SENTENCE_ENDS]] = _SENTENCE_END
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
_FOLDED_ASCII = _FOLDED[:256].astype(np.uint8).tobytes()  # above ASCII it is not asked
_SPACE = _membership(" \t\r\n\u00a0\"'»”’)")
