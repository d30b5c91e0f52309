"""`wirebell up` when parts of the line die: each comes back, and an article still rings."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from kafka import KafkaProducer
from redis import Redis

from streams.embedded import EmbeddedBroker
from streams.kafka_topics import DEAD_LETTERS
from streams.state_dir import LOCK_NAME, find_holder
from tests.end_to_end.line_up import LineUp, starter_text
from tests.lanes import wait_until

pytestmark = pytest.mark.slow

Up = Callable[..., LineUp]

# By name: title and text of an invented incident each.
INCIDENTS = {
    "drones": (
        "Fuel tanks burn after drone attack near Engels",
        "Attack drones struck a fuel depot near Engels in Russia overnight and set two tanks on "
        "fire. Air defences shot down four drones, the governor said. Nobody was hurt.",
    ),
    "quake": (
        "Six killed as earthquake shakes southern Italy",
        "An earthquake of magnitude 6.1 shook the province of Foggia in Italy. Six people were "
        "killed and dozens injured when houses collapsed, civil protection said.",
    ),
}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Starts a line with the ingest alone; what still runs after the test is ended."""
    lines: list[LineUp] = []

    def start(config: str = "", **environment: str) -> LineUp:
        line = LineUp(tmp_path, _ingest_only() + config, environment_of_test=environment)
        lines.append(line)
        line.start()
        wait_until(lambda: "Alerts follow" in line.err.read_text(), 60, "it has started")
        return line

    yield start
    for line in lines:
        line.clear_away()


def _ingest_only() -> str:
    text = starter_text(per_second=1, feeds=False)
    head, *tables = text.split("[[sources]]")
    return head + "[[sources]]" + next(table for table in tables if 'type = "ingest"' in table)


def _rings(line: LineUp, name: str) -> None:
    """Push an incident in, again and again while the line refuses, until it has rung."""
    match = re.search(r"ingest\s+(http://\S+)", line.err.read_text())
    assert match, line.said()
    title, text = INCIDENTS[name]
    article = {"id": name, "publisher": "Herald", "title": title, "text": text, "language": "en"}
    request = urllib.request.Request(
        match[1],
        data=json.dumps(article).encode(),
        headers={"Content-Type": "application/json"},
    )

    def accepted() -> bool:
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                return bool(answer.status == 202)
        except OSError:  # refused, reset, or 503: come again
            return False

    wait_until(accepted, 60, "the article is accepted: " + line.said())
    wait_until(lambda: title in line.out.read_text(), 60, "it rings: " + line.said())


def _child(line: LineUp, word: str) -> psutil.Process:
    return next(
        each
        for each in line.family()
        if word in " ".join(each.cmdline()[1:] or [""]) or word in each.name()
    )


def _has_child(line: LineUp, word: str) -> bool:
    return any(word in " ".join(each.cmdline()[1:]) for each in line.family())


def _received(line: LineUp, since: datetime) -> int:
    """How many articles the page says have been received; 0 if it counts from before `since`."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{line.holder().page_port}/api/snapshot", timeout=5
        ) as answer:
            way = json.load(answer)["way"]
    except OSError:
        return 0
    if way["since"] is None or datetime.fromisoformat(way["since"]) < since:
        return 0
    return next(int(stage["total"]) for stage in way["stages"] if stage["id"] == "received")


def _told(line: LineUp, words: str, timeout_s: float = 60) -> None:
    wait_until(lambda: words in line.err.read_text(), timeout_s, f"{words}: {line.said()}")


def test_a_killed_worker_and_a_killed_redis_come_back(up: Up) -> None:
    line = up()
    _rings(line, "drones")
    _child(line, "worker").kill()
    _told(line, "worker ended (signal 9); starts again in 1 s")
    wait_until(lambda: _has_child(line, "worker"), 10, line.said())
    _child(line, "valkey").kill()
    _told(line, "the embedded Redis ended")
    _rings(line, "quake")
    assert line.out.read_text().count(INCIDENTS["drones"][0]) == 1
    assert line.interrupt() <= 10


def test_a_killed_broker_is_replaced_and_the_line_goes_on(up: Up) -> None:
    line = up()
    _rings(line, "drones")
    killed_at = datetime.now(UTC)
    _child(line, "tansu").kill()
    _told(line, "the embedded broker ended")
    _rings(line, "quake")
    # What was counted of the log that is gone is not added to what is read of the new one.
    wait_until(lambda: _received(line, since=killed_at) >= 1, 20, "the page counts anew")
    assert _received(line, since=killed_at) == 1
    assert line.out.read_text().count(INCIDENTS["drones"][0]) == 1
    assert line.interrupt() <= 10


def test_a_broker_that_holds_too_much_is_replaced_when_all_is_read(up: Up) -> None:
    line = up("[embedded]\nbroker_memory_mb = 64\n")
    _rings(line, "drones")
    before = _child(line, "tansu").pid
    producer = KafkaProducer(bootstrap_servers=line.holder().bootstrap_servers)
    for _ in range(90):  # the worker does not read this Kafka topic
        producer.send(DEAD_LETTERS, value=os.urandom(900_000), partition=3)
    producer.flush()
    producer.close()
    _told(line, "over 64: a new one")
    wait_until(lambda: not psutil.pid_exists(before), 60, line.said())
    _rings(line, "quake")
    assert "lost" not in line.err.read_text()
    assert line.interrupt() <= 10


def test_a_killed_supervisor_takes_everything_with_it(up: Up) -> None:
    line = up()
    family = line.family()
    assert len(family) == 6, family
    line.process.kill()
    line.process.wait()
    wait_until(lambda: not any(each.is_running() for each in family), 10, f"all end: {family}")
    assert (line.state_dir / LOCK_NAME).exists()
    assert find_holder(line.state_dir) is None
    line.start()
    wait_until(lambda: "has started" in line.err.read_text(), 60, line.said())
    os.kill(line.process.pid, signal.SIGTERM)
    assert line.process.wait(10) == 0
    assert not (line.state_dir / LOCK_NAME).exists()


def test_a_kafka_and_a_redis_that_are_named_are_used(
    up: Up, redis_url: str, redis_prefix: str
) -> None:
    with EmbeddedBroker() as broker:
        line = up(
            WIREBELL_KAFKA__BOOTSTRAP_SERVERS=broker.bootstrap_servers,
            WIREBELL_KAFKA__EMBEDDED="true",
            WIREBELL_REDIS__URL=redis_url,
            WIREBELL_REDIS__PREFIX=redis_prefix,
        )
        assert len(line.family()) == 4
        client = Redis.from_url(redis_url)
        wait_until(lambda: client.exists(f"{{{redis_prefix}}}:processes") == 1, 30, line.said())
        client.close()
        assert line.interrupt() <= 10
