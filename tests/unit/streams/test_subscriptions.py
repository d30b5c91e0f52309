"""Who wants what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.records import Place, TopicScore
from streams.settings import SubscriptionSettings, Target
from streams.subscriptions import Destination, Wish, matches, wishes
from tests.fakes.alerts import MORNING, make_alert, make_report


def wish(subscription_id: str = "desk", **fields: Any) -> SubscriptionSettings:
    fields.setdefault("deliver", (Target(sink="slack", to="C1"),))
    return SubscriptionSettings(id=subscription_id, **fields)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, True),
        ({"topics": ("sabotage",)}, True),
        ({"topics": ("bombing",)}, False),
        ({"topics": ("bombing", "arson")}, True),
        ({"min_probability": 0.9}, True),
        ({"min_probability": 0.95}, False),
        ({"topics": ("arson",), "min_probability": 0.8}, False),
        ({"min_priority": "urgent"}, True),
        ({"min_priority": "flash"}, False),
        ({"languages": ("uk", "EN")}, True),
        ({"languages": ("uk",)}, False),
        ({"countries": ("se",)}, True),
        ({"countries": ("NO",)}, False),
        ({"places": ("lindholm", "Oslo")}, True),
        ({"places": ("Oslo",)}, False),
        ({"publishers": ("gazette 1",)}, True),
        ({"publishers": ("Gazette",)}, False),
        ({"words": ("LINDHOLM",)}, True),
        ({"words": ("lindhol",)}, False),
        ({"words": ("lindhol*",)}, True),
        ({"words": ("says edition 1",)}, True),
        ({"words": (".*",)}, False),
        ({"without_words": ("police",)}, False),
        ({"without_words": ("exercise",)}, True),
        ({"words": ("police",), "without_words": ("depot",)}, False),
    ],
)
def test_a_subscription_matches_what_it_asks_for(fields: dict[str, Any], wanted: bool) -> None:
    assert matches(wish(**fields), make_alert(priority="urgent")) is wanted


def test_a_topic_below_the_lines_threshold_rings_only_where_it_is_asked_for() -> None:
    weak = make_alert(topics=(TopicScore(topic="arson", label="Arson", probability=0.4),))

    def line(topic: str) -> float:
        return {"arson": 0.5}.get(topic, 2.0)

    assert not matches(wish(), weak, line)
    assert matches(wish(thresholds={"arson": 0.35}), weak, line)
    assert not matches(wish(thresholds={"arson": 0.35}, topics=("bombing",)), weak, line)
    assert not matches(wish(thresholds={"arson": 0.35}, min_probability=0.6), weak, line)
    (told,) = wishes([wish("bold", thresholds={"arson": 0.4}), wish()], weak, MORNING, {}, line)
    assert told.destination.subscriptions == ("bold",)


def test_a_subscription_may_be_stricter_than_the_line() -> None:
    sure = make_alert(topics=(TopicScore(topic="arson", label="Arson", probability=0.7),))
    assert matches(wish(), sure, lambda topic: 0.5)
    assert not matches(wish(thresholds={"arson": 0.8}), sure, lambda topic: 0.5)


def test_any_publisher_language_or_country_of_the_story_is_enough() -> None:
    alert = make_alert(
        reports=(make_report(1), make_report(2, language="uk")),
        places=(
            Place(name="Lindholm", country="SE", latitude=0, longitude=0),
            Place(name="Oslo", country="NO", latitude=0, longitude=0),
        ),
    )
    assert matches(wish(languages=("uk",), countries=("NO",), publishers=("Gazette 2",)), alert)


def test_who_wants_a_country_has_its_towns_too() -> None:
    """A story does not show the country beside them."""
    alert = make_alert(places=(Place(name="Oslo", country="NO", latitude=0, longitude=0),))
    assert matches(wish(places=("Norway",)), alert)
    assert matches(wish(places=("oslo",)), alert)
    assert not matches(wish(places=("Sweden",)), alert)


def test_two_subscriptions_into_one_channel_make_one_destination() -> None:
    first = wish("first", topics=("sabotage",))
    second = wish("second", deliver=(Target(sink="slack", to="C1"), Target(sink="hook")))
    third = wish("third", topics=("bombing",), deliver=(Target(sink="hook"),))
    assert wishes([first, second, third], make_alert(), MORNING) == [
        Wish(Destination("slack", "C1", ("first", "second")), True),
        Wish(Destination("hook", "", ("second",)), True),
    ]


def test_a_channel_is_one_place_with_its_sign_and_without() -> None:
    signed = wish("signed", deliver=(Target(sink="slack", to="#desk"),))
    bare = wish("bare", deliver=(Target(sink="slack", to="desk"),))
    places = [each.destination for each in wishes([signed, bare], make_alert(), MORNING)]
    assert places == [Destination("slack", "#desk", ("signed", "bare"))]


def test_a_destination_that_nobody_wants_told_is_named_as_such() -> None:
    assert wishes([wish(topics=("bombing",))], make_alert(), MORNING) == [
        Wish(Destination("slack", "C1", ()), False)
    ]


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        ("23:00-07:00 Europe/Kyiv", "2026-03-04T21:30", "2026-03-05T05:00"),
        ("23:00-07:00 Europe/Kyiv", "2026-03-04T04:59", "2026-03-04T05:00"),
        ("23:00-07:00 Europe/Kyiv", "2026-03-04T05:00", None),
        ("23:00-07:00 Europe/Kyiv", "2026-03-04T20:59", None),
        ("13:00-14:00 UTC", "2026-03-04T13:30", "2026-03-04T14:00"),
        ("13:00-13:00 UTC", "2026-03-04T13:00", None),
        # The night in which clocks go forward.
        ("23:00-07:00 Europe/Kyiv", "2026-03-28T22:00", "2026-03-29T04:00"),
        # The night in which they go back, from 04:00 to 03:00: the end comes twice.
        ("23:00-03:30 Europe/Kyiv", "2026-10-25T00:10", "2026-10-25T01:30"),
        ("23:00-03:30 Europe/Kyiv", "2026-10-25T01:10", "2026-10-25T01:30"),
        ("23:00-03:30 Europe/Kyiv", "2026-10-25T01:30", None),
    ],
)
def test_quiet_hours_hold_until_they_end_and_a_flash_breaks_through(
    hours: str, now: str, until: str | None
) -> None:
    quiet = wish(quiet_hours=hours)
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    (found,) = wishes([quiet], make_alert(priority="urgent"), at)
    end = datetime.fromisoformat(until).replace(tzinfo=UTC).timestamp() if until else 0
    assert found.not_before == end
    (flash,) = wishes([quiet], make_alert(priority="flash"), at)
    assert flash.not_before == 0


def test_who_is_awake_decides_for_a_channel_that_two_subscriptions_share() -> None:
    night = MORNING.replace(hour=2)
    asleep = wish("asleep", quiet_hours="22:00-06:00 UTC")
    assert wishes([asleep, wish("awake")], make_alert(), night)[0].not_before == 0
    awake_elsewhere = wish("elsewhere", topics=("bombing",))
    assert wishes([asleep, awake_elsewhere], make_alert(), night)[0].not_before > 0


@pytest.mark.parametrize("hours", ["23-7", "25:00-07:00 UTC", "23:00-07:00", "23:00-07:00 Nowhere"])
def test_quiet_hours_that_cannot_be_read_are_refused(hours: str) -> None:
    with pytest.raises(ValidationError):
        wish(quiet_hours=hours)


def test_a_report_that_was_old_when_first_seen_does_not_ring() -> None:
    young = wish(max_age_hours=6)
    old = make_alert(at=MORNING, published_at=MORNING - timedelta(hours=7))
    assert not matches(young, old)
    assert matches(wish(), old)
    assert matches(young, make_alert(at=MORNING, published_at=MORNING - timedelta(hours=5)))
    assert matches(young, make_alert(at=MORNING, published_at=None))


@pytest.mark.parametrize(
    ("digest", "now", "due"),
    [
        ("08:00,17:00 Europe/Kyiv", "2026-03-04T05:59", "2026-03-04T06:00"),
        ("08:00,17:00 Europe/Kyiv", "2026-03-04T06:00", "2026-03-04T15:00"),
        ("17:00,08:00 Europe/Kyiv", "2026-03-04T15:01", "2026-03-05T06:00"),
        # The night in which clocks go forward.
        ("08:00 Europe/Kyiv", "2026-03-28T22:00", "2026-03-29T05:00"),
    ],
)
def test_a_digest_is_due_at_the_next_of_its_times(digest: str, now: str, due: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    (found,) = wishes([wish(digest=digest)], make_alert(priority="urgent"), at)
    end = datetime.fromisoformat(due).replace(tzinfo=UTC).timestamp()
    assert (found.not_before, found.together) == (end, "digest")
    (flash,) = wishes([wish(digest=digest)], make_alert(priority="flash"), at)
    assert (flash.not_before, flash.together) == (0, "")


@pytest.mark.parametrize("digest", ["8:00 UTC", "08:00", "08:00,24:00 UTC", "08:00 Nowhere", ","])
def test_a_digest_that_cannot_be_read_is_refused(digest: str) -> None:
    with pytest.raises(ValidationError):
        wish(digest=digest)


def test_an_old_report_is_silent_unless_somebody_older_wants_it() -> None:
    start = MORNING.timestamp()
    old = make_alert(published_at=MORNING - timedelta(hours=2))
    new, patient = wish("new"), wish("patient", catch_up_hours=3)
    assert wishes([new], old, MORNING, {"new": start})[0].silent
    assert not wishes([new], make_alert(published_at=None), MORNING, {"new": start})[0].silent
    (both,) = wishes([new, patient], old, MORNING, {"new": start, "patient": start})
    assert (both.silent, both.destination.subscriptions) == (False, ("patient",))


def test_the_lowest_cap_of_a_channel_holds_and_none_sets_none() -> None:
    capped = [wish("a"), wish("b", max_per_hour=9), wish("c", max_per_hour=4)]
    assert wishes(capped, make_alert(), MORNING)[0].max_per_hour == 4
    assert wishes(capped[:1], make_alert(), MORNING)[0].max_per_hour == 0


def test_growth_is_followed_if_anybody_who_wants_the_story_asks_for_it() -> None:
    update, correction = make_alert(revision=2), make_alert(revision=2, kind="correction")
    silent, talkative = wish("silent", updates="none"), wish("talkative", updates="edit")
    assert not wishes([silent], update, MORNING)[0].follows
    assert wishes([silent], correction, MORNING)[0].follows
    assert wishes([silent, talkative], update, MORNING)[0].follows
