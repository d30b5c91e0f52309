"""Which title tells a story most clearly to this newsroom.

Owns the order of titles: by form, then by who knows of more dead, then by who wrote first.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from classifiers.numbers import find_tolls
from classifiers.similarity import stems
from streams.facts import Facts

#: Titles of this many characters say who did what where; shorter ones name, longer ones ramble.
MIN_CHARS, MAX_CHARS = 35, 110
#: A title that says how many died may be so much less clear in form.
TOLL_POINTS = 0.125
#: Longer words that two titles share when they say the same.
SHARED_STEMS, STEM_CHARS = 3, 4
#: What is no plain statement of what happened.
_UNCLEAR = re.compile(
    r"[?¿]|^(live|watch|video|opinion|analysis|explainer|(in )?photos?|in pictures|listen|podcast|"
    r"прямая трансляция|видео|відео|онлайн|en direct|en directo|in diretta|liveblog|ticker)\b|"
    r"\b(live (updates|briefing)|what we know|what to know|explained|liveticker|as it happened)\b",
    re.IGNORECASE,
)


def clarity(facts: Facts, languages: tuple[str, ...]) -> float:
    """How well an article's title serves as the story's headline; higher is better.

    A language the newsroom reads comes before everything else, the best-read first; then a
    plain statement of a good length that names a place or a number.
    """
    title = facts.title
    if not title:
        return -1.0
    points = 0.0
    if facts.language in languages:
        points += 100 + len(languages) - languages.index(facts.language)
    elif not facts.language:
        points += 50
    if not _UNCLEAR.search(title):
        points += 0.5
    if MIN_CHARS <= len(title) <= MAX_CHARS:
        points += 0.25
    if any(char.isdigit() for char in title) or any(p.name in title for p in facts.places):
        points += 0.125
    if facts.status == "correction":
        points += 0.0625
    return points


class Title(NamedTuple):
    """A title, how clear it is, when it was written (seconds), and how many dead it names."""

    words: str
    clarity: float
    at: float
    killed: int = 0


def tells_better(one: Title, held: Title) -> bool:
    """Whether a title serves better than the one held so far. It does not matter which of the
    two came first, but for who wrote first when both are as good.
    """
    if abs(one.clarity - held.clarity) <= TOLL_POINTS:
        if _outdoes(one, held):
            return True
        if _outdoes(held, one):
            return False
    return (one.clarity, -one.at, held.words) > (held.clarity, -held.at, one.words)


def title_of(facts: Facts, languages: tuple[str, ...]) -> Title:
    """The title of an article."""
    dead = any(kind == "killed" for kind, _ in facts.tolls)
    tolls = find_tolls(facts.title) if dead else ()
    named = [toll.number for toll in tolls if toll.kind == "killed"]
    at = facts.reported_at.timestamp()
    return Title(facts.title, clarity(facts, languages), at, max(named, default=0))


def _outdoes(title: Title, held: Title) -> bool:
    """Whether a title says what the held one does, and that more died of it: "55 killed in
    Rwanda floods" is out of date when 130 are.
    """
    if title.killed <= held.killed:
        return False
    both = {stem for stem in stems(title.words) & stems(held.words) if len(stem) >= STEM_CHARS}
    return len(both) >= SHARED_STEMS
