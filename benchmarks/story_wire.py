"""An endless, repeatable wire of invented articles, for what finding stories costs.

Owns the articles: a story has rare words of its own, everything else is drawn by Zipf's law.
Every article is screened already; nothing here measures.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from classifiers.similarity import fingerprints
from connectors.records import Article
from streams.facts import Facts, PlaceFact
from streams.screening import Screened

BATCH = 256
START = datetime(2026, 1, 1, tzinfo=UTC)
ARTICLES_PER_STORY = 3.0
COUNTRIES = ("UA", "RU", "IT", "FR", "DE", "PL", "ES", "GB", "US", "IL")


class Newswire:
    """An endless, repeatable wire of invented articles about stories that come and go."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._vocabulary = [self._word() for _ in range(40_000)]
        self._weights = [1 / rank for rank in range(10, 40_010)]
        self._open: list[tuple[list[str], str]] = []
        self._count = 0

    def batches(self, articles: int, span: timedelta) -> Iterator[tuple[datetime, list[Screened]]]:
        """So many articles at an even pace over a span of event time."""
        step = span / articles
        for first in range(0, articles, BATCH):
            numbers = range(first, min(first + BATCH, articles))
            told = [self._tell() for _ in numbers]
            times = [START + step * number for number in numbers]
            yield times[-1], self._screened(told, times)

    def _word(self) -> str:
        letters = self._chance.choices("abcdefghijklmnoprstuvz", k=self._chance.randint(5, 9))
        return "".join(letters)

    def _tell(self) -> tuple[str, str, str]:
        if not self._open or self._chance.random() < 1 / ARTICLES_PER_STORY:
            names = [self._word().title() for _ in range(25)]
            self._open.append((names, self._chance.choice(COUNTRIES)))
            self._open = self._open[-2_000:]
        names, country = self._chance.choice(self._open[-500:])
        background = self._chance.choices(self._vocabulary, self._weights, k=20)
        words = self._chance.sample(names, 14) + background
        self._chance.shuffle(words)
        return " ".join(self._chance.sample(names, 5) + background[:4]), " ".join(words), country

    def _screened(
        self, told: Sequence[tuple[str, str, str]], times: Sequence[datetime]
    ) -> list[Screened]:
        prints = fingerprints(
            [(title, text) for title, text, _ in told], [[("X", c, True)] for _, _, c in told]
        )
        made = []
        for (title, text, country), at, printed in zip(told, times, prints, strict=True):
            self._count += 1
            name = f"{self._count:032x}"
            article = Article(
                id=name, source_id="wire", publisher=f"Paper {self._count % 200}", title=title,
                text=text, fetched_at=at, published_at=at, url=f"https://example.org/{name}",
            )  # fmt: skip
            facts = Facts(
                article_id=name, publisher=article.publisher, fetched_at=at.timestamp(),
                screened_at=at.timestamp(), published_at=at.timestamp(), title=title,
                url=article.url, language="en", summary=text[:400],
                topics=(("accident", 0.9),), places=(PlaceFact("X", country, 1.0, 2.0, True),),
            )  # fmt: skip
            made.append(Screened(article, "en", (), ("accident",), at, facts, printed))
        return made
