"""Finds countries and towns in a text, offline, in seven languages and their cases.

Owns the search and the ranking; the gazetteer (GeoNames, CC BY 4.0) is made by
`build_places.py`. Names are looked up by hash in two sorted arrays (a few megabytes) instead
of a dictionary of strings, since every worker holds them.
"""

from __future__ import annotations

import functools
import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.remembered import Remembered

DATA = Path(__file__).parent / "data" / "places.npz"
# A report names its places early; later ones are background.
MAX_CHARS = 6_000
MAX_WORDS = 4
COUNTRY_POPULATION = 100_000_000
_HEAD_BITS: Final = 14
_HEAD_SHIFT: Final = 64 - _HEAD_BITS

_TOKEN = re.compile(r"[^\W\d_]+(?:[-'’ʼ][^\W\d_]+)*\.?|[.!?;:,()\"«»“”—–\n|/]|\d+")
_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "ё": "е", "-": " ", ".": " "})
# Words before a place that say it happened there, in the languages served.
_LOCATIVE = frozenset(
    "in at near outside around across inside off from "
    "в во у под возле около близ над на из біля поблизу під над із з на "
    "a ad nel nella nei vicino presso bei nahe vor aus im dans près de du au aux en cerca "
    "central northern southern eastern western".split()
)
# Words after a place that say only that somebody there spoke.
_SPEAKING = frozenset(
    "says said say blames blamed accuses accused denies denied claims claimed warns warned vows "
    "заявил заявила заявили обвинил обвинила обвиняет заявив заявила звинуватив звинуватила "
    "accusa nega dice wirft weist accuse nie dément acusa niega dice".split()
)
_SENTENCE_END = frozenset(".!?\n")


@dataclass(frozen=True, slots=True)
class PlaceMatch:
    """A place of a text. `country` is ISO 3166-1 alpha-2; `count` is how often it stands
    there; `weight` ranks it: 1 a mention, more where it says that something happened there.
    """

    name: str
    country: str
    latitude: float
    longitude: float
    count: int
    weight: float
    is_country: bool


@dataclass(frozen=True, slots=True, eq=False)  # one there is; lookups are remembered by it
class _Gazetteer:
    # Views of the arrays: one number at a time they give several times faster.
    hashes: memoryview[int]
    rows: memoryview[int]
    # Where the hashes of each first `_HEAD_BITS` bits begin, so that few are left to search.
    heads: list[int]
    names: tuple[str, ...]
    countries: str
    positions: NDArray[np.float32]
    populations: NDArray[np.uint32]

    def lookup(self, surface: str) -> tuple[int, ...]:
        """Rows of the places spelled so, likeliest first."""
        key = name_hash(surface)
        near = key >> _HEAD_SHIFT
        first = end = bisect_left(self.hashes, key, self.heads[near], self.heads[near + 1])
        while end < len(self.hashes) and self.hashes[end] == key:
            end += 1
        return tuple(self.rows[first:end])

    @functools.lru_cache(maxsize=50_000)  # noqa: B019 - there is one gazetteer, kept for good
    def named(self, written: str) -> tuple[int, ...]:
        """Rows of the places that words of a text name, as they stand or without an ending.
        Remembered: news repeats names.
        """
        words = name_words(written)
        for spelling in _spellings(words) if words else ():
            rows = self.lookup(spelling)
            if rows:
                return rows
        return ()

    @functools.lru_cache(maxsize=10_000)  # noqa: B019 - as above
    def is_spelled(self, written: str) -> bool:
        """Whether a word of a text is a place's name as it stands."""
        return bool(self.lookup(" ".join(name_words(written))))

    def country(self, row: int) -> str:
        return self.countries[2 * row : 2 * row + 2]


@dataclass(frozen=True, slots=True)
class _Mention:
    rows: tuple[int, ...]
    weight: float


def name_words(name: str) -> tuple[str, ...]:
    """The words of a name as they are compared: lower case, one apostrophe, no hyphen."""
    return tuple(name.lower().translate(_APOSTROPHES).split())


def name_hash(surface: str) -> int:
    """The 64-bit key of a spelling; BLAKE2b, so that it is the same on every machine."""
    return int.from_bytes(hashlib.blake2b(surface.encode(), digest_size=8).digest(), "big")


def find_places(text: str) -> tuple[PlaceMatch, ...]:
    """The places that a text names, where it happened before where it was said.

    Only capitalised names count. A name that several places share goes to one in a country
    that the text also names, else to the largest.
    """
    gazetteer = _load()
    mentions = list(_mentions(text[:MAX_CHARS], gazetteer))
    named_countries = {
        gazetteer.country(mention.rows[0])
        for mention in mentions
        if gazetteer.populations[mention.rows[0]] >= COUNTRY_POPULATION
    }
    totals: dict[int, tuple[int, float]] = {}
    for mention in mentions:
        row = _choose(mention.rows, named_countries, gazetteer)
        count, weight = totals.get(row, (0, 0.0))
        totals[row] = (count + 1, weight + mention.weight)
    ranked = sorted(totals.items(), key=lambda item: -item[1][1])
    return tuple(_match(row, count, weight, gazetteer) for row, (count, weight) in ranked)


@functools.cache
def country_names() -> Mapping[str, str]:
    """What `find_places` calls each country, by its code of ISO 3166-1."""
    gazetteer = _load()
    rows = np.flatnonzero(gazetteer.populations >= COUNTRY_POPULATION).tolist()
    return {gazetteer.country(row): gazetteer.names[row] for row in rows}


@functools.cache
def _load() -> _Gazetteer:
    firsts = np.arange(1 << _HEAD_BITS, dtype=np.uint64)
    with np.load(DATA, allow_pickle=False) as stored:
        hashes = stored["hashes"]
        return _Gazetteer(
            memoryview(hashes),
            memoryview(stored["rows"]),
            [*hashes.searchsorted(firsts << np.uint64(_HEAD_SHIFT)).tolist(), len(hashes)],
            tuple(stored["names"].tobytes().decode().split("\n")),
            stored["countries"].tobytes().decode(),
            stored["positions"],
            stored["populations"],
        )


def _choose(rows: tuple[int, ...], named: set[str], gazetteer: _Gazetteer) -> int:
    return next((row for row in rows if gazetteer.country(row) in named), rows[0])


def _match(row: int, count: int, weight: float, gazetteer: _Gazetteer) -> PlaceMatch:
    is_country = bool(gazetteer.populations[row] >= COUNTRY_POPULATION)
    latitude, longitude = gazetteer.positions[row]
    return PlaceMatch(
        gazetteer.names[row],
        gazetteer.country(row),
        round(float(latitude), 4),
        round(float(longitude), 4),
        count,
        round(weight * (0.5 if is_country else 1.0), 3),
        is_country,
    )


def _mentions(text: str, gazetteer: _Gazetteer) -> Iterator[_Mention]:
    # No token has a space in it, and news repeats what stands between two.
    tokens = list(chain.from_iterable(map(_TOKENS.__getitem__, text.split(" "))))
    capital = list(map(_CAPITAL.__getitem__, tokens))
    title_case = _is_title_case(tokens)
    position = _next(capital, 0)
    while position >= 0:
        length, rows = _longest(tokens, capital, position, gazetteer)
        if rows and (length > 1 or title_case or _stands_alone(tokens, position, gazetteer)):
            yield _Mention(rows, _weight(tokens, position, length))
            position = _next(capital, position + length)
        else:
            position = _next(capital, position + 1)


def _next(capital: list[bool], start: int) -> int:
    """Where the next capitalised word is, from `start` on; -1 where there is none."""
    try:
        return capital.index(True, start)
    except ValueError:
        return -1


def _longest(
    tokens: list[str], capital: list[bool], start: int, gazetteer: _Gazetteer
) -> tuple[int, tuple[int, ...]]:
    """The longest run of words from `start` that is a name, and the places it may be."""
    if True not in capital[start + 1 : start + MAX_WORDS]:
        return 1, gazetteer.named(tokens[start])  # most capitals stand alone
    limit = start + 1
    while limit < len(tokens) and limit - start < MAX_WORDS and tokens[limit][0].isalpha():
        limit += 1
    for end in range(limit, start, -1):
        if capital[end - 1]:
            rows = gazetteer.named(" ".join(tokens[start:end]))
            if rows:
                return end - start, rows
    return 1, ()


def _tokens_of(piece: str) -> tuple[str, ...]:
    # Most pieces are a word, or one with a full stop that the word keeps.
    if piece.isalpha() or (piece[-1:] == "." and piece[:-1].isalpha()):
        return (piece,)
    return tuple(_TOKEN.findall(piece))


_TOKENS: Final = Remembered(_tokens_of)
_CAPITAL: Final = Remembered(lambda token: token[0].isupper())


def _spellings(words: Sequence[str]) -> Iterator[str]:
    """The words as they stand, then without a possessive ending."""
    yield " ".join(words)
    last = words[-1]
    if last.endswith("'s"):
        yield " ".join([*words[:-1], last[:-2]])
    elif "'" in last[:3]:
        yield " ".join([*words[:-1], last.split("'", 1)[1]])


def _stands_alone(tokens: list[str], position: int, gazetteer: _Gazetteer) -> bool:
    """Whether a one-word name is no part of a longer one ("Paris Hilton", "Jack London")."""
    following = tokens[position + 1] if position + 1 < len(tokens) else ""
    if tokens[position].endswith("."):
        following = ""  # what comes next begins a sentence
    if following[:1].isupper() and not gazetteer.is_spelled(following):
        return tokens[position].isupper()
    before = tokens[position - 1] if position else ""
    if (
        not before[:1].isupper()
        or before.endswith(".")
        or (position > 1 and tokens[position - 2] in _SENTENCE_END)
    ):
        return True
    if position == 1 or before.lower() in _LOCATIVE:
        return True
    return bool(gazetteer.named(before))


def _weight(tokens: list[str], position: int, length: int) -> float:
    before = tokens[position - 1].lower() if position else ""
    after = tokens[position + length].lower() if position + length < len(tokens) else ""
    weight = 1.0 + max(0.0, 0.5 - position / 400)
    if before in _LOCATIVE:
        weight += 1.0
    if after in _SPEAKING:
        weight *= 0.3
    if position == 0 and after in {"(", "—", "–", ","} and tokens[0].isupper():
        weight *= 0.3
    return weight


def _is_title_case(tokens: list[str]) -> bool:
    words = [token for token in tokens[:40] if token[0].isalpha() and len(token) > 3]
    capital = sum(token[0].isupper() for token in words)
    return len(words) >= 5 and capital / len(words) > 0.75
