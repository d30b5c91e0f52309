"""Who says so: whom a report names as the source of a number ("police said", "власти сообщили").

Owns the words of seven languages for those who speak of incidents and for saying. A rule, not a
model: a name is only taken from the very sentence that has the number, right beside a word of
saying; nobody is better than somebody else.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Final

from classifiers.numbers import TollMatch, find_tolls

MAX_CHARS: Final = 48
#: Numbers that texts write as words.
MAX_WORD: Final = 20
#: Words between who speaks and the word of saying ("officials in the Bryansk region said").
REACH: Final = 5

# Written so that it begins with a set of characters: those are searched for fast.
_SENTENCE: Final = re.compile(
    r"[.!?…\n](?:(?<=\n)\n*|(?<!\n)[.!?…]*[\"”»')]*\s+(?=[\"“«'(]*[^\W\d_a-zа-яё]))"
)
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*|[,:;–—-]")

# Beginnings of words; those in _WHOLE stand for themselves alone.
_SPEAKERS: Final = tuple(
    "police official authorit ministr minister governor mayor hospital army militar firefighter "
    "rescuer guard prosecut sheriff spokes president government witness doctor medic "
    "investigator commissioner chief department operator embassy council agency responders "
    "полици власт министр министерств минобороны мвд мчс губернатор мэр больниц военн пожарны "
    "спасател прокур пресс президент правительств агентств очевид врач медик следовател глава "
    "главы штаб скр гсчс "
    "поліці влад міністр міністерств мвс дснс мер міськ лікарн військов пожежник рятувальник "
    "пресслужб уряд лікар слідч голов "
    "polizi polizei carabinier autorità ministr governator sindac ospedal esercit vigil soccorrit "
    "procur portavoc govern agenzi testimon medic inquirent prefett questur "
    "behörd ministerium gouverneur bürgermeister krankenhaus klinik armee militär feuerwehr "
    "rettungskräft rettungsdienst staatsanwalt sprecher präsident regierung agentur zeugen ärzte "
    "ermittler landrat "
    "gendarm gouverneur maire hôpital armée pompier secouri parquet procureur porte présiden "
    "gouvernement agence témoin médecin enquêteur préfe "
    "policía autoridad gobernador alcald ejército bombero rescatist fiscal gobierno agencia "
    "testig médic investigador guardia".split()
)
_SPEAKERS_WHOLE: Final = frozenset(
    "un media pentagon kremlin оон сми ова мо змі onu medien medios média médias".split()
)
_SAYING: Final = tuple(
    "said says report announc confirm stated told "
    "сообщ заяв сказал рассказал уточн подтверд отмет "
    "повідом сказа розпов підтверд зазнач "
    "detto riferi annunci conferm dichiar comunic "
    "sagt teilt erklär bestätig melde mitgeteilt mitteil bericht "
    "annonc déclar indiqu précis affirm "
    "dijo dijeron inform anunci declar señal asegur".split()
)
_SAYING_WHOLE: Final = frozenset({"say", "dit", "gab"})
#: What comes before who speaks, in words; a phrase of the text follows it.
_ACCORDING: Final = re.compile(
    r"\b(?:according to|по данным|по словам|по информации|по сообщению|за даними|за словами|"
    r"за інформацією|secondo|stando a|laut|nach angaben(?: von)?|selon|d['’]après|según|"
    r"de acuerdo con)\s+((?:[^\W\d_]+['’]?[ -]?){1,7})",
    re.IGNORECASE,
)
# A headline's "police: nine dead" and "nine dead, officials".
_HEADLINE: Final = re.compile(r"^([^\W\d_]+)\s*:|[:–—-]\s*([^\W\d_]+)\s*$")
_ARTICLES: Final = frozenset(
    "the a an der die das des dem den il lo la i gli le l el los las les un una eine einer".split()
)
_NO_NAMES: Final = frozenset(
    "he she they it we i who он она они он вони він вона кто il elle ils er sie es lui lei él "
    "ella ellos qui chi wer opfer verletzte verletzten tote toten menschen personen "
    "monday tuesday wednesday thursday friday saturday sunday".split()
)
_MODIFIERS: Final = frozenset(
    "local state regional federal city health military fire emergency rescue interior defence "
    "defense foreign prime army local местные местных региональные местная місцева місцеві".split()
)


def attribute(text: str, tolls: Iterable[TollMatch]) -> dict[str, str]:
    """Who is named as the source of each kind of toll, as the text writes it; a kind is left out
    where nobody is. The first sentence that has the number decides.
    """
    wanted = {toll.kind: toll.number for toll in tolls}
    if not wanted:
        return {}
    numbers = set(wanted.values())
    found: dict[str, str] = {}
    for sentence in _SENTENCE.split(text):
        if len(found) == len(wanted):
            break
        # Most sentences have no such number; a small one may be a word.
        if not any(number <= MAX_WORD or str(number)[-3:] in sentence for number in numbers):
            continue
        counted = {toll.kind: toll.number for toll in find_tolls(sentence)}
        kinds = [k for k, number in counted.items() if wanted.get(k) == number and k not in found]
        if kinds and (speaker := speaker_of(sentence)):
            found.update(dict.fromkeys(kinds, speaker))
    return found


def speaker_of(sentence: str) -> str:
    """Who speaks in a sentence, as it is written there; "" when nobody is named."""
    tokens = _TOKEN.findall(sentence)
    lower = [token.lower() for token in tokens]
    speakers = [at for at, word in enumerate(lower) if _speaks(word)]
    saying = [at for at, word in enumerate(lower) if _says(word)]
    for according in _ACCORDING.finditer(sentence):
        named = _TOKEN.findall(according[1])
        for at, word in enumerate(named):
            if _speaks(word.lower()):
                return _phrase(named, at)
    # Before a word of saying rather than behind it.
    near = [(abs(who - at) + (who > at), who) for at in saying for who in speakers if who != at]
    distance, speaker = min(near, key=lambda pair: pair[0], default=(REACH + 1, 0))
    if distance <= REACH:
        return _phrase(tokens, speaker)
    for at in saying:
        if at and _is_name(tokens, at - 1):
            return _phrase(tokens, at - 1)
    if headline := _HEADLINE.search(sentence.strip().rstrip(".")):
        word = headline[1] or headline[2]
        return word if _speaks(word.lower()) else ""
    return ""


@functools.lru_cache(maxsize=50_000)
def _speaks(word: str) -> bool:
    return word in _SPEAKERS_WHOLE or (word.startswith(_SPEAKERS) and not word.endswith("ly"))


@functools.lru_cache(maxsize=50_000)
def _says(word: str) -> bool:
    return word in _SAYING_WHOLE or (word.startswith(_SAYING) and not word.endswith("ly"))


def _is_name(tokens: list[str], at: int) -> bool:
    """Whether a word that speaks is somebody's name ("Lirov said"), not "He" or "Der Mann"."""
    follows_article = at > 0 and tokens[at - 1].lower() in _ARTICLES
    return tokens[at][0].isupper() and tokens[at].lower() not in _NO_NAMES and not follows_article


def _phrase(tokens: list[str], at: int) -> str:
    """The speaker with what belongs to it: "Texas police", "governor Pavel Lirov"."""
    start = at
    while start > 0 and at - start < 2 and _belongs(tokens[start - 1]):
        start -= 1
    end = at + 1
    while end < len(tokens) and end - at <= 3 and tokens[end][0].isupper():
        end += 1
    said = " ".join(tokens[start:end])
    return said if len(said) <= MAX_CHARS else str(tokens[at])


def _belongs(token: str) -> bool:
    lower = token.lower()
    return (
        token[0].isalpha()
        and lower not in _ARTICLES
        and (lower in _MODIFIERS or token[0].isupper())
    )
