"""Models come into force and go while articles flow, and the worker is killed at every place of
the pick-up: nothing may be lost and no article may be decided twice.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from streams.model_pickup import PLACES
from streams.models import ModelVersions
from streams.redis_client import connect_redis
from tests.fakes.live_screen import versions_of
from tests.fakes.small_models import make_model, make_record
from tests.fakes.worker_line import WorkerLine, make_article, open_line
from tests.lanes import Lane, wait_until

A_TURN = 100
TAKEN = "another model is in use"


class Newsroom:
    """Promotes and rolls back on a line, from outside the worker."""

    def __init__(self, line: WorkerLine, folder: Path) -> None:
        self.line = line
        self.base = folder / "base.npz"
        make_model(self.base, "base")
        self.taught = make_model(folder / "taught.npz", "taught")
        content = (folder / "taught.npz").read_bytes()
        self.ask(lambda versions: versions.add(make_record(self.taught), content))

    def ask(self, wish: Callable[[ModelVersions], Awaitable[object]]) -> None:
        async def do() -> None:
            redis = connect_redis(self.line.orders.redis_url)
            await wish(versions_of(redis, self.line.orders.redis_prefix, self.base))
            await redis.aclose()

        asyncio.run(do())

    def turn(self, number: int) -> None:
        """Another model, every time."""
        if number % 2:
            self.ask(lambda versions: versions.roll_back("nadia"))
        else:
            self.ask(lambda versions: versions.promote(self.taught, "nadia"))


@pytest.fixture
def newsroom(
    embedded_kafka: Lane, redis_url: str, redis_prefix: str, tmp_path: Path
) -> Iterator[Newsroom]:
    with open_line(embedded_kafka, redis_url, redis_prefix, tmp_path) as line:
        yield Newsroom(line, tmp_path)


def test_models_change_under_a_running_worker_and_articles_do_not_notice(
    newsroom: Newsroom,
) -> None:
    line, turns = newsroom.line, 6
    worker = line.start(base_model=str(newsroom.base), hold_s=0.01)
    for number in range(turns):
        first = number * A_TURN
        line.publish([make_article(each) for each in range(first, first + A_TURN)])
        line.wait_for_more_or_end(worker)  # it has loaded the model of before
        newsroom.turn(number)
        wait_until(lambda n=number: line.said().count(TAKEN) > n, 20, f"turn {number}")
    line.wait_for_alerts(turns * A_TURN)
    line.expect_each_once(turns * A_TURN)
    assert line.said().count(TAKEN) == turns
    assert worker.poll() is None
    wait_until(lambda: line.committed() == turns * A_TURN, 10, "everything committed")
    assert len(line.alerts()) == turns * A_TURN  # none was told again
    assert line.dead_letters() == []


def test_killed_at_every_place_of_the_pick_up_nothing_is_lost(newsroom: Newsroom) -> None:
    line = newsroom.line
    for number, place in enumerate(PLACES):
        worker = line.start(base_model=str(newsroom.base), kill_at=f"{place}:1", hold_s=0.01)
        first = number * A_TURN
        line.publish([make_article(each) for each in range(first, first + A_TURN)])
        line.wait_for_more_or_end(worker)
        # Each kill leaves the worker with one model and the line with the other: the next start
        # meets a turn that it has not seen. "fetched" is passed by promotions only.
        newsroom.ask(lambda versions: versions.promote("shipped", "nadia"))
        newsroom.ask(lambda versions: versions.promote(newsroom.taught, "nadia"))
        assert worker.wait(30) == -signal.SIGKILL, line.said()[-1500:]
        newsroom.ask(lambda versions: versions.promote("shipped", "nadia"))
        (newsroom.base.parent / "models" / "in-force").unlink(missing_ok=True)
    count = (len(PLACES) + 1) * A_TURN
    worker = line.start(base_model=str(newsroom.base))
    line.publish([make_article(each) for each in range(count - A_TURN, count)])
    line.wait_for_more_or_end(worker)
    newsroom.ask(lambda versions: versions.promote(newsroom.taught, "nadia"))
    line.wait_for_alerts(count)
    line.expect_each_once(count)
    wait_until(lambda: newsroom.taught in line.said().rsplit(TAKEN, 1)[-1], 10, "the last turn")
    assert line.dead_letters() == []
