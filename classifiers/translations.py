"""What a word of our other languages means, as the stem of an English one.

Owns the table that ships (`data/translations.npz`, made by `build_translations.py`) and its
look-up. So the same report in two languages has the same terms; which terms a text gets, and
with what weight, is `similarity.py`.
"""

from __future__ import annotations

import functools
import zlib
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

TRANSLATIONS_PATH: Final = Path(__file__).parent / "data" / "translations.npz"
#: Languages of the table besides English, which is what the others are translated to.
LANGUAGES: Final = ("de", "es", "fr", "it", "ru", "uk")
#: Rarities are kept in steps of 1/16, sureness in steps of 1/200.
RARITY_STEPS: Final = 16
SURENESS_STEPS: Final = 200
#: A stem that a language's table of common ones does not have.
RARE: Final = 9.0
#: German builds words of words: no shorter word is split, no shorter part looked up. Two parts
#: are less sure than a whole.
COMPOUND_CHARS: Final = 9
PART_CHARS: Final = 4
COMPOUND_SURENESS: Final = 0.8
_HEAD_BITS: Final = 14
_HEAD_SHIFT: Final = 32 - _HEAD_BITS


@dataclass(frozen=True, slots=True)
class Sense:
    """What a word means: the hash of an English stem, how sure that is (0 to 1), and the
    concept it names, as (hash of its term, rarity), if it names a rare enough one.
    """

    term: int
    sureness: float
    concept: tuple[int, float] | None


@dataclass(frozen=True, slots=True)
class _Keys:
    """Sorted 32-bit keys, and where those of each first `_HEAD_BITS` bits begin: what is left to
    search is short.
    """

    keys: array[int]
    heads: list[int]

    @classmethod
    def of(cls, stored: NDArray[np.uint32]) -> _Keys:
        """Keys as they are stored."""
        firsts = np.arange(1 << _HEAD_BITS, dtype=np.uint32) << np.uint32(_HEAD_SHIFT)
        heads = [*stored.astype(np.uint32).searchsorted(firsts).tolist(), len(stored)]
        return cls(array("I", stored.astype(np.uint32).tobytes()), heads)

    def find(self, key: int) -> int | None:
        """The place of a key; None where it is not."""
        near = key >> _HEAD_SHIFT
        end = self.heads[near + 1]
        at = bisect_left(self.keys, key, self.heads[near], end)
        return at if at < end and self.keys[at] == key else None


@dataclass(frozen=True, slots=True)
class _Table:
    keys: _Keys
    terms: array[int]
    sureness: bytes
    concepts: bytes
    common_keys: _Keys
    common: bytes
    concept_terms: tuple[int, ...]
    concept_rarity: tuple[float, ...]


def word_key(language: str, folded: str) -> int:
    """The key of a folded word of a language."""
    return zlib.crc32(f"{language} {folded}".encode("utf-8", "surrogatepass"))


def stem_key(language: str, stem: str) -> int:
    """The key of a stem in a language's table of common stems."""
    return zlib.crc32(f"{language}#{stem}".encode("utf-8", "surrogatepass"))


def senses(folded: str, language: str) -> tuple[Sense, ...]:
    """What a folded word means: one sense, two for a compound, none where it is not known."""
    whole = _sense(folded, language)
    if whole is not None:
        return (whole,)
    if language == "de" and len(folded) >= COMPOUND_CHARS:
        return _compound(folded)
    return ()


def rarity_in(language: str, stem: str) -> float | None:
    """How rare a stem is in reports of a language (natural logarithm of one in n); None for a
    language without a table.
    """
    if language not in LANGUAGES:
        return None
    table = _load()
    at = table.common_keys.find(stem_key(language, stem))
    return RARE if at is None else table.common[at] / RARITY_STEPS


def _sense(folded: str, language: str) -> Sense | None:
    table = _load()
    at = table.keys.find(word_key(language, folded))
    if at is None:
        return None
    concept = table.concepts[at]
    named = (table.concept_terms[concept], table.concept_rarity[concept]) if concept else None
    return Sense(table.terms[at], table.sureness[at] / SURENESS_STEPS, named)


def _compound(folded: str) -> tuple[Sense, ...]:
    """Both parts, where both are known: the longest first part wins; a linking "s" is dropped."""
    for end in range(len(folded) - PART_CHARS, PART_CHARS - 1, -1):
        second = _sense(folded[end:], "de")
        if second is None:
            continue
        first = _sense(folded[:end], "de")
        if first is None and folded[end - 1] == "s":
            first = _sense(folded[: end - 1], "de")
        if first is not None:
            return tuple(
                Sense(part.term, part.sureness * COMPOUND_SURENESS, part.concept)
                for part in (first, second)
            )
    return ()


@functools.cache
def _load() -> _Table:
    with np.load(TRANSLATIONS_PATH, allow_pickle=False) as stored:
        return _Table(
            _Keys.of(stored["keys"]),
            array("I", stored["terms"].astype(np.uint32).tobytes()),
            stored["sureness"].tobytes(),
            stored["concepts"].tobytes(),
            _Keys.of(stored["common_keys"]),
            stored["common"].tobytes(),
            tuple(int(term) for term in stored["concept_terms"]),
            tuple(float(step) / RARITY_STEPS for step in stored["concept_rarity"]),
        )
