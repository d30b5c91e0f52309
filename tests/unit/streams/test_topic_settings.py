"""Topics in the configuration: off, stricter, of one's own; and who may ask for which."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers.topics import TOPICS, Topic
from streams.settings import SettingsError, load_settings
from streams.subscription_settings import SubscriptionSettings, Target
from streams.topic_settings import (
    OFF,
    TopicSettings,
    default_thresholds,
    lowest_thresholds,
    own_topics,
)

OWN = TopicSettings(label="Border", definition="A border closed.", examples=Path("border.jsonl"))


def _asks(**thresholds: float) -> SubscriptionSettings:
    return SubscriptionSettings(id="desk", thresholds=thresholds, deliver=(Target(sink="console"),))


def test_a_topic_can_be_turned_off_or_given_a_threshold() -> None:
    tables = {"protest": TopicSettings(enabled=False), "arson": TopicSettings(threshold=0.7)}
    found = default_thresholds(TOPICS, tables)
    assert found["protest"] > 1
    assert found["arson"] == 0.7
    assert found["sabotage"] == 0.5


def test_a_topic_that_the_newsroom_has_dropped_is_off_though_the_model_knows_it() -> None:
    learned = (*TOPICS, Topic("border", "Border", "A border closed.", 0.6))
    assert default_thresholds(learned, {})["border"] == OFF
    assert default_thresholds(learned, {"border": OWN})["border"] == 0.6


def test_the_line_screens_at_the_lowest_threshold_that_anybody_asks_for() -> None:
    defaults = {"arson": 0.5, "protest": OFF, "sabotage": 0.5}
    found = lowest_thresholds(
        defaults, [_asks(arson=0.3, protest=0.2), _asks(arson=0.4, sabotage=0.9, unknown=0.1)]
    )
    assert found == {"arson": 0.3, "protest": OFF, "sabotage": 0.5}


def test_own_topics_come_in_the_order_of_their_ids() -> None:
    tables = {"strike": OWN, "border": OWN, "arson": TopicSettings(threshold=0.6)}
    assert [each.topic.id for each in own_topics(tables)] == ["border", "strike"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '[topics.arson]\nlabel = "Fires"\ndefinition = "Fires."\nexamples = "x"\n',
            "topics.arson: is a built-in topic",
        ),
        (
            '[topics.fires]\nlabel = "Arson"\ndefinition = "Fires."\nexamples = "x"\n',
            "topics.fires: the label 'Arson' is a built-in topic's",
        ),
        (
            '[topics.fires]\nlabel = "Fires"\nexamples = "x"\n',
            "topics.fires: a topic of your own needs a definition",
        ),
        (
            '[topics.fires]\nlabel = "Fires"\ndefinition = "Fires."\n',
            "topics.fires: a topic of your own needs examples",
        ),
        (
            '[topics."Big fires"]\nlabel = "Fires"\ndefinition = "Fires."\nexamples = "x"\n',
            "topics.Big fires: an id is 2 to 40 small letters",
        ),
        (
            '[topics.fires]\nlabel = "F"\ndefinition = "F."\nexamples = "x"\n'
            '[topics.blazes]\nlabel = "f"\ndefinition = "F."\nexamples = "x"\n',
            "topics.blazes: the label is used twice",
        ),
        ("[topics.wombats]\nthreshold = 0.5\n", "topics.wombats: unknown topic; known: drone"),
        (
            '[sinks.c]\ntype = "console"\n[[subscriptions]]\nid = "desk"\n'
            'thresholds = { wombats = 0.5 }\ndeliver = [{ sink = "c" }]\n',
            "subscriptions.desk.thresholds: unknown topic wombats; known: drone_strike",
        ),
    ],
)
def test_what_cannot_be_a_topic_is_refused_in_words(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "wirebell.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {}, join_running=False)
    assert any(fault in each for each in caught.value.faults), caught.value.faults


def test_a_subscription_may_ask_for_an_own_topic_at_a_threshold_of_its_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "wirebell.toml"
    path.write_text(
        '[topics.border]\nlabel = "Border"\ndefinition = "Closed."\nexamples = "b.jsonl"\n'
        '[sinks.c]\ntype = "console"\n[[subscriptions]]\nid = "desk"\ntopics = ["border"]\n'
        'thresholds = { border = 0.8, arson = 0.3 }\ndeliver = [{ sink = "c" }]\n',
        encoding="utf-8",
    )
    (found,) = load_settings(path, {}, join_running=False).subscriptions
    assert found.thresholds == {"border": 0.8, "arson": 0.3}
