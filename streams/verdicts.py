"""Verdicts: what editors said of stories, as lessons for the model.

Owns whose word counts and what a verdict says of which topics. Reads nothing and fits nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from classifiers.model import compose
from classifiers.teaching import VERDICT_WEIGHT, Taught
from streams.feedback import Feedback

VERDICTS: Final = frozenset({"relevant", "not_relevant", "wrong_topic"})

# What is said of one report: topics that hold, and topics that do not.
_Said = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Heard:
    """What was learned from, in figures: verdicts that count, of how many people, on how many
    reports; reports on which people only disagree and the stories that they are of, and verdicts
    without a text (the line had forgotten the story).
    """

    taught: tuple[Taught, ...]
    verdicts: int
    people: int
    reports: int
    disputed: int
    disputed_stories: int
    textless: int

    @property
    def left_out(self) -> tuple[str, ...]:
        """What was not learned from and why, in words."""
        told = []
        if self.disputed:
            stories = (
                "1 story" if self.disputed_stories == 1 else f"{self.disputed_stories} stories"
            )
            reports = "1 report" if self.disputed == 1 else f"{self.disputed} reports"
            told.append(f"people disagree about {stories} ({reports})")
        if self.textless:
            verdicts = "1 verdict has" if self.textless == 1 else f"{self.textless} verdicts have"
            told.append(f"{verdicts} no text any more")
        return tuple(told)


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What one person said last of one report."""

    who: str
    said: _Said
    text: str
    language: str
    group: str
    weight: float


def hear(feedback: Iterable[Feedback]) -> Heard:
    """The lessons of all verdicts; the same verdict may come twice, from Kafka and from Redis.

    Of one person's verdicts on one report the last one counts; where people disagree about a topic
    the majority decides, and without one nothing is learned of it.
    """
    verdicts = {one.id: one for one in feedback if one.verdict in VERDICTS}
    usable = [one for one in verdicts.values() if one.texts and one.topics]
    usable.sort(key=lambda one: (one.at, one.id))
    latest: dict[tuple[str, str], _Opinion] = {}
    counted: dict[tuple[str, str], str] = {}
    for one in usable:
        for article_id, opinion in _opinions(one):
            latest[article_id, one.who] = opinion
            counted[article_id, one.who] = one.id
    by_article: dict[str, list[_Opinion]] = {}
    for (article_id, _), opinion in latest.items():
        by_article.setdefault(article_id, []).append(opinion)
    agreed = [found for each in by_article.values() if (found := _agreed(each)) is not None]
    disputed = [each[-1].group for each in by_article.values() if _agreed(each) is None]
    return Heard(
        tuple(agreed),
        verdicts=len(set(counted.values())),
        people=len({one.who for one in usable}),
        reports=len(agreed),
        disputed=len(disputed),
        disputed_stories=len(set(disputed)),
        textless=len(verdicts) - len(usable),
    )


def _said(one: Feedback) -> _Said:
    topics, right = frozenset(one.topics), frozenset(one.right_topics)
    if one.verdict == "relevant":
        return topics, frozenset()
    if one.verdict == "wrong_topic":
        return right, topics - right
    return frozenset(), topics


def _opinions(one: Feedback) -> Iterable[tuple[str, _Opinion]]:
    """What a verdict says of each report of its story. The titles are the last of its texts."""
    count = len(one.article_ids)
    titles = one.texts[-count:] if 0 < count <= len(one.texts) - 1 else ()
    headline, summary = one.texts[0], one.texts[1] if len(one.texts) - len(titles) > 1 else ""
    ids: Sequence[str] = one.article_ids if titles else (one.article_ids or (one.story_id,))[:1]
    told = titles or (headline,)
    weight = VERDICT_WEIGHT / len(told)
    for article_id, title in zip(ids, told, strict=True):
        text = compose(title, summary) if title == headline else title
        yield (
            article_id,
            _Opinion(one.who, _said(one), text, one.language, one.story_id, weight),
        )


def _agreed(opinions: Sequence[_Opinion]) -> Taught | None:
    """What most people say of one report, topic by topic; None where no topic has a majority."""
    votes: Counter[str] = Counter()
    for each in opinions:
        holds, falls = each.said
        votes.update(holds)
        votes.subtract(falls)
    holds = frozenset(topic for topic, sum_of in votes.items() if sum_of > 0)
    falls = frozenset(topic for topic, sum_of in votes.items() if sum_of < 0)
    if not holds | falls:
        return None
    last = opinions[-1]
    return Taught(last.text, holds, falls, last.language, last.group, last.weight)
