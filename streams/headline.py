"""Which title tells a story most clearly to this newsroom.

Owns the order of titles. A number that grows with clarity; the first of equals stays, until one
says the same and how many died of it.
"""

from __future__ import annotations

import functools
import re

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


def outdoes(title: str, held: str) -> bool:
    """Whether a title says what the held one does, and that more died of it: "55 killed in
    Rwanda floods" is out of date when 130 are.
    """
    if _killed(title) <= _killed(held):
        return False
    both = {stem for stem in stems(title) & stems(held) if len(stem) >= STEM_CHARS}
    return len(both) >= SHARED_STEMS


@functools.lru_cache(maxsize=10_000)
def _killed(title: str) -> int:
    return max((toll.number for toll in find_tolls(title) if toll.kind == "killed"), default=0)
