"""All forms of a Russian or Ukrainian word mean what its dictionary form means. Build time only.

Owns the spreading of translations over a word's forms (pymorphy3, MIT), and the list of words of
the news that no encoder knows (`data/news_words.txt`). What a form alone seems to mean loses
against what most forms mean. `build_translations.py` calls it; nothing at run time does.
"""

from __future__ import annotations

import importlib
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from classifiers.similarity import STEM_CHARS, fold

#: Word as written -> what it means, and how sure that is.
Meanings = dict[str, tuple[str, float]]

WORDS_PATH: Final = Path(__file__).parent / "data" / "news_words.txt"
INFLECTED: Final = ("ru", "uk")
#: A form that only its dictionary form translates is a little less sure.
FORM_SURENESS, VOTED_SURENESS = 0.95, 0.9
#: How much of a dictionary form's sureness needs no agreement among its forms.
ALONE: Final = 0.6
MIN_CHARS: Final = 3


def read_words(language: str, text: str) -> dict[str, str]:
    """The list's dictionary forms of a language, and the English word that says most."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        spoken, colon, entries = line.partition(":")
        if line.startswith("#") or not colon or spoken != language:
            continue
        for entry in entries.split(","):
            word, _, english = entry.strip().partition(" ")
            if english:
                found[word] = english
    return found


def spread(
    language: str, meanings: Meanings, frequencies: Mapping[str, float], own: Mapping[str, str]
) -> Meanings:
    """Translations of all forms, by folded form; `own` wins over what the encoder found."""
    analyzer: Any = importlib.import_module("pymorphy3").MorphAnalyzer(lang=language)
    lemma_of = {word: analyzer.parse(word)[0].normal_form for word in meanings}
    lemmas = dict(_voted(meanings, lemma_of, frequencies))
    found: Meanings = {}
    for word, (english, sureness) in meanings.items():
        meant, sure = lemmas[lemma_of[word]]
        if _stem(meant) == _stem(english):
            found[fold(word)] = (english, max(sureness, sure))
        else:
            found[fold(word)] = (meant, max(sure, VOTED_SURENESS * sureness))
    for lemma, (english, sureness) in lemmas.items():
        for form in _forms(analyzer, lemma)[:1]:
            for folded in form:
                if len(folded) >= MIN_CHARS:
                    found.setdefault(folded, (english, FORM_SURENESS * sureness))
    for lemma, english in own.items():
        for form in _forms(analyzer, lemma)[:2] or [{fold(lemma)}]:
            found.update(dict.fromkeys({fold(lemma), *form}, (english, 1.0)))
    return found


def _voted(
    meanings: Meanings, lemma_of: Mapping[str, str], frequencies: Mapping[str, float]
) -> Iterator[tuple[str, tuple[str, float]]]:
    """For each dictionary form what most of its forms mean, by how often they are used."""
    votes: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    best: dict[tuple[str, str], tuple[float, str]] = {}
    for word, (english, sureness) in meanings.items():
        lemma, stem = lemma_of[word], _stem(english)
        votes[lemma][stem] += sureness * math.sqrt(frequencies.get(word, 1e-8) * 1e8)
        best[lemma, stem] = max(best.get((lemma, stem), (0.0, "")), (sureness, english))
    for lemma, counted in votes.items():
        stem, most = max(counted.items(), key=lambda item: item[1])
        sureness, english = best[lemma, stem]
        yield lemma, (english, sureness * (ALONE + (1 - ALONE) * most / sum(counted.values())))


def _forms(analyzer: Any, lemma: str) -> list[set[str]]:
    """The folded forms of each reading of a dictionary form."""
    readings = [one for one in analyzer.parse(lemma) if one.normal_form == lemma]
    return [{fold(form.word) for form in one.lexeme} for one in readings]


def _stem(english: str) -> str:
    return fold(english)[:STEM_CHARS]
