"""What a whole line stands on goes away and comes back, fails at random, or feeds it poison:
nothing is lost and nothing told twice.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.chaos.line import LOAD, ChaosLine, Record, open_chaos_line
from tests.fakes.faults import Fault
from tests.lanes import Lane, wait_until

pytestmark = [
    pytest.mark.parametrize("kafka", ["apache"], indirect=True),
    pytest.mark.slow,
    pytest.mark.skipif(LOAD < 2, reason="long: make chaos"),
]
BATCH = 40
FAULTS = (
    Fault("reset_before"),
    Fault("reset_after"),
    Fault("timeout"),
    Fault("timeout_after"),
    Fault("cut"),
    Fault("garbage"),
    Fault("status", 500),
    Fault("status_after", 503),
    Fault("late", late_s=30, where="chat."),
)


@pytest.fixture
def line(kafka: Lane, tmp_path: Path) -> Iterator[ChaosLine]:
    with open_chaos_line(kafka, tmp_path) as opened:
        opened.start(), opened.start()
        opened.wait_until_ready(2)
        yield opened


def test_the_broker_is_killed(line: ChaosLine, record_property: Record) -> None:
    server = line.lane.server
    if server is None:
        pytest.skip("the Kafka cluster is not ours to kill")
    for _ in range(LOAD):
        line.owe(BATCH)
        line.wait_for_more(5)
        server.kill()
        line.faults += 1
        server.start()
        line.time_a_fresh_one()
    line.settle(record_property)


def test_redis_is_killed(line: ChaosLine, record_property: Record) -> None:
    for _ in range(LOAD):
        line.owe(BATCH)
        line.wait_for_more(5)
        line.redis.kill()
        line.faults += 1
        line.redis.start()
        line.time_a_fresh_one()
    line.settle(record_property)


def test_redis_is_away_for_a_minute(line: ChaosLine, record_property: Record) -> None:
    line.owe(BATCH)
    line.wait_for_more(5)
    line.redis.stop()
    line.faults += 1
    line.owe(5 * BATCH)
    time.sleep(6 * LOAD)
    line.redis.start()
    line.time_a_fresh_one()
    line.settle(record_property)


def test_redis_is_found_empty(line: ChaosLine, record_property: Record) -> None:
    """What was told before stays told: the channels are looked through."""
    for _ in range(max(1, LOAD // 4)):
        line.owe(2 * BATCH)
        line.wait_for_more(BATCH // 2)
        line.drain()
        with redis.Redis.from_url(line.redis.url) as connection:
            connection.flushall()
        line.faults += 1
        line.say_again()
        line.owe(BATCH)
        line.time_a_fresh_one()
    line.settle(record_property)


def test_slack_fails_at_a_fifth_of_all_requests(line: ChaosLine, record_property: Record) -> None:
    slack, hook = line.fakes.slack, line.fakes.hook
    slack.faults.among, slack.faults.share = FAULTS, 0.2
    hook.faults.among, hook.faults.share = FAULTS, 0.2
    for _ in range(2 * LOAD):
        line.owe(BATCH)
        line.wait_for_more(BATCH // 4)
    slack.faults.share = hook.faults.share = 0.0
    line.time_a_fresh_one()
    line.settle(record_property)


def test_storms_of_429(line: ChaosLine, record_property: Record) -> None:
    faults = line.fakes.slack.faults
    for _ in range(LOAD):
        faults.among, faults.share = (Fault("status", 429, retry_after="5"),), 0.9
        line.owe(BATCH)
        wait_until(lambda before=faults.made: faults.made > before + 10, 60)  # type: ignore[misc]
        faults.share = 0.0
        line.time_a_fresh_one()
    line.settle(record_property)


def test_exceptions_at_random_points(line: ChaosLine, record_property: Record) -> None:
    """Before or after any call to Redis or Kafka; the process goes on or ends as it would."""
    for worker in list(line.workers):
        line.end(worker, signal.SIGTERM)
    line.start(flaky=0.004), line.start()
    for _ in range(2 * LOAD):
        line.owe(BATCH)
        line.wait_for_more(5)
    buried = frozenset(line.dead_letters())
    line.start(flaky=0.0)
    for worker in line.workers[:2]:
        line.end(worker, signal.SIGTERM)
    line.time_a_fresh_one()
    line.settle(record_property, without=buried)
    assert len(buried) <= 2


def test_one_article_in_a_hundred_is_poison(line: ChaosLine, record_property: Record) -> None:
    poisoned = set()
    for _ in range(LOAD):
        line.owe(99)
        poisoned |= set(line.owe(1, words="poison"))
    line.time_a_fresh_one()
    line.settle(record_property, without=frozenset(poisoned))
    letters = line.dead_letters()
    assert set(letters) == poisoned
    assert {letter.reason for letter in letters.values()} == {"screening_failed"}
    assert poisoned.isdisjoint(story for _, story in line.told())


def test_a_release_that_fails_at_everything_stops_and_is_mended(
    line: ChaosLine, record_property: Record
) -> None:
    """All poison: the worker ends loudly instead of emptying the line into the bin."""
    for worker in line.workers[1:]:
        line.end(worker, signal.SIGTERM)
    number = 1_200
    poisoned = line.owe(number, words="poison")
    bad = line.workers[0]
    wait_until(lambda: bad.poll() is not None, 90, "the worker's end")
    assert bad.returncode == 1
    assert "records in a row became dead letters" in line.said()
    line.workers.remove(bad)
    buried = frozenset(line.dead_letters())
    # At most a hundred for each of the two Kafka topics' agents. None when the very first batch
    # holds more than a hundred: a batch that stops the worker is not acknowledged.
    assert len(buried) <= 200
    line.start(mended=True)
    line.time_a_fresh_one()
    line.settle(record_property, without=buried)
    assert set(line.dead_letters()) == buried <= set(poisoned)
