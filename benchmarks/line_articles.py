"""The articles of the line's benchmark: 3 KB each from a seeded generator, or the real month.

Generated articles are invented: common words by Zipf's law, and in one of four a lead about one
of the incidents that are under way, told again with other words and a higher toll.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate, islice
from pathlib import Path

import msgspec

from connectors.records import Article, article_id

MONTH = Path(__file__).parents[2] / "shared" / "data" / "stream" / "rss-2023-05.jsonl.gz"
TEXT_BYTES = 3_000
ABOUT_INCIDENTS = 0.25
REPORTS_PER_INCIDENT = 3
VOCABULARY = 20_000
_SYLLABLES = "ba be di do fa ga ho in ka la le ma mi na no or pa re ri sa se ta te ti to un va ve"
_COMMON = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from "
    "or had an they which one you were all her she there would their we him been has when who will "
    "no more if out so up said what its about than into them can only other time new some could "
    "these two may first then do any like my now over such our man me even most made after also"
).split()
_TOWNS = (
    "Kharkiv Odesa Lviv Dnipro Kherson Warsaw Berlin Munich Paris Lyon Rome Naples Madrid Seville "
    "London Leeds Athens Sofia Bucharest Haifa Beirut Lagos Nairobi Manila Lima Bogota"
).split()
_LEADS = (
    "A drone strike hit a fuel depot in {town}, killing {toll} people and setting tanks on fire",
    "Saboteurs blew up a railway line near {town}; {toll} people were injured, police said",
    "An earthquake struck {town}, killing at least {toll} people and destroying houses",
    "A bomb exploded at a market in {town}, leaving {toll} people dead",
    "Thousands protested in {town} against the government; {toll} people were arrested",
    "A passenger train derailed outside {town}, injuring {toll} people",
    "Hackers broke into the hospital network of {town}; {toll} clinics lost their records",
    "Gunmen opened fire at a police station in {town}, killing {toll} officers",
)


class Wire:
    """An endless, repeatable wire of invented articles."""

    def __init__(self, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        syllables = _SYLLABLES.split()
        rare = [
            "".join(self._chance.choices(syllables, k=self._chance.randint(2, 4)))
            for _ in range(VOCABULARY)
        ]
        self._words = _COMMON + rare
        self._weights = list(accumulate(1 / rank for rank in range(3, 3 + len(self._words))))
        self._incidents: list[tuple[str, str, list[str]]] = []
        self._count = 0

    def articles(self, count: int) -> Iterator[Article]:
        """The next so many articles."""
        for _ in range(count):
            self._count += 1
            title, lead = self._lead()
            yield Article(
                id=article_id("wire", str(self._count)),
                source_id="wire",
                publisher=f"Paper {self._count % 97}",
                title=title,
                text=lead + self._filler(TEXT_BYTES - len(lead)),
                fetched_at=datetime.now(UTC),
                url=f"https://example.org/{self._count}",
                language="en",
            )

    def _lead(self) -> tuple[str, str]:
        chance = self._chance
        if chance.random() >= ABOUT_INCIDENTS:
            return self._filler(60).strip(), ""
        if not self._incidents or chance.random() < 1 / REPORTS_PER_INCIDENT:
            names = [word.title() for word in chance.choices(self._words[500:], k=8)]
            self._incidents.append((chance.choice(_LEADS), chance.choice(_TOWNS), names))
            self._incidents = self._incidents[-200:]
        template, town, names = chance.choice(self._incidents[-60:])
        told = template.format(town=town, toll=chance.randint(2, 40))
        return told, f"{told}. {' '.join(chance.sample(names, 6))} saw it. "

    def _filler(self, size: int) -> str:
        sentences, length = [], 0
        while length < size:
            count = self._chance.randint(6, 24)
            words = self._chance.choices(self._words, cum_weights=self._weights, k=count)
            sentences.append(" ".join(words).capitalize() + ".")
            length += len(sentences[-1]) + 1
        return " ".join(sentences)[: max(0, size)]


def month(count: int) -> Iterator[Article]:
    """The first so many articles of the real month; see `days_of_month`."""
    return (article for _, article in islice(days_of_month(), count))


def days_of_month() -> Iterator[tuple[str, Article]]:
    """The real month, headlines and summaries of 27 publishers, each with the day it was seen.

    Raises:
        FileNotFoundError: the test data is not on this machine.
    """
    with gzip.open(MONTH, "rb") as lines:
        for line in lines:
            row = msgspec.json.decode(line)
            article = Article(
                id=article_id(row["source"], row["id"]),
                source_id="month",
                publisher=row["source"],
                title=row["title"][:1_000] or "-",
                text=row["text"] or "",
                fetched_at=datetime.now(UTC),
                url=row["url"] or "",
                language=(row["lang"] or "")[:2].lower(),
            )
            yield row["capture_day"], article
