"""Who wants what."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.records import Place
from streams.settings import SubscriptionSettings, Target
from streams.subscriptions import Destination, destinations, matches
from tests.fakes.alerts import make_alert, make_report


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


def test_any_publisher_language_or_country_of_the_story_is_enough() -> None:
    alert = make_alert(
        reports=(make_report(1), make_report(2, language="uk")),
        places=(
            Place(name="Lindholm", country="SE", latitude=0, longitude=0),
            Place(name="Oslo", country="NO", latitude=0, longitude=0),
        ),
    )
    assert matches(wish(languages=("uk",), countries=("NO",), publishers=("Gazette 2",)), alert)


def test_two_subscriptions_into_one_channel_make_one_destination() -> None:
    first = wish("first", topics=("sabotage",))
    second = wish("second", deliver=(Target(sink="slack", to="C1"), Target(sink="hook")))
    third = wish("third", topics=("bombing",), deliver=(Target(sink="hook"),))
    assert destinations([first, second, third], make_alert()) == [
        (Destination("slack", "C1", ("first", "second")), True),
        (Destination("hook", "", ("second",)), True),
    ]


def test_a_destination_that_nobody_wants_told_is_named_as_such() -> None:
    assert destinations([wish(topics=("bombing",))], make_alert()) == [
        (Destination("slack", "C1", ()), False)
    ]
