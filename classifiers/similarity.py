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
from itertools import chain
from operator import itemgetter
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
_MAX_SIGNATURE_CHARS: Final = 8 * _MAX_SIGNATURE_WORDS

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
    read = [_read(title, body, lang) for (title, body), lang in zip(texts, spoken, strict=True)]
    found, bags = [weights for weights, _ in read], [bag for _, bag in read]
    for weights, named in zip(found, places, strict=False):
        for name, country, is_country in named:
            term = term_hash(f"@{country}" if is_country else f"@{country}:{name}")
            weights[term] = COUNTRY_WEIGHT if is_country else TOWN_WEIGHT
    for weights, counted in zip(found, tolls, strict=False):
        for kind, number in counted:
            share = min(1.0, 0.4 + 0.2 * math.log(max(1, number)))
            weights[term_hash(f"#{kind}:{number}")] = TOLL_WEIGHT * share
    return [
        Fingerprint(_unit(weights), _signature(bag), len(bag))
        for weights, bag in zip(found, bags, strict=True)
    ]


def weigh(title: str, body: str, language: str = "") -> dict[int, float]:
    """The terms of a text, by hash, with rarity times log count; names count more."""
    return _read(title, body, language)[0]


def _read(title: str, body: str, language: str) -> tuple[dict[int, float], list[str]]:
    """The terms of a text, weighed, and its distinct folded words. Both ask for the same pieces of
    text, and most of the work is to ask: it is done once.
    """
    known = _known(language)
    named, weighed = _pieces(title), _pieces(body[:MAX_CHARS])
    counts = Counter(named + weighed)
    n_whole = len(counts)
    counts.update(named * (TITLE_COUNT - 1))
    counts.update(_pieces(body[:LEAD_CHARS]))  # its last piece may be half a word
    meant = list(map(known.__getitem__, counts))
    # What is mentioned once, as most terms are, weighs what its mention does.
    weights: dict[int, float] = {}
    totals: dict[int, int] = {}
    for (_, terms), count in zip(meant, counts.values(), strict=True):
        for term, strength in terms:
            if term in weights:
                totals[term] = totals.get(term, 1) + count
                weights[term] = max(weights[term], strength)
            else:
                weights[term] = strength
                if count > 1:
                    totals[term] = count
    for term, total in totals.items():
        weights[term] *= _LOGS[total]
    text_chars = len(title) + 1 + len(body)
    if len(body) > MAX_CHARS or text_chars > _MAX_SIGNATURE_CHARS:
        text = f"{title}\n{body}"[:_MAX_SIGNATURE_CHARS]
        meant = list(map(known.__getitem__, dict.fromkeys(_pieces(text))))
        n_whole = len(meant)
    words = dict.fromkeys(chain.from_iterable(map(_FOLDED_WORDS, meant[:n_whole])))
    return weights, list(words)[:_MAX_SIGNATURE_WORDS]


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
        for term, _ in _known(languages[0])[raw][1][:1]:
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


_FOLDED_WORDS: Final = itemgetter(0)


def _meant(piece: str, language: str) -> _Meant:
    """The folded words of a piece of text between two spaces, and their terms."""
    if piece.isalnum():
        folded = fold(piece)
        return (folded,), _terms(piece, folded, language)
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


def _terms(raw: str, folded: str, language: str) -> tuple[tuple[int, float], ...]:
    """The terms of a word, and how strongly one mention speaks: its stem, or what it means in
    English, and the concept it names.
    """
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
    least = sorted(weights.values())[-MAX_TERMS:][:1]
    heavy = [(-weight, term) for term, weight in weights.items() if weight >= least[0]]
    top = sorted(heavy)[:MAX_TERMS]
    norm = math.sqrt(sum([weight * weight for weight, _ in top])) or 1.0
    return tuple([(term, round(-255 * weight / norm) or 1) for weight, term in top])


def _signature(bag: list[str]) -> bytes:
    """The lowest byte of each MinHash. One text at a time: rensa's call for many hands them to
    threads, which cost a text alone ten times the hashing, and a batch gains nothing.
    """
    if not bag:
        return b""
    hashed = rensa.RMinHash(SIGNATURE_BYTES, _SEED)
    hashed.update(bag)
    return bytes([value & 0xFF for value in hashed.digest()])
