"""Fingerprints of texts: what two reports of one story, or two copies of one text, share.

Owns the terms (rare words with weights, for "same story") and the signature (MinHash over all
words, for "same text"). Does not decide: who compares fingerprints, and with which thresholds,
is the caller's business.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import rensa
from numpy.typing import NDArray

RARITY_PATH: Final = Path(__file__).parent / "data" / "rarity.npz"
RARITY_BITS: Final = 18

#: Measured on the ECB+ clusters: 32, 48 and 64 terms are within 0.005 B-cubed F1 of each other.
MAX_TERMS: Final = 48
#: Words are cut to their first letters, which takes off most endings of our languages. On ECB+
#: 5 letters gave B-cubed F1 0.906, 6 gave 0.895, 8 gave 0.881.
STEM_CHARS: Final = 5
#: A word below this rarity (natural logarithm of one in n reports) is grammar.
MIN_RARITY: Final = 1.5
#: Names carry a story: words that begin with a capital count this much more (1.0 and 2.2 are
#: worse by 0.02 to 0.03).
NAME_BOOST: Final = 1.6
#: Weight of a town and of a country found in the text, on the scale of rarity times log count.
TOWN_WEIGHT: Final = 8.0
COUNTRY_WEIGHT: Final = 4.0
#: What a story is stands in the title and in the first paragraphs.
MAX_CHARS: Final = 3_000
TITLE_COUNT: Final = 2
#: The first sentences count once more than the rest: B-cubed F1 on ECB+ 0.889 against 0.874,
#: mean of four orders; 200 and 500 characters are as good.
LEAD_CHARS: Final = 300

#: MinHash permutations; one byte of each is kept, so an unlike text agrees in 1 of 256.
SIGNATURE_BYTES: Final = 128
_SEED: Final = 20_250_711
#: The words that a signature reads; a copy is told within them.
_MAX_SIGNATURE_WORDS: Final = 2_000

_WORD: Final = re.compile(r"[^\W_]+")
#: As English news spells names (BGN/PCGN without marks, y and i as one); signs are dropped.
_LATIN: Final = dict(
    zip(
        "абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґўјљњћђџ",
        "a b v g d e zh z i i k l m n o p r s t u f kh ts ch sh shch - i - e iu ia i i ie g u j l n"
        " c d dz".split(),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of a text to compare it.

    `terms` are (32-bit hash, weight 1 to 255) pairs, heaviest first; the weights are a unit
    vector times 255, so the sum of products over 255 squared is the cosine. `signature` is
    empty for a text without a word. `words` counts distinct words.
    """

    terms: tuple[tuple[int, int], ...]
    signature: bytes
    words: int


def fingerprints(
    texts: Sequence[tuple[str, str]], places: Sequence[Iterable[tuple[str, str, bool]]] = ()
) -> list[Fingerprint]:
    """The fingerprint of each (title, body).

    `places` gives, for each text, (name, country code, is a country) of what it is about: the
    same town in two languages is one term.
    """
    found = [weigh(title, body) for title, body in texts]
    for weights, named in zip(found, places, strict=False):
        for name, country, is_country in named:
            term = term_hash(f"@{country}" if is_country else f"@{country}:{name}")
            weights[term] = COUNTRY_WEIGHT if is_country else TOWN_WEIGHT
    bags = [_bag(f"{title}\n{body}") for title, body in texts]
    signatures = _signatures(bags)
    return [
        Fingerprint(_unit(weights), signature, len(bag))
        for weights, bag, signature in zip(found, bags, signatures, strict=True)
    ]


def weigh(title: str, body: str) -> dict[int, float]:
    """The terms of a text, by hash, with rarity times log count; names count more."""
    title_words, words = _WORD.findall(title), _WORD.findall(body[:MAX_CHARS])
    raws = title_words * TITLE_COUNT + _WORD.findall(body[:LEAD_CHARS]) + words
    stems = list(map(_stem, raws))
    names = {stem for raw, stem in zip(raws, stems, strict=True) if raw[0].isupper()}
    counts = Counter(stems)
    weights: dict[int, float] = {}
    for stem, count in counts.items():
        term, rarity = _term(stem)
        if rarity >= MIN_RARITY:
            weights[term] = (1 + math.log(count)) * rarity * (NAME_BOOST if stem in names else 1.0)
    return weights


def stems(text: str) -> set[str]:
    """The distinct stems of a text, as its terms are made from."""
    return set(map(_stem, _WORD.findall(text)))


def cosine(one: Fingerprint, other: Fingerprint) -> float:
    """How alike the terms of two texts are, 0 to 1."""
    weights = dict(other.terms)
    return sum(weight * weights.get(term, 0) for term, weight in one.terms) / 255**2


def resemblance(one: Fingerprint, other: Fingerprint) -> float:
    """The estimated share of words that two texts have in common (Jaccard), 0 to 1."""
    if not one.signature or not other.signature:
        return 0.0
    same = sum(a == b for a, b in zip(one.signature, other.signature, strict=True))
    return max(0.0, (same / SIGNATURE_BYTES - 1 / 256) / (1 - 1 / 256))


def shared_words(one: tuple[str, str], other: tuple[str, str], limit: int = 8) -> list[str]:
    """The words, as the first text writes them, whose terms weigh most in both texts."""
    mine, theirs = weigh(*one), weigh(*other)
    written: dict[int, str] = {}
    for raw in _WORD.findall(f"{one[0]} {one[1][:MAX_CHARS]}"):
        written.setdefault(term_hash(fold(raw)[:STEM_CHARS]), raw)
    common = [term for term in mine if term in theirs and term in written]
    common.sort(key=lambda term: (-mine[term] * theirs[term], term))
    return [written[term] for term in common[:limit]]


@functools.lru_cache(maxsize=200_000)
def fold(word: str) -> str:
    """A word without case and accents, Cyrillic in Latin letters, so that a name is the same
    in the two scripts: "Зеленский" and "Zelensky" share their first five letters.
    """
    lower = word.casefold()
    if not lower.isascii():
        lower = "".join(_LATIN.get(char, char) for char in lower).replace("-", "")
        decomposed = unicodedata.normalize("NFKD", lower)
        lower = "".join(char for char in decomposed if not unicodedata.combining(char))
    return lower.replace("y", "i")


@functools.lru_cache(maxsize=200_000)
def _stem(raw: str) -> str:
    return fold(raw)[:STEM_CHARS]


@functools.lru_cache(maxsize=200_000)
def term_hash(term: str) -> int:
    """The 32-bit hash that stands for a term everywhere."""
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


@functools.lru_cache(maxsize=200_000)
def _term(stem: str) -> tuple[int, float]:
    """A stem's hash and rarity; a single letter is no term, so its rarity is 0."""
    term = term_hash(stem)
    if len(stem) < 2 and not stem.isdigit():
        return term, 0.0
    return term, float(_rarity()[term & ((1 << RARITY_BITS) - 1)]) / RARITY_STEPS


#: Rarity is stored in steps of 1/16 in one byte.
RARITY_STEPS: Final = 16


@functools.cache
def _rarity() -> NDArray[np.uint8]:
    """Rarity by the low bits of a term's hash; a term never seen is as rare as can be."""
    with np.load(RARITY_PATH, allow_pickle=False) as stored:
        table = np.asarray(stored["rarity"], dtype=np.uint8)
    assert table.shape == (1 << RARITY_BITS,)
    return table


def _unit(weights: dict[int, float]) -> tuple[tuple[int, int], ...]:
    top = sorted([(-weight, term) for term, weight in weights.items()])[:MAX_TERMS]
    norm = math.sqrt(sum(weight * weight for weight, _ in top)) or 1.0
    return tuple((term, max(1, round(-255 * weight / norm))) for weight, term in top)


def _bag(text: str) -> list[str]:
    """The distinct folded words of a text, in order of first use."""
    words = dict.fromkeys(map(fold, _WORD.findall(text[: 8 * _MAX_SIGNATURE_WORDS])))
    return list(words)[:_MAX_SIGNATURE_WORDS]


def _signatures(bags: list[list[str]]) -> list[bytes]:
    """The lowest byte of each MinHash. Bags are hashed together, in one call."""
    if not bags:
        return []
    matrix = rensa.RMinHash.digest_matrix_from_token_sets(bags, SIGNATURE_BYTES, _SEED)
    rows = (np.asarray(matrix.to_rows(), dtype=np.uint64) & 0xFF).astype(np.uint8)
    return [row.tobytes() if bag else b"" for row, bag in zip(rows, bags, strict=True)]
