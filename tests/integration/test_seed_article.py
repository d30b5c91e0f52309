"""One article as a crawler left it, through the whole line: it rings once, and says what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.records import Alert, decode_alert
from streams.canary import CANARY
from streams.kafka_topics import ALERTS, DEAD_LETTERS
from tests.end_to_end.line_up import LineUp
from tests.lanes import Lane, read_kafka_topic, wait_until

pytestmark = pytest.mark.slow

CONFIG = """
[page]
port = 0
[[sources]]
id = "seed"
type = "files"
path = "{path}"
[sinks.terminal]
type = "console"
[[subscriptions]]
id = "all"
deliver = [{{ sink = "terminal" }}]
"""
GRAVE_TOPICS = {"drone_strike", "sabotage", "arson", "assassination", "bombing"}
PLACES = {"Moscow", "Minsk", "Nizhny Novgorod"}


class Rung:
    """What the line made of the article."""

    def __init__(self, line: LineUp) -> None:
        try:
            wait_until(lambda: line.out.stat().st_size > 0, 60, "an alert")
        except AssertionError as late:
            late.add_note(line.said())
            raise
        lane = Lane("embedded", line.holder().bootstrap_servers, "", None)
        records = read_kafka_topic(lane, ALERTS)
        alerts = [decode_alert(record.value) for record in records]
        # The line sends a test article of its own through, which is told to nobody.
        self.alerts: list[Alert] = [each for each in alerts if each.story.id != CANARY]
        self.dead_letters = read_kafka_topic(lane, DEAD_LETTERS)
        line.interrupt()
        self.terminal = line.out.read_text("utf-8")


@pytest.fixture(scope="module")
def rung(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rung]:
    line = LineUp(tmp_path_factory.mktemp("seed"), CONFIG.format(path=shared / "seed"))
    line.start()
    try:
        yield Rung(line)
    finally:
        line.clear_away()


def test_it_rings_exactly_once(rung: Rung) -> None:
    assert [(alert.kind, alert.story.revision) for alert in rung.alerts] == [("new", 1)]
    assert rung.dead_letters == []
    assert rung.terminal.count("Anti Putin partisans") == 1


def test_its_topics_are_those_of_what_it_reports(rung: Rung) -> None:
    topics = [topic.topic for topic in rung.alerts[0].story.topics]
    assert GRAVE_TOPICS & set(topics)


def test_the_evidence_is_words_of_the_article_and_is_shown(rung: Rung, shared: Path) -> None:
    crawled = " ".join(each.read_text("utf-8") for each in (shared / "seed").glob("*.txt"))
    words = {word for each in rung.alerts[0].story.evidence for word in each.words}
    assert words
    assert [word for word in words if word not in crawled] == []
    why = next(row for row in rung.terminal.splitlines() if row.strip().startswith("why"))
    assert [word for word in words if word in why]


def test_the_places_are_shown(rung: Rung) -> None:
    assert {place.name for place in rung.alerts[0].story.places} >= PLACES
    where = next(row for row in rung.terminal.splitlines() if row.strip().startswith("where"))
    assert [place for place in PLACES if place not in where] == []


def test_no_time_stamp_of_the_crawler_is_shown(rung: Rung) -> None:
    assert not re.search(r"\b1\d{9}\b", rung.terminal)
    assert "reproduction reserved" not in rung.terminal.lower()
