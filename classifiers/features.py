"""Texts to sparse rows of hashed features, one row a window, no Python loop per word.

Owns which features a word gives: itself, its stems, its neighbours, the concept it names and
the concepts near it. Knows neither topics nor weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers import lexicon, tokens
from classifiers.tokens import I64, U64, Words

#: Stems stand in for grammar: "дронами" and "дроны" share their first letters.
PREFIX_LENGTHS: Final = (4, 5)
#: Endings find the head of a German compound: "Drohnenangriff", "Messerangriff".
SUFFIX_LENGTHS: Final = (6,)

#: Pairs join stems, so that a pair learned in one case form is known in the others.
STEM_LENGTH: Final = 5

#: How many concepts further a concept is paired with.
CONCEPT_REACH: Final = 5

#: Characters of the texts that are taken together, at most: the arrays of fewer are small change
#: beside the calls, those of more outgrow the processor's cache.
SLICE_CHARS: Final = 128_000

_CONCEPT_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
#: The kinds of features, and how much each counts beside the others (found on left-out folds).
KIND_WEIGHTS: Final = {
    "word": 1.0,
    "prefix": 1.0,
    "suffix": 1.0,
    "concept": 2.0,
    "concept_pair": 1.0,
    "stem_pair": 0.6,
    "skip_pair": 0.6,
}
_KINDS: Final = tuple(KIND_WEIGHTS)
_SALTS: Final = {
    name: np.uint64(number * 0xD6E8FEB86659FD93 & 0xFFFFFFFFFFFFFFFF | 1)
    for number, name in enumerate(_KINDS, 1)
}


@dataclass(frozen=True, slots=True)
class Group:
    """Occurrences of one kind, found in one way: the words they begin with, which rise, and the
    other words that they join (the same ones where they join none).
    """

    kind: str
    words: I64
    others: I64


#: Hashes, the words they begin with, the other words they join, and their kind.
_Found = tuple[U64, I64, I64, str]


@dataclass(frozen=True, slots=True)
class Features:
    """What a batch of texts turned into.

    `columns[i]` says in which column (hashed feature) occurrence i is. Occurrences stand group by
    group; `bounds`, groups x (rows + 1), says where those of a row (window) begin, and so which
    belong to it. Rows are in reading order; `row_texts` gives the text of a row and `row_windows`
    its window within the text. A text without a single word has no row. What only training
    and evidence ask for is worked out when it is asked for.
    """

    columns: NDArray[np.int32]
    bounds: I64
    groups: tuple[Group, ...]
    row_texts: I64
    row_windows: I64
    split: Words

    @property
    def rows(self) -> I64:
        """The row of each occurrence."""
        n_groups, n_borders = self.bounds.shape
        return np.repeat(
            np.tile(np.arange(n_borders - 1), n_groups), np.diff(self.bounds, axis=1).ravel()
        )

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """The number of each occurrence's kind in `KIND_WEIGHTS`."""
        numbers = np.array([_KINDS.index(group.kind) for group in self.groups], dtype=np.uint8)
        return np.repeat(numbers, self.bounds[:, -1] - self.bounds[:, 0])


def slices(texts: Sequence[str]) -> Iterator[slice]:
    """Which texts are best taken together, in order."""
    start, size = 0, 0
    for number, text in enumerate(texts):
        length = min(len(text), tokens.MAX_CHARS)
        if size and size + length > SLICE_CHARS:
            yield slice(start, number)
            start, size = number, 0
        size += length + 1
    if texts:
        yield slice(start, len(texts))


def extract(texts: Sequence[str], bits: int) -> Features:
    """The features of each text, hashed to `2**bits` columns."""
    split = tokens.split(texts)
    new_row = np.ones(len(split.starts), dtype=np.bool_)
    new_row[1:] = split.windows[1:] != split.windows[:-1]
    new_row[1:] |= split.texts[1:] != split.texts[:-1]
    firsts = new_row.nonzero()[0]
    found = _occurrences(split)
    hashes = tokens.mix(np.concatenate([part[0] for part in found]))
    hashes >>= np.uint64(64 - bits)
    borders = np.append(firsts, len(split.starts))
    bounds = np.array([part[1].searchsorted(borders) for part in found])
    bounds[1:] += bounds[:-1, -1:].cumsum(axis=0)
    return Features(
        hashes.astype(np.int32),
        bounds,
        tuple(Group(kind, words, others) for _, words, others, kind in found),
        split.texts[firsts],
        split.windows[firsts],
        split,
    )


def _occurrences(split: Words) -> list[_Found]:
    """Every feature, kind by kind."""
    starts, ends = split.starts, split.ends
    lengths = ends - starts
    beginning = split.hashes.beginning(starts)
    whole = beginning.up_to(ends)
    stems = beginning.up_to(starts + np.minimum(lengths, STEM_LENGTH))
    found = [_single(whole, np.arange(len(lengths)), "word")]
    for size in PREFIX_LENGTHS:
        longer = (lengths > size).nonzero()[0]
        if size == STEM_LENGTH:
            hashes = stems[longer]
        else:
            hashes = beginning.of(longer).up_to(starts[longer] + size)
        found.append(_single(hashes, longer, "prefix"))
    for size in SUFFIX_LENGTHS:
        longer = (lengths > size + 2).nonzero()[0]
        end = ends[longer]
        found.append(_single(split.hashes.of(end - size, end), longer, "suffix"))
    found += _concepts(split, whole)
    found.append(_pair(stems, split, 1, "stem_pair"))
    found.append(_pair(stems, split, 2, "skip_pair"))
    return found


def _single(hashes: U64, words: I64, kind: str) -> _Found:
    return hashes ^ _SALTS[kind], words, words, kind


def _concepts(split: Words, whole: U64) -> list[_Found]:
    """The concept of each word, and each two concepts that stand near in a sentence."""
    words, concepts = lexicon.shipped().concepts_in_order(
        split.hashes, split.starts, split.ends, whole
    )
    codes = tokens.mix(concepts * _CONCEPT_SPREAD)
    found = [_single(codes, words, "concept")]
    sentences = split.sentences[words]
    for step in range(1, CONCEPT_REACH + 1):
        near = (sentences[step:] == sentences[:-step]).nonzero()[0]
        one, two = codes[near], codes[near + step]
        # Order differs between languages: the smaller code goes first.
        both = np.minimum(one, two) * _SALTS["concept_pair"] + np.maximum(one, two)
        found.append((both, words[near], words[near + step], "concept_pair"))
    return found


def _pair(hashes: U64, split: Words, step: int, kind: str) -> _Found:
    """Two words of one sentence, `step` apart, in order."""
    same = (split.sentences[step:] == split.sentences[:-step]).nonzero()[0]
    other = same + step
    return hashes[same] * _SALTS[kind] + hashes[other], same, other, kind
