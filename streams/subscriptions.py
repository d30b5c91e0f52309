"""Who wants what: matches a story against the subscriptions.

Pure: no clock, no I/O. Two subscriptions that lead to the same place make one destination,
so that no place is told twice of one story. Whether it was told before is the ledger's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from connectors.records import Alert, Priority, Story
from streams.settings import SubscriptionSettings

_RANK: dict[Priority, int] = {"routine": 0, "urgent": 1, "flash": 2}


@dataclass(frozen=True, slots=True)
class Destination:
    """One place to tell: a sink and the target in it, and who wants it told there."""

    sink: str
    target: str
    subscriptions: tuple[str, ...]

    @property
    def id(self) -> str:
        """The name of the place in the ledger; the same whoever subscribes to it."""
        return f"{self.sink}|{self.target}"


def matches(subscription: SubscriptionSettings, alert: Alert) -> bool:
    """Whether the alert is what the subscription asked for. Empty lists ask for everything;
    `min_probability` is asked of the wanted topics. Names and words match without case.
    """
    story = alert.story
    return (
        _RANK[alert.priority] >= _RANK[subscription.min_priority]
        and _topic_matches(subscription, story)
        and _any_of(subscription.languages, {report.language for report in story.reports})
        and _any_of(subscription.countries, {place.country for place in story.places})
        and _any_of(subscription.publishers, {report.publisher for report in story.reports})
        and _words_match(subscription, story)
    )


def destinations(
    subscriptions: Sequence[SubscriptionSettings], alert: Alert
) -> list[tuple[Destination, bool]]:
    """Every place that any subscription leads to, once, and whether the alert is wanted
    there. `Destination.subscriptions` names those that want it, in the order configured.
    """
    wanted: dict[tuple[str, str], list[str]] = {}
    for subscription in subscriptions:
        wants = matches(subscription, alert)
        for target in subscription.deliver:
            named = wanted.setdefault((target.sink, target.to), [])
            if wants and subscription.id not in named:
                named.append(subscription.id)
    return [
        (Destination(sink, target, tuple(named)), bool(named))
        for (sink, target), named in wanted.items()
    ]


def _topic_matches(subscription: SubscriptionSettings, story: Story) -> bool:
    return any(
        score.probability >= subscription.min_probability
        and (not subscription.topics or score.topic in subscription.topics)
        for score in story.topics
    )


def _any_of(wanted: tuple[str, ...], given: set[str]) -> bool:
    return not wanted or not {name.casefold() for name in wanted}.isdisjoint(
        name.casefold() for name in given
    )


def _words_match(subscription: SubscriptionSettings, story: Story) -> bool:
    if not subscription.words and not subscription.without_words:
        return True
    titles = "\n".join(report.title for report in story.reports)
    text = f"{story.headline}\n{story.summary}\n{titles}".casefold()
    if subscription.without_words and _pattern(subscription.without_words).search(text):
        return False
    return not subscription.words or bool(_pattern(subscription.words).search(text))


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Whole words, or the beginning of words where one ends in "*" (case forms: "завод*").
    Escaped, so that no word can be a catastrophic pattern.
    """
    parts = [
        re.escape(word.casefold().rstrip("*")) + ("" if word.endswith("*") else r"(?!\w)")
        for word in words
    ]
    return re.compile(r"(?<!\w)(?:" + "|".join(parts) + ")")
