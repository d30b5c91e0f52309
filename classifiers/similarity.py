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

from classifiers import translations
from classifiers.remembered import Remembered

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
#: Weight of a town and of a country found in the text, on the scale of rarity times log count;
#: of a number of victims (a large one; one victim is 0.4 of it); and of a concept named, as a
#: share of its rarity. Chosen on pairs of a report and its rendering in another language.
TOWN_WEIGHT: Final = 10.0
COUNTRY_WEIGHT: Final = 4.0
TOLL_WEIGHT: Final = 5.0
CONCEPT_WEIGHT: Final = 0.8
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
    texts: Sequence[tuple[str, str]],
    places: Sequence[Iterable[tuple[str, str, bool]]] = (),
    languages: Sequence[str] = (),
    tolls: Sequence[Iterable[tuple[str, int]]] = (),
) -> list[Fingerprint]:
    """The fingerprint of each (title, body).

    `places` gives, for each text, (name, country code, is a country) of what it is about,
    `tolls` (kind, number): the same in every language. `languages` says which words to
    translate; "" is unknown.
    """
    spoken = languages or [""] * len(texts)
    found = [weigh(title, body, lang) for (title, body), lang in zip(texts, spoken, strict=True)]
    for weights, named in zip(found, places, strict=False):
        for name, country, is_country in named:
            term = term_hash(f"@{country}" if is_country else f"@{country}:{name}")
            weights[term] = COUNTRY_WEIGHT if is_country else TOWN_WEIGHT
    for weights, counted in zip(found, tolls, strict=False):
        for kind, number in counted:
            share = min(1.0, 0.4 + 0.2 * math.log(max(1, number)))
            weights[term_hash(f"#{kind}:{number}")] = TOLL_WEIGHT * share
    bags = [
        _bag(f"{title}\n{body}", lang) for (title, body), lang in zip(texts, spoken, strict=True)
    ]
    signatures = _signatures(bags)
    return [
        Fingerprint(_unit(weights), signature, len(bag))
        for weights, bag, signature in zip(found, bags, signatures, strict=True)
    ]


def weigh(title: str, body: str, language: str = "") -> dict[int, float]:
    """The terms of a text, by hash, with rarity times log count; names count more."""
    named, lead, weighed = map(_pieces, (title, body[:LEAD_CHARS], body[:MAX_CHARS]))
    counted = named * TITLE_COUNT + lead + weighed
    known = _known(language)
    totals: dict[int, int] = {}
    strengths: dict[int, float] = {}
    for piece, count in Counter(counted).items():
        for term, strength in known[piece][1]:
            if term in totals:
                totals[term] += count
                strengths[term] = max(strengths[term], strength)
            else:
                totals[term] = count
                strengths[term] = strength
    logs = _LOGS
    return {term: logs[totals[term]] * strength for term, strength in strengths.items()}


def stems(text: str) -> set[str]:
    """The distinct stems of a text, as its terms are made from."""
    return {fold(raw)[:STEM_CHARS] for raw in _WORD.findall(text)}


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


def shared_words(
    one: tuple[str, str],
    other: tuple[str, str],
    languages: tuple[str, str] = ("", ""),
    limit: int = 8,
) -> list[str]:
    """The words, as the first text writes them, whose terms weigh most in both texts."""
    mine, theirs = weigh(*one, languages[0]), weigh(*other, languages[1])
    written: dict[int, str] = {}
    for raw in _WORD.findall(f"{one[0]} {one[1][:MAX_CHARS]}"):
        for term, _ in _terms(raw, languages[0])[:1]:
            written.setdefault(term, raw)
    common = [term for term in mine if term in theirs and term in written]
    common.sort(key=lambda term: (-mine[term] * theirs[term], term))
    return [written[term] for term in common[:limit]]


@functools.lru_cache(maxsize=50_000)
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


def term_hash(term: str) -> int:
    """The 32-bit hash that stands for a term everywhere."""
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


def _pieces(text: str) -> list[str]:
    """What stands between two spaces, most of it words: full stops and commas part words too."""
    return text.replace(".", " ").replace(",", " ").split()


#: The folded words of a piece of text, and its terms with how strongly each speaks.
_Meant = tuple[tuple[str, ...], tuple[tuple[int, float], ...]]


def _meant(piece: str, language: str) -> _Meant:
    """The folded words of a piece of text between two spaces, and their terms."""
    if piece.isalnum():
        return (fold(piece),), _terms(piece, language)
    parts = [_known(language)[raw] for raw in _WORD.findall(piece)]
    return (
        tuple(word for words, _ in parts for word in words),
        tuple(term for _, terms in parts for term in terms),
    )


@functools.lru_cache(maxsize=len(translations.LANGUAGES) + 2)
def _known(language: str) -> Remembered[_Meant]:
    return Remembered(functools.partial(_meant, language=language))


class _Logs(dict[int, float]):
    """How much so many mentions of a term count beside one."""

    def __missing__(self, count: int) -> float:
        self[count] = 1 + math.log(count)  # at most as many as a text has words
        return self[count]


_LOGS: Final = _Logs()


@functools.lru_cache(maxsize=50_000)
def _terms(raw: str, language: str) -> tuple[tuple[int, float], ...]:
    """The terms of a word, and how strongly one mention speaks: its stem, or what it means in
    English, and the concept it names.
    """
    folded = fold(raw)
    stem = folded[:STEM_CHARS]
    own = term_hash(stem)
    found = translations.senses(folded, language) if language else ()
    boost = NAME_BOOST if raw[0].isupper() else 1.0
    # A letter alone is no term.
    words = [] if found or (len(stem) < 2 and not stem.isdigit()) else [(own, _rarity_of(own))]
    if words and (common := translations.rarity_in(language, stem)) and not stem.isdigit():
        words = [(own, min(words[0][1], common))]
    terms = {term: rarity * boost for term, rarity in words if rarity >= MIN_RARITY}
    for sense in found:
        rarity = _rarity_of(sense.term)
        # Every German noun begins with a capital; only one that stays the same is a name.
        name = boost if language != "de" or sense.term == own else 1.0
        if rarity >= MIN_RARITY:
            terms[sense.term] = rarity * sense.sureness * name
        if sense.concept:
            terms[sense.concept[0]] = CONCEPT_WEIGHT * sense.concept[1]
    return tuple(terms.items())


def _rarity_of(term: int) -> float:
    return _rarity()[term & ((1 << RARITY_BITS) - 1)] / RARITY_STEPS


#: Rarity is stored in steps of 1/16 in one byte.
RARITY_STEPS: Final = 16


@functools.cache
def _rarity() -> bytes:
    """Rarity by the low bits of a term's hash; a term never seen is as rare as can be."""
    with np.load(RARITY_PATH, allow_pickle=False) as stored:
        table = np.asarray(stored["rarity"], dtype=np.uint8)
    assert table.shape == (1 << RARITY_BITS,)
    return table.tobytes()


def _unit(weights: dict[int, float]) -> tuple[tuple[int, int], ...]:
    # Most of a long text's terms are too light to be kept: those are not sorted with the rest.
    least = sorted(weights.values(), reverse=True)[:MAX_TERMS][-1:]
    heavy = [(-weight, term) for term, weight in weights.items() if weight >= least[0]]
    top = sorted(heavy)[:MAX_TERMS]
    norm = math.sqrt(sum(weight * weight for weight, _ in top)) or 1.0
    return tuple((term, max(1, round(-255 * weight / norm))) for weight, term in top)


def _bag(text: str, language: str) -> list[str]:
    """The distinct folded words of a text, in order of first use."""
    known, pieces = _known(language), dict.fromkeys(_pieces(text[: 8 * _MAX_SIGNATURE_WORDS]))
    words = dict.fromkeys([word for piece in pieces for word in known[piece][0]])
    return list(words)[:_MAX_SIGNATURE_WORDS]


def _signatures(bags: list[list[str]]) -> list[bytes]:
    """The lowest byte of each MinHash. Bags are hashed together, in one call."""
    if not bags:
        return []
    matrix = rensa.RMinHash.digest_matrix_from_token_sets(bags, SIGNATURE_BYTES, _SEED)
    rows = (np.asarray(matrix.to_rows(), dtype=np.uint64) & 0xFF).astype(np.uint8)
    return [row.tobytes() if bag else b"" for row, bag in zip(rows, bags, strict=True)]
