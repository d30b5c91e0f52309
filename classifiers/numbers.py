"""Finds the toll of an incident: how many were killed, injured, missing, detained or taken.

Owns the words of seven languages around a number. A rule, not a model: a toll that is read
wrongly rings a bell, so a number only counts right beside a word that says what it counts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from classifiers.remembered import Remembered

MAX_CHARS = 4_000
# Beyond that a number beside "dead" is a year, a sum of a war or a mistake.
MAX_TOLL = 500_000
# Words between the number and what it counts ("five other people were killed").
REACH = 5

_TOKEN = re.compile(
    r"\d{1,3}(?:[., ]\d{3})+(?!\d)|\d+(?:[.,]\d+)?%?|[^\W\d_]+(?:['’][^\W\d_]+)?|[.!?;:,()\n-]"
)
_THOUSANDS = re.compile(r"[., ](?=\d{3}(?!\d))")

# Stems that begin a word; what the number beside it counts.
_STEMS = {
    "killed": (
        "killed kills killing dead deaths dies died fatalit slain perish toll "
        "погиб убит жертв скончал умер загин загибл вбит помер "
        "morti morirono uccis vittim "
        "tote toten tot getötet starben todesopfer gestorben "
        "morts mort tués tuées tué tuée décès décédé "
        "muert murieron fallecid asesinad mató mataron"
    ),
    "injured": (
        "injur wounded wounds hurt ранен пострадал травм поранен постражда "
        "ferit verletzt verwundet blessé herid lesionad"
    ),
    "missing": "missing пропал зник dispers vermisst disparu desaparecid",
    "detained": (
        "arrest detain задержан арестован затрима заарештован "
        "arrestat fermat festgenommen verhaftet interpell detenid"
    ),
    "kidnapped": "kidnap abduct hostage похищен заложник викраден заручник rapit ostagg "
    "entführt geisel enlevé otage secuestr rehen",
}
_BY_LENGTH = tuple(
    sorted(
        ((stem, kind) for kind, stems in _STEMS.items() for stem in stems.split()),
        key=lambda pair: -len(pair[0]),
    )
)
_STEM_LIST = tuple(stem for stem, _ in _BY_LENGTH)
# As stems these would begin too many other words ("total", "deadline", "mortar").
_WHOLE = frozenset("tot tote toten dead dies died mort morts morti hurt toll".split())

_NUMBER_WORDS = {
    1: "one один одна одного одну одним uno una ein eine einen un une",
    2: "two два две двое двух двоих дві двоє двох due zwei deux dos",
    3: "three три трое трех троих троє трьох tre drei trois tres",
    4: "four четыре четверо четырех четверых чотири четверо чотирьох quattro vier quatre cuatro",
    5: "five пять пятеро пяти пятерых п'ять п'ятеро п'яти cinque fünf cinq cinco",
    6: "six шесть шестеро шести шестерых шість шестеро sei sechs seis",
    7: "seven семь семеро семи семерых сім семеро sette sieben sept siete",
    8: "eight восемь восьмеро восьми вісім восьмеро otto acht huit ocho",
    9: "nine девять девяти дев'ять nove neun neuf nueve",
    10: "ten десять десяти dieci zehn dix diez",
    11: "eleven одиннадцать одинадцять undici elf onze once",
    12: "twelve двенадцать дванадцять dodici zwölf douze doce",
    13: "thirteen тринадцать тринадцять tredici dreizehn treize trece",
    14: "fourteen четырнадцать чотирнадцять quattordici vierzehn quatorze catorce",
    15: "fifteen пятнадцать п'ятнадцять quindici fünfzehn quinze quince",
    20: "twenty двадцать двадцять venti zwanzig vingt veinte",
}
_VALUES = {word: value for value, words in _NUMBER_WORDS.items() for word in words.split()}
# Articles that are also "one": too weak to be a toll of one.
_WEAK_ONES = frozenset({"un", "une", "una", "uno", "ein", "eine", "einen", "one", "once"})
# A number before these counts something else.
_OTHER_UNITS = frozenset(
    "year years month months week weeks day days hour hours minute minutes percent per km "
    "kilometres kilometers miles metres meters million billion dollars euros pounds year-old am pm "
    "год года лет месяцев дней дня часов минут процентов км тысяч рік років місяців днів годин "
    "anni anno mesi giorni ore milioni jahre jahren monate tage tagen stunden uhr millionen "
    "ans mois jours heures millions años meses días horas millones".split()
)
_SENTENCE_BREAKS = frozenset(".!?;\n")
# Where a clause ends, a number further back counts something else ("killed 12 and injured 30").
_CLAUSE_BREAKS = _SENTENCE_BREAKS | frozenset(", and и та й e ed und et y".split())


@dataclass(frozen=True, slots=True)
class TollMatch:
    """How many of one kind ("killed", "injured", "missing", "detained", "kidnapped")."""

    kind: str
    number: int


def find_tolls(text: str) -> tuple[TollMatch, ...]:
    """The highest number of each kind that the text names, kinds in alphabetical order."""
    highest: dict[str, int] = {}
    for part in _parts(text[:MAX_CHARS].lower().replace("’", "'")):
        for kind, number in _counted(_TOKEN.findall(part)):
            highest[kind] = max(number, highest.get(kind, 0))
    return tuple(TollMatch(kind, highest[kind]) for kind in sorted(highest))


def _parts(text: str) -> Iterator[str]:
    """The sentences that have a word that counts: no number is looked for beyond a sentence, and
    most sentences of most texts have none. A full stop before a space parts no number.
    """
    counts = _COUNTS.__getitem__
    for part in text.replace("\n", ". ").split(". "):
        if any(map(counts, part.split())):
            yield part


def _has_counting_word(piece: str) -> bool:
    """Whether a piece of text between two spaces has a word that counts."""
    return any(_kind(token) is not None for token in _TOKEN.findall(piece))


_COUNTS = Remembered(_has_counting_word)


def _counted(tokens: list[str]) -> Iterator[tuple[str, int]]:
    for position, token in enumerate(tokens):
        kind = _kind(token)
        if kind is None:
            continue
        number = _nearest_number(tokens, position)
        if number is not None:
            yield kind, number


@functools.lru_cache(maxsize=10_000)
def _kind(token: str) -> str | None:
    """What a word counts. Remembered: trying every stem costs more than all else here."""
    if not token.startswith(_STEM_LIST):
        return None
    for stem, kind in _BY_LENGTH:
        if token == stem or (stem not in _WHOLE and token.startswith(stem)):
            return kind
    return None


def _nearest_number(tokens: list[str], position: int) -> int | None:
    """The number that counts the word at `position`: the nearest before it in its clause,
    else one right after it ("killing at least 12", "число погибших выросло до 15").
    """
    backwards = range(position - 1, max(-1, position - REACH - 1), -1)
    before = _scan(tokens, backwards, _CLAUSE_BREAKS)
    if before is not None:
        return before
    onwards = range(position + 1, min(len(tokens), position + REACH + 1))
    return _scan(tokens, onwards, _SENTENCE_BREAKS)


def _scan(tokens: list[str], positions: range, breaks: frozenset[str]) -> int | None:
    for position in positions:
        token = tokens[position]
        # Beyond another counted word or a break a number belongs to something else.
        if token in breaks or _kind(token) is not None:
            return None
        value = _value(tokens, position)
        if value is not None:
            return value
    return None


def _value(tokens: list[str], position: int) -> int | None:
    token = tokens[position]
    following = tokens[position + 1] if position + 1 < len(tokens) else ""
    if following in _OTHER_UNITS or (
        following == "-"
        and tokens[position + 2 : position + 3] in (["year"], ["day"], ["летн"], ["летний"])
    ):
        return None
    if token in _VALUES:
        return None if token in _WEAK_ONES else _VALUES[token]
    if not token[0].isdecimal():
        return None  # most words
    digits = _THOUSANDS.sub("", token)
    if not digits.isdigit():
        return None
    number = int(digits)
    is_year = len(token) == 4 and 1900 <= number <= 2100
    return None if is_year or number > MAX_TOLL else number
