"""Texts to sparse rows of hashed features, one row a window, no Python loop per word.

Owns which features a word gives: itself, its stems, its neighbours, the concept it names and
the concepts near it. Knows neither topics nor weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from classifiers import tokens
from classifiers.tokens import I64, U64, Words

#: Stems stand in for grammar: "дронами" and "дроны" share their first letters.
PREFIX_LENGTHS: Final = (4, 5, 7)
#: Endings find the head of a German compound: "Drohnenangriff", "Messerangriff".
SUFFIX_LENGTHS: Final = (6,)

#: Pairs join stems, so that a pair learned in one case form is known in the others.
STEM_LENGTH: Final = 5

_SALTS: Final = {
    name: np.uint64(number * 0xD6E8FEB86659FD93 & 0xFFFFFFFFFFFFFFFF)
    for number, name in enumerate(
        ("word", "prefix", "suffix", "pair", "stem_pair", "skip_pair", "concept", "concept_pair"), 1
    )
}


@dataclass(frozen=True, slots=True)
class Features:
    """What a batch of texts turned into.

    `rows[i]`, `columns[i]`, `words[i]` and `others[i]` say in which row (window) and column
    (hashed feature) the occurrence is and which two words (or one, twice) it joins. Rows are in
    reading order; `row_texts` gives the text of a row and `row_windows` its window within the
    text. A text without a single word has no row.
    """

    rows: I64
    columns: I64
    words: I64
    others: I64
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
    hashes, words, others = _occurrences(split)
    columns = (tokens.mix(hashes) >> np.uint64(64 - bits)).astype(np.int64)
    firsts = np.flatnonzero(new_row)
    return Features(
        word_rows[words],
        columns,
        words,
        others,
        split.texts[firsts],
        split.windows[firsts],
        split,
    )


def _occurrences(split: Words) -> tuple[U64, I64, I64]:
    """Every feature's hash, with the one or two words that it joins."""
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
    found.append(_pair(whole, split, 1, "pair"))
    found.append(_pair(stems, split, 1, "stem_pair"))
    found.append(_pair(stems, split, 2, "skip_pair"))
    hashes, words, others = zip(*found, strict=True)
    return np.concatenate(hashes), np.concatenate(words), np.concatenate(others)


def _single(hashes: U64, words: I64, kind: str) -> tuple[U64, I64, I64]:
    return hashes ^ _SALTS[kind], words, words


def _pair(hashes: U64, split: Words, step: int, kind: str) -> tuple[U64, I64, I64]:
    """Two words of one sentence, `step` apart, in order."""
    same = np.flatnonzero(split.sentences[step:] == split.sentences[:-step])
    return tokens.mix(hashes[same] ^ _SALTS[kind]) + hashes[same + step], same, same + step
