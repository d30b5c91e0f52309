"""Killing a real worker, and what it stands on, while articles come: nothing may be lost and
no article may be decided twice.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.embedded import EmbeddedRedis
from streams.steps import PLACES
from tests.fakes.worker_line import WorkerLine, make_article, open_line
from tests.lanes import Lane, wait_until

# Kills beyond those at each place; the full load (`make chaos`) has nine.
MORE_KILLS = int(os.environ.get("WIREBELL_CHAOS", "1")) - 1
A_KILL = 500


@pytest.fixture
def line(kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path) -> Iterator[WorkerLine]:
    with open_line(kafka, redis_url, redis_prefix, tmp_path) as opened:
        yield opened


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


def test_killed_at_every_place_nothing_is_lost_and_nothing_decided_twice(line: WorkerLine) -> None:
    # Nothing of the worker differs between the brokers here; each kill costs a session.
    kills = [f"{place}:2" for place in (PLACES[1:3] if line.lane.embedded else PLACES)]
    # Two batches come for sure: one before and one after the first alert.
    kills += [f"{random.choice(PLACES)}:{random.randint(1, 2)}" for _ in range(MORE_KILLS)]
    for number, place in enumerate(kills):
        worker = line.start(kill_at=place)
        first = number * A_KILL
        half = A_KILL // 2
        line.publish([make_article(each) for each in range(first, first + half)])
        line.wait_for_more_or_end(worker)
        line.publish([make_article(each) for each in range(first + half, first + A_KILL)])
        assert worker.wait(40) == -signal.SIGKILL, line.said()[-1500:]
    count = (len(kills) + 1) * A_KILL
    worker = line.start(hold_s=0.05)
    line.publish([make_article(each) for each in range(count - A_KILL, count)])
    line.wait_for_more_or_end(worker)
    worker.kill()  # and once from outside, wherever it is
    line.start()
    line.wait_for_alerts(count)
    line.expect_each_once(count)
    wait_until(lambda: line.committed() == count, 10, "everything committed")
    repeated = len(line.alerts()) - count
    assert repeated < (len(kills) + 1) * 1_500  # a commit interval's worth a kill, no more
    assert line.dead_letters() == []


@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)
def test_a_worker_that_goes_fausts_own_way_loses_nothing_either(line: WorkerLine) -> None:
    worker = line.start(hold_s=0.05, whole_slices=False)
    line.publish([make_article(each) for each in range(A_KILL)])
    line.wait_for_more_or_end(worker)
    worker.kill()
    line.start(whole_slices=False)
    line.wait_for_alerts(A_KILL)
    line.expect_each_once(A_KILL)
    wait_until(lambda: line.committed() == A_KILL, 10, "everything committed")


@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)  # Redis knows no lanes
def test_redis_away_is_waited_out_even_through_a_sigterm(
    kafka: Lane, own_redis: EmbeddedRedis, redis_prefix: str, tmp_path: Path
) -> None:
    with open_line(kafka, own_redis.url, redis_prefix, tmp_path) as line:
        worker = line.start(hold_s=0.02)
        line.publish([make_article(each) for each in range(1_000)])
        line.wait_for_alerts(100)
        own_redis.stop()
        line.publish([make_article(each) for each in range(1_000, 1_500)])
        wait_until(lambda: "redis is away" in line.said(), 10, "the outage noticed")
        own_redis.start()
        line.wait_for_alerts(1_500)
        assert own_redis.pid is not None
        os.kill(own_redis.pid, signal.SIGSTOP)
        line.publish([make_article(each) for each in range(1_500, 2_000)])
        try:
            wait_until(lambda: line.said().count("redis is away") >= 2, 15, "the silence noticed")
        finally:
            os.kill(own_redis.pid, signal.SIGCONT)
        line.wait_for_alerts(2_000)
        own_redis.stop()
        line.publish([make_article(each) for each in range(2_000, 2_500)])
        wait_until(lambda: line.said().count("redis is away") >= 3, 10, "the third outage noticed")
        worker.terminate()  # during an outage: it must neither wait for its end nor lose
        assert worker.wait(10) == 0
        own_redis.start()
        line.start()
        line.wait_for_alerts(2_500)
        line.expect_each_once(2_500)
        assert line.dead_letters() == []
        assert "Traceback" not in line.said()


def test_broker_away_is_waited_out(line: WorkerLine) -> None:
    server = line.lane.server
    if server is None:
        pytest.skip("the Kafka cluster is not ours to stop")
    worker = line.start(hold_s=0.5)
    line.publish([make_article(each) for each in range(1_000)])
    line.wait_for_alerts(100)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "kafka is away" in line.said() or worker.poll() is not None, 30)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    if worker.poll() is not None:
        worker = line.start()  # as its supervisor would
    line.wait_for_alerts(1_000)
    line.expect_each_once(1_000)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        worker.terminate()  # it must not wait for a broker that does not answer
        assert worker.wait(10) == 0
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.parametrize("kafka", ["embedded"], indirect=True)
def test_articles_that_kill_workers_are_buried_and_the_others_go_on(
    line: WorkerLine, tmp_path: Path
) -> None:
    killers = {70, 71} if MORE_KILLS else {70}
    words = dict.fromkeys(killers, "kills-the-process")
    line.publish([make_article(each, words.get(each, "")) for each in range(200)])
    deaths = 0
    worker = line.start(state_dir=str(tmp_path / "state"))
    while line.accepted_count() < 200 - len(killers):
        assert deaths <= 3 * len(killers)
        line.wait_for_more_or_end(worker)
        if worker.poll() is not None:
            deaths += 1
            worker = line.start(state_dir=str(tmp_path / "state"))
    letters = {each.key: each for each in line.dead_letters()}
    assert set(letters) == {f"article-{each}".encode() for each in killers}
    assert {(each.reason, each.attempts) for each in letters.values()} == {("killed_worker", 3)}
    wait_until(lambda: line.committed() == 200, 10, "everything committed")


@pytest.mark.parametrize("kafka", ["apache"], indirect=True)
def test_workers_that_join_and_leave_share_the_work_and_lose_nothing(line: WorkerLine) -> None:
    first = line.start(hold_s=0.05)
    line.publish([make_article(each) for each in range(1_500)])
    line.wait_for_alerts(200)
    second = line.start(hold_s=0.05)
    line.wait_until_ready(2)
    line.publish([make_article(each) for each in range(1_500, 3_000)])
    line.wait_for_alerts(1_600)
    first.terminate()
    assert first.wait(10) == 0
    line.publish([make_article(each) for each in range(3_000, 3_500)])
    third = line.start(hold_s=0.05)
    line.wait_until_ready(3)
    second.kill()
    line.publish([make_article(each) for each in range(3_500, 4_000)])
    line.wait_for_alerts(4_000)
    line.expect_each_once(4_000)
    assert third.poll() is None
