"""The concepts that words name, so that what is learned in one language is known in all.

Owns the reading of `data/concepts.txt` and the look-up of a whole batch of words at once.
Does not know topics: which concept speaks for which topic is learned.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from classifiers import tokens
from classifiers.tokens import I64, U64, Hashes

CONCEPTS_FILE: Final = Path(__file__).parent / "data" / "concepts.txt"
#: A word that names nothing.
NONE: Final = 0

#: Longer beginnings and endings are cut to the longest that are looked up.
_PREFIXES: Final = np.array([8, 7, 6, 5, 4, 3])
_SUFFIXES: Final = np.array([8, 7, 6, 5, 4])
#: Words that are remembered, at most: fewer, and common words push each other out (2 MB).
_MEMORY_BITS: Final = 18
_MEMORY_SHIFT: Final = np.uint64(64 - _MEMORY_BITS)
_MAX_CONCEPTS: Final = 255
_BYTE, _LOW_BYTE, _BOTH_BYTES = np.uint64(8), np.uint64(0xFF), np.uint64(0xFFFF)


class Lexicon:
    """Concepts and the three tables (whole words, beginnings, endings) that find them.

    Concept 0 is no concept; `names[c - 1]` names concept `c`. Words seen before are remembered
    in a table of fixed size, which changes how fast an answer comes and never what it is.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        whole: dict[int, int],
        beginnings: dict[int, int],
        endings: dict[int, int],
    ) -> None:
        """Build the tables from hashed entries."""
        if len(names) > _MAX_CONCEPTS:
            raise ValueError(f"{len(names)} concepts, more than the {_MAX_CONCEPTS} that fit")
        self.names = names
        self._whole, self._beginnings, self._endings = map(_Table, (whole, beginnings, endings))
        # 48 bits of a word's hash and two concepts of 8 bits: one element, so that a reader in
        # another thread sees all of it or nothing.
        self._memory = np.zeros(1 << _MEMORY_BITS, dtype=np.uint64)

    def concepts_of(self, hashes: Hashes, starts: I64, ends: I64) -> I64:
        """Words x 2: the concepts of each word's beginning and of its end, often `NONE`.

        A whole word goes before a beginning, a longer match before a shorter one. The end is a
        second concept in compounds: "Drohnenangriff" is a drone and an attack.
        """
        packed = self._remembered(hashes, starts, ends, hashes.of(starts, ends))
        pairs = np.stack([packed >> _BYTE, packed], axis=1)
        return (pairs & _LOW_BYTE).astype(np.int64)

    def concepts_in_order(
        self, hashes: Hashes, starts: I64, ends: I64, whole: U64
    ) -> tuple[I64, U64]:
        """The words that name something, once for each concept, and the concepts, in the order
        of the words. `whole` are the words' hashes.
        """
        packed = self._remembered(hashes, starts, ends, whole)
        # A compound's two concepts stand one after the other.
        naming = ((packed & _BOTH_BYTES) != 0).nonzero()[0]
        few = packed[naming]
        concepts = np.stack([(few >> _BYTE) & _LOW_BYTE, few & _LOW_BYTE], axis=1).ravel()
        named = concepts.nonzero()[0]
        return naming[named >> 1], concepts[named]

    def _remembered(self, hashes: Hashes, starts: I64, ends: I64, whole: U64) -> U64:
        """The concepts of each word in its last two bytes."""
        keys = tokens.mix(whole)
        remembered = self._memory[(keys >> _MEMORY_SHIFT).astype(np.int64)]
        new = ((remembered ^ keys) > _BOTH_BYTES).nonzero()[0]
        if len(new):
            found = self._look_up(hashes, starts[new], ends[new])
            packed = (keys[new] & ~_BOTH_BYTES) | found
            self._memory[(packed >> _MEMORY_SHIFT).astype(np.int64)] = packed
            remembered[new] = packed
        return remembered

    def _look_up(self, hashes: Hashes, starts: I64, ends: I64) -> U64:
        """Both concepts of each word, the first in the higher of two bytes."""
        lengths = (ends - starts)[:, None]
        first = self._whole.find(hashes.of(starts, ends))
        whole = first != NONE
        # Every length at once: a batch has few words that are new, and calls cost more than they.
        cuts = np.minimum(starts[:, None] + _PREFIXES, ends[:, None])
        found = self._beginnings.find(hashes.beginning(starts[:, None]).up_to(cuts))
        longest = _leftmost(np.where(lengths >= _PREFIXES, found, NONE))
        first = np.where(whole, first, longest)
        cuts = np.maximum(ends[:, None] - _SUFFIXES, starts[:, None])
        found = self._endings.find(hashes.of(cuts, ends[:, None]))
        second = _leftmost(np.where(lengths >= _SUFFIXES, found, NONE))
        second[whole | (second == first)] = NONE
        return (first << 8 | second).astype(np.uint64)


def _leftmost(concepts: I64) -> I64:
    """The first concept of each row that is one."""
    columns = (concepts != NONE).argmax(axis=1)
    return np.take_along_axis(concepts, columns[:, None], axis=1)[:, 0]


class _Table:
    """Concepts by 64-bit hash, looked up by the array."""

    def __init__(self, entries: dict[int, int]) -> None:
        """Sort the entries. The last stands for hashes beyond all others: it is no concept."""
        keys = sorted(entries)
        self._keys = np.array([*keys, 2**64 - 1], dtype=np.uint64)
        self._concepts = np.array([*(entries[key] for key in keys), NONE], dtype=np.int64)

    def find(self, hashes: U64) -> I64:
        """The concept of each hash, 0 where there is none."""
        near = self._keys.searchsorted(hashes)
        return np.where(self._keys[near] == hashes, self._concepts[near], NONE)


@lru_cache(maxsize=1)
def shipped() -> Lexicon:
    """The lexicon that ships, read once a process."""
    return parse(CONCEPTS_FILE.read_text(encoding="utf-8"))


def parse(text: str) -> Lexicon:
    """Read `name: entry entry ...` lines; `#` begins a comment line.

    An entry that several concepts claim goes to the first of them.

    Raises:
        ValueError: a line has no name.
    """
    names: list[str] = []
    tables: tuple[dict[int, int], dict[int, int], dict[int, int]] = ({}, {}, {})
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, entries = line.partition(":")
        if not colon:
            raise ValueError(f"concepts, line {number}: no name")
        names.append(name.strip())
        for entry in entries.split():
            _enter(entry, len(names), *tables)
    return Lexicon(tuple(names), *tables)


def _enter(
    entry: str,
    concept: int,
    whole: dict[int, int],
    beginnings: dict[int, int],
    endings: dict[int, int],
) -> None:
    if entry.endswith("*"):
        stem = entry[:-1][: _PREFIXES[0]]
        if len(stem) >= _PREFIXES[-1]:
            beginnings.setdefault(tokens.hash_of(stem), concept)
            return
        entry = stem
    if entry.startswith("*"):
        endings.setdefault(tokens.hash_of(entry[1:][-_SUFFIXES[0] :]), concept)
    else:
        whole.setdefault(tokens.hash_of(entry), concept)
