"""Texts to sparse rows of hashed features, one row a window, no Python loop per word.

Owns which features a word gives: itself, its stems, its neighbours, the concept it names and
the concepts near it. Knows neither topics nor weights.
"""

from __future__ import annotations

from collections.abc import Sequence
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

#: Hashes, the words they begin with, the other words they join, and their kind.
_Found = tuple[U64, I64, I64, str]


@dataclass(frozen=True, slots=True)
class Features:
    """What a batch of texts turned into.

    `rows[i]`, `columns[i]`, `words[i]` and `others[i]` say in which row (window) and column
    (hashed feature) the occurrence is and which two words (or one, twice) it joins. Rows are in
    reading order; `row_texts` gives the text of a row and `row_windows` its window within the
    text. `kinds[i]` numbers the kind of the occurrence in `KIND_WEIGHTS`; within each of
    `kind_spans` the rows rise. A text without a single word has no row.
    """

    rows: I64
    columns: I64
    words: I64
    others: I64
    kinds: NDArray[np.uint8]
    kind_spans: tuple[tuple[int, int], ...]
    row_texts: I64
    row_windows: I64
    split: Words


def extract(texts: Sequence[str], bits: int) -> Features:
    """The features of each text, hashed to `2**bits` columns."""
    split = tokens.split(texts)
    n_words = len(split.starts)
    new_row = np.ones(n_words, dtype=np.bool_)
    new_row[1:] = (np.diff(split.texts) != 0) | (np.diff(split.windows) != 0)
    word_rows = np.cumsum(new_row) - 1
    found = _occurrences(split)
    hashes = np.concatenate([part[0] for part in found])
    words = np.concatenate([part[1] for part in found])
    kinds = np.repeat([_KINDS.index(part[3]) for part in found], [len(part[1]) for part in found])
    columns = (tokens.mix(hashes) >> np.uint64(64 - bits)).astype(np.int64)
    ends = np.cumsum([len(part[1]) for part in found]).tolist()
    firsts = np.flatnonzero(new_row)
    return Features(
        word_rows[words],
        columns,
        words,
        np.concatenate([part[2] for part in found]),
        kinds.astype(np.uint8),
        tuple(zip([0, *ends[:-1]], ends, strict=True)),
        split.texts[firsts],
        split.windows[firsts],
        split,
    )


def bounds(found: Features) -> I64:
    """Kinds x (rows + 1): where the occurrences of a row begin within those of a kind."""
    rows = np.arange(len(found.row_texts) + 1)
    spans = [
        start + np.searchsorted(found.rows[start:end], rows) for start, end in found.kind_spans
    ]
    return np.array(spans, dtype=np.int64)


def _occurrences(split: Words) -> list[_Found]:
    """Every feature, kind by kind."""
    lengths = split.ends - split.starts
    whole = split.hashes.of(split.starts, split.ends)
    stems = split.hashes.of(split.starts, split.starts + np.minimum(lengths, STEM_LENGTH))
    found = [_single(whole, np.arange(len(lengths)), "word")]
    for size in PREFIX_LENGTHS:
        longer = np.flatnonzero(lengths > size)
        start = split.starts[longer]
        found.append(_single(split.hashes.of(start, start + size), longer, "prefix"))
    for size in SUFFIX_LENGTHS:
        longer = np.flatnonzero(lengths > size + 2)
        end = split.ends[longer]
        found.append(_single(split.hashes.of(end - size, end), longer, "suffix"))
    found += _concepts(split)
    found.append(_pair(stems, split, 1, "stem_pair"))
    found.append(_pair(stems, split, 2, "skip_pair"))
    return found


def _single(hashes: U64, words: I64, kind: str) -> _Found:
    return hashes ^ _SALTS[kind], words, words, kind


def _concepts(split: Words) -> list[_Found]:
    """The concept of each word, and each two concepts that stand near in a sentence."""
    # Two columns, so that a compound's two concepts stand one after the other.
    concepts = lexicon.shipped().concepts_of(split.hashes, split.starts, split.ends).ravel()
    named = np.flatnonzero(concepts)
    words = named // 2
    codes = tokens.mix(concepts[named].astype(np.uint64) * _CONCEPT_SPREAD)
    found = [_single(codes, words, "concept")]
    sentences = split.sentences[words]
    for step in range(1, CONCEPT_REACH + 1):
        near = np.flatnonzero(sentences[step:] == sentences[:-step])
        one, two = codes[near], codes[near + step]
        # Order differs between languages: the smaller code goes first.
        both = np.minimum(one, two) * _SALTS["concept_pair"] + np.maximum(one, two)
        found.append((both, words[near], words[near + step], "concept_pair"))
    return found


def _pair(hashes: U64, split: Words, step: int, kind: str) -> _Found:
    """Two words of one sentence, `step` apart, in order."""
    same = np.flatnonzero(split.sentences[step:] == split.sentences[:-step])
    return hashes[same] * _SALTS[kind] + hashes[same + step], same, same + step, kind
