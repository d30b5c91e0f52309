"""Workers of a whole line killed, ended, frozen and joined by others while they send: nothing is
lost and nothing told twice, from Apache Kafka to Slack and the receiver of webhooks.

A fault of each kind runs with the tests, on one line; the numbers of the full load in `make chaos`.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.line import LOAD, ChaosLine, Record, open_chaos_line
from tests.lanes import Lane

pytestmark = pytest.mark.parametrize("kafka", ["apache"], indirect=True)
# Twenty kills are the full load.
KILLS = 2 * LOAD
BATCH = 40
FULL = pytest.mark.skipif(LOAD < 2, reason="long: make chaos")


@pytest.fixture
def line(kafka: Lane, tmp_path: Path) -> Iterator[ChaosLine]:
    with open_chaos_line(kafka, tmp_path) as opened:
        opened.start(), opened.start()
        opened.wait_until_ready(2)
        yield opened


@pytest.mark.slow
@pytest.mark.skipif(LOAD > 1, reason="each kind of fault has its own test at this load")
def test_a_fault_of_each_kind(line: ChaosLine, record_property: Record) -> None:
    end_one(line, signal.SIGKILL, 5)
    end_one(line, signal.SIGTERM, 5)
    line.owe(BATCH)
    line.wait_for_more(5)
    line.redis.kill()
    line.redis.start()
    freeze_one(line)
    line.settle(record_property)


@FULL
@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_workers_ended_in_the_middle_of_sending(
    line: ChaosLine, sign: signal.Signals, record_property: Record
) -> None:
    chance = random.Random(7)
    for _ in range(KILLS):
        end_one(line, sign, chance.randrange(1, BATCH // 3))
    line.settle(record_property)


@FULL
@pytest.mark.slow
def test_workers_killed_with_the_leases_of_a_real_line(
    kafka: Lane, tmp_path: Path, record_property: Record
) -> None:
    """The clock runs as it does outside: a lease is a minute, a channel takes one a second."""
    chance = random.Random(7)
    with open_chaos_line(kafka, tmp_path, rate=1.0) as line:
        line.start(), line.start()
        line.wait_until_ready(2)
        for _ in range(LOAD // 2):
            end_one(line, signal.SIGKILL, chance.randrange(1, BATCH // 3))
        line.settle(record_property)


@FULL
@pytest.mark.slow
def test_workers_that_join_and_leave(line: ChaosLine, record_property: Record) -> None:
    """Two or three live at once; each change moves partitions while records are under way."""
    for change in range(KILLS):
        line.owe(BATCH)
        if change % 2:
            sign = signal.SIGTERM if change % 4 == 1 else signal.SIGKILL
            line.end(line.workers[0], sign)
        else:
            line.start()
            line.faults += 1
        line.wait_for_more(5)
        line.time_a_fresh_one()
    line.settle(record_property)


@FULL
@pytest.mark.slow
def test_a_worker_that_stands_still_past_its_leases(
    line: ChaosLine, record_property: Record
) -> None:
    """SIGSTOP in the middle of sending; others take over; then it wakes with old claims."""
    for _ in range(LOAD // 2):
        freeze_one(line)
    line.settle(record_property)


def end_one(line: ChaosLine, sign: signal.Signals, after: int) -> None:
    """End a worker when so many messages have come of what it sends, and start another."""
    line.owe(BATCH)
    line.wait_for_more(after)
    ready = line.said().count(" ready")
    code = line.end(line.workers[0], sign)
    assert code == (0 if sign == signal.SIGTERM else -signal.SIGKILL), line.said()[-2_000:]
    line.start()
    line.wait_until_ready(ready + 1)
    line.time_a_fresh_one()


def freeze_one(line: ChaosLine) -> None:
    """Have a worker stand still for longer than a lease, then wake."""
    line.owe(2 * BATCH)
    line.wait_for_more(5)
    frozen = line.workers[0]
    frozen.send_signal(signal.SIGSTOP)
    line.faults += 1
    woken_at = time.monotonic() + 75 / line.clock.rate
    while time.monotonic() < woken_at:
        line.tend()
        time.sleep(0.05)
    frozen.send_signal(signal.SIGCONT)
    line.owe(BATCH)
    line.time_a_fresh_one()
