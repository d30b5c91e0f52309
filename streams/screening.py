"""Screening: a batch of articles to what each is about, and the facts of those that matter.

Owns what is worked out of an article's text, and for which articles: everybody is classified;
language, places, tolls, evidence and the fingerprint are for articles with a topic. Knows
neither Redis nor Kafka.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from classifiers.attribution import attribute
from classifiers.language import OTHER, identify_language
from classifiers.model import Evidence, Reading, Unread, compose
from classifiers.numbers import TollMatch, find_tolls
from classifiers.places import PlaceMatch, find_places
from classifiers.similarity import Fingerprint, fingerprints
from classifiers.topics import Topic
from connectors.records import Article
from streams import facts as limits
from streams.facts import EvidenceFact, Facts, PlaceFact, seconds

# Tolls and the sentence for the preview stand at the top of a report; further down are
# background and other people's wars.
LEAD_CHARS = 1_500
# A second reading that moves a probability by less has only agreed.
WORTH_TELLING = 0.05
# What a report is about, in the fingerprint: its best places.
FINGERPRINT_PLACES = 4
# What became of the fast model's doubt: there was none, it was read again, or why it was not.
Doubt = Literal["", "read"] | Unread


class Model(Protocol):
    """What screening asks of a topic model (classifiers.model.TopicModel)."""

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Its topics, in the order of its probabilities."""
        ...

    def read(self, texts: Sequence[str], explain: int = 0, /) -> Reading:
        """What it says of n texts, and had said before it read some of them again; and why, for
        so many topics of each, as far as it has that at hand.
        """
        ...

    def choose(
        self, probabilities_row: NDArray[np.float32] | Sequence[float], /
    ) -> tuple[str, ...]:
        """The topics of one row, most probable first."""
        ...

    def explain_all(
        self, wanted: Sequence[tuple[str, Sequence[str]]], /
    ) -> list[tuple[Evidence, ...]]:
        """The words and the sentences that decided, for each text's topics."""
        ...


class Screened(msgspec.Struct, frozen=True):
    """An article after screening.

    `chosen` is empty for an article about nothing we know. `facts` and `fingerprint` are there
    for articles with a topic, and for corrections and withdrawals of whatever length: those
    may be about a story that we told. `language` is worked out for those too, where the article
    does not say; "" is unknown. `first` is what the fast model alone said of an article that was
    read again, empty for the others. `doubt` tells what became of the fast model's doubt.
    """

    article: Article
    language: str
    probabilities: tuple[float, ...]
    chosen: tuple[str, ...]
    screened_at: datetime
    facts: Facts | None = None
    fingerprint: Fingerprint | None = None
    first: tuple[float, ...] = ()
    doubt: Doubt = ""


def screen(
    articles: Sequence[Article],
    model: Model,
    now: datetime,
    places_of: Callable[[str], tuple[PlaceMatch, ...]] = find_places,
    tolls_of: Callable[[str], tuple[TollMatch, ...]] = find_tolls,
) -> list[Screened]:
    """Screen a batch: one prediction for all, in order. Pure computation, may be repeated."""
    if not articles:
        return []
    texts = [compose(article.title, article.text) for article in articles]
    reading = model.read(texts, limits.MAX_EVIDENCE)
    told = reading.probabilities.tolist()  # all at once: floats as Python has them
    chosen = [model.choose(row) for row in told]
    matters = [
        index
        for index, article in enumerate(articles)
        if chosen[index] or article.status != "published"
    ]
    found = {index: places_of(texts[index]) for index in matters}
    spoken = {index: articles[index].language or _language(texts[index]) for index in matters}
    leads = {index: _lead(articles[index]) for index in matters}
    counted = {index: tolls_of(leads[index]) for index in matters}
    prints = fingerprints(
        [(articles[index].title, articles[index].text) for index in matters],
        [_named(found[index]) for index in matters],
        [spoken[index][:2].lower() for index in matters],
        [[(toll.kind, toll.number) for toll in counted[index]] for index in matters],
    )
    printed = dict(zip(matters, prints, strict=True))
    wanted = {index: (texts[index], chosen[index][: limits.MAX_EVIDENCE]) for index in matters}
    decided = _explained(model, reading, wanted)
    names = [topic.id for topic in model.topics]
    screened = []
    for index, article in enumerate(articles):
        probabilities = tuple(told[index])
        language, kept = article.language, None
        first = tuple(float(value) for value in reading.first.get(index, ()))
        if index in printed:
            language = spoken[index]
            by_topic = dict(zip(names, probabilities, strict=True))
            scores = tuple((topic, round(by_topic[topic], 4)) for topic in chosen[index])
            before = dict(zip(by_topic, first, strict=False))
            evidence = _evidence(decided[index], by_topic, before, index in reading.unread)
            kept = _facts(
                article,
                now,
                language=language,
                topics=scores,
                evidence=evidence,
                places=found[index],
                tolls=counted[index],
                said_by=tuple(sorted(attribute(leads[index], counted[index]).items())),
            )
        rest = (kept, printed.get(index), first, _doubt(reading, index))
        screened.append(Screened(article, language, probabilities, chosen[index], now, *rest))
    return screened


def _explained(
    model: Model, reading: Reading, wanted: Mapping[int, tuple[str, tuple[str, ...]]]
) -> dict[int, tuple[Evidence, ...]]:
    """The evidence of each text's topics: most came with the reading. A second reading may have
    chosen others.
    """
    told, more = {}, []
    for index, (_, topics) in wanted.items():
        known = {why.topic: why for why in reading.explained.get(index, ())}
        if all(topic in known for topic in topics):
            told[index] = tuple(known[topic] for topic in topics)
        else:
            more.append(index)
    if more:
        explained = model.explain_all([wanted[index] for index in more])
        told.update(zip(more, explained, strict=True))
    return told


def summarize(text: str, limit: int = limits.MAX_SUMMARY_CHARS) -> str:
    """The first sentences of a text, whole ones where they fit, else cut at a word."""
    flat = " ".join(text[: 3 * limit].split())
    if len(flat) <= limit:
        return flat
    head = flat[:limit]
    end = max(head.rfind(mark) for mark in (". ", "! ", "? ", "… "))
    return head[: end + 1] if end > limit // 3 else head.rsplit(" ", 1)[0] + "…"


def _lead(article: Article) -> str:
    return f"{article.title}\n\n{article.text[:LEAD_CHARS]}"


def _language(text: str) -> str:
    found = identify_language(text)
    return "" if found == OTHER else found


def _named(places: tuple[PlaceMatch, ...]) -> list[tuple[str, str, bool]]:
    return [(p.name, p.country, p.is_country) for p in places[:FINGERPRINT_PLACES]]


def _doubt(reading: Reading, index: int) -> Doubt:
    return reading.unread.get(index) or ("read" if index in reading.first else "")


def _evidence(
    explained: tuple[Evidence, ...],
    said: Mapping[str, float],
    first: Mapping[str, float],
    unread: bool,
) -> tuple[EvidenceFact, ...]:
    """The words are the fast model's: where a second reading changed the answer they are told
    with the probability that they had given.
    """
    changed = {
        topic: round(value, 2)
        for topic, value in first.items()
        if abs(said[topic] - value) >= WORTH_TELLING
    }
    return tuple(
        EvidenceFact(
            why.topic,
            why.words,
            why.sentence[: limits.MAX_SENTENCE_CHARS],
            changed.get(why.topic),
            unread,
        )
        for why in explained
    )


def _facts(
    article: Article,
    now: datetime,
    *,
    language: str,
    topics: tuple[tuple[str, float], ...],
    evidence: tuple[EvidenceFact, ...],
    places: tuple[PlaceMatch, ...],
    tolls: tuple[TollMatch, ...],
    said_by: tuple[tuple[str, str], ...],
) -> Facts:
    published = article.published_at
    return Facts(
        article_id=article.id,
        publisher=article.publisher,
        fetched_at=seconds(article.fetched_at),
        screened_at=seconds(now),
        published_at=seconds(published) if published else None,
        status=article.status,
        title=" ".join(article.title.split())[: limits.MAX_TITLE_CHARS],
        url=article.url if len(article.url) <= limits.MAX_URL_CHARS else "",
        language=language,
        summary=summarize(article.text),
        topics=topics,
        evidence=evidence,
        places=tuple(
            PlaceFact(p.name, p.country, p.latitude, p.longitude, p.is_country)
            for p in places[: limits.MAX_PLACES]
        ),
        tolls=tuple((toll.kind, toll.number) for toll in tolls),
        said_by=said_by,
    )
