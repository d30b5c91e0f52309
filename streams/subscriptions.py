"""Who wants what: matches a story against the subscriptions.

Pure: no clock, no I/O (the names of countries are read once). Two subscriptions that lead to the
same place make one destination, so that no place is told twice of one story. Whether it was told
before is the ledger's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

from connectors.records import Alert, Priority, Story
from streams.subscription_settings import SubscriptionSettings

# Why a story waits to be told in one message with others.
Together = Literal["", "waking", "digest"]
# From which probability the line counts a topic, for a subscription that asks for no other.
Threshold = Callable[[str], float]
# Stories keep four digits of a probability.
_ROUNDING = 0.00005
_NO_STARTS: Mapping[str, float] = MappingProxyType({})
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


@dataclass(frozen=True, slots=True)
class Wish:
    """What one destination is to be told of an alert. Not `matches`: only if it knows the
    story already; not `follows`: only if it does not. `not_before`: epoch seconds at which
    its quiet hours end or its digest is due, 0 for at once; `together`: it may then come in
    one message with others. `silent`: older than who wants it, noted without a word.
    """

    destination: Destination
    matches: bool
    not_before: float = 0.0
    follows: bool = True
    together: Together = ""
    silent: bool = False
    max_per_hour: int = 0


def any_probability(topic: str) -> float:
    """The threshold of a line that screens no lower than anybody asks for."""
    return 0.0


def matches(
    subscription: SubscriptionSettings, alert: Alert, threshold: Threshold = any_probability
) -> bool:
    """Whether the alert is what the subscription asked for. Empty lists ask for everything;
    `min_probability` is asked of the wanted topics, and the subscription's own threshold, else
    the line's. Names and words match without case.
    """
    story = alert.story
    return (
        _RANK[alert.priority] >= _RANK[subscription.min_priority]
        and _topic_matches(subscription, story, threshold)
        and _any_of(subscription.languages, {report.language for report in story.reports})
        and _any_of(subscription.countries, {place.country for place in story.places})
        and _places_match(subscription, story)
        and _any_of(subscription.publishers, {report.publisher for report in story.reports})
        and _words_match(subscription, story)
        and _young_enough(subscription, alert)
    )


def wishes(
    subscriptions: Sequence[SubscriptionSettings],
    alert: Alert,
    now: datetime,
    starts: Mapping[str, float] = _NO_STARTS,
    threshold: Threshold = any_probability,
) -> list[Wish]:
    """One for every place that any subscription leads to. `Destination.subscriptions` names
    those that want the alert, in the order configured. Several of them: the one that is
    told first decides when, and the lowest cap holds. `starts`: when each subscription began.
    """
    return [
        _wish(place, followers, alert, now, starts, threshold=threshold)
        for place, followers in _places(subscriptions)
    ]


def _places(
    subscriptions: Sequence[SubscriptionSettings],
) -> list[tuple[tuple[str, str], list[SubscriptionSettings]]]:
    """Every place, as it is written first, and who leads to it: "#desk" and "desk" are one."""
    written: dict[tuple[str, str], tuple[str, str]] = {}
    leading: dict[tuple[str, str], list[SubscriptionSettings]] = {}
    for subscription in subscriptions:
        for target in subscription.deliver:
            same = (target.sink, target.to.removeprefix("#"))
            followers = leading.setdefault(written.setdefault(same, (target.sink, target.to)), [])
            if subscription not in followers:
                followers.append(subscription)
    return list(leading.items())


def _wish(
    place: tuple[str, str],
    followers: Sequence[SubscriptionSettings],
    alert: Alert,
    now: datetime,
    starts: Mapping[str, float],
    *,
    threshold: Threshold,
) -> Wish:
    asking = [entry for entry in followers if matches(entry, alert, threshold)]
    wanting = [entry for entry in asking if not _before_its_time(entry, alert, starts)]
    deciding = wanting or asking or followers
    not_before, together = min(_when(entry, alert, now) for entry in deciding)
    corrected = alert.kind in ("correction", "withdrawn")
    return Wish(
        Destination(*place, tuple(entry.id for entry in wanting or asking)),
        matches=bool(asking),
        not_before=not_before,
        follows=corrected or any(entry.updates != "none" for entry in deciding),
        together=together,
        silent=bool(asking) and not wanting,
        max_per_hour=min((e.max_per_hour for e in followers if e.max_per_hour), default=0),
    )


def _before_its_time(
    subscription: SubscriptionSettings, alert: Alert, starts: Mapping[str, float]
) -> bool:
    """Whether the report is older than the subscription and what it catches up on."""
    start = starts.get(subscription.id)
    if start is None or alert.published_at is None:
        return False
    return alert.published_at.timestamp() < start - 3_600 * subscription.catch_up_hours


def _topic_matches(subscription: SubscriptionSettings, story: Story, threshold: Threshold) -> bool:
    own = subscription.thresholds
    return any(
        score.probability >= subscription.min_probability
        and score.probability + _ROUNDING >= own.get(score.topic, threshold(score.topic))
        and (not subscription.topics or score.topic in subscription.topics)
        for score in story.topics
    )


def _young_enough(subscription: SubscriptionSettings, alert: Alert) -> bool:
    """By how old the report was when we first saw it: a delay of ours makes no news old."""
    if not subscription.max_age_hours or alert.published_at is None:
        return True
    age = alert.fetched_at - alert.published_at
    return age <= timedelta(hours=subscription.max_age_hours)


def _when(
    subscription: SubscriptionSettings, alert: Alert, now: datetime
) -> tuple[float, Together]:
    """When the subscription wants to hear of it: a flash at once, whatever the hour."""
    if alert.priority == "flash":
        return 0.0, ""
    if subscription.digest:
        return _next_digest(subscription.digest, now), "digest"
    end = _quiet_until(subscription.quiet_hours, now)
    return end, "waking" if end else ""


def _next_digest(times: str, now: datetime) -> float:
    clock, _, zone = times.partition(" ")
    here = now.astimezone(ZoneInfo(zone))
    moments = [
        datetime.combine(here.date() + timedelta(days=days), time.fromisoformat(at), here.tzinfo)
        for days in (0, 1)
        for at in clock.split(",")
    ]
    return min(at.timestamp() for at in moments if at.timestamp() > now.timestamp())


def _quiet_until(hours: str, now: datetime) -> float:
    """When the quiet hours end that `now` lies in; 0 outside them."""
    if not hours:
        return 0.0
    span, _, zone = hours.partition(" ")
    start, end = (time.fromisoformat(moment) for moment in span.split("-"))
    here = now.astimezone(ZoneInfo(zone))
    clock = here.time()
    if start < end:
        quiet = start <= clock < end
    else:
        quiet = start != end and (clock >= start or clock < end)
    if not quiet:
        return 0.0
    day = here.date() + timedelta(days=clock >= end)
    # A clock that is put back shows the end twice: it is quiet until the second.
    ends = (datetime.combine(day, end.replace(fold=fold), here.tzinfo) for fold in (0, 1))
    return max(moment.timestamp() for moment in ends)


def _places_match(subscription: SubscriptionSettings, story: Story) -> bool:
    """A story does not show a country beside a town of it: who wants the country has it meant."""
    if not subscription.places:
        return True
    from classifiers.places import country_names  # numpy, which the page never needs

    named = {place.name for place in story.places}
    countries = country_names()
    named |= {countries.get(place.country, "") for place in story.places}
    return _any_of(subscription.places, named)


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
