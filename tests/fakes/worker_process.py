"""A real worker process with rooms small enough to count: run as `python -m`, told by JSON.

The worker, its agents and everything between Kafka and the rooms are the real ones. The
rooms behind it are tiny and deterministic, on a real Redis: the words of a title decide.
A place of `streams.steps.PLACES` can be named where the process kills itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from redis.asyncio import Redis

from connectors.records import Alert, Article, Story
from streams.app import make_app
from streams.dead_letters import Stage
from streams.in_hand import InHand, open_in_hand
from streams.kafka_topics import ALERTS, ARTICLES, DEAD_LETTERS
from streams.redis_client import connect_redis
from streams.settings import KafkaSettings
from streams.steps import DeliverStep, ScreenStep, Sender
from streams.watchdog import Progress, Watchdog
from streams.worker import Background, Worker
from tests.fakes.live_screen import LiveScreen
from tests.fakes.whole_process import run_to_the_end

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

# An article gets its place in its story once, however often it comes.
_ASSIGN = """
local places = {}
for i = 1, #ARGV, 2 do
  local place = redis.call('HGET', KEYS[1], ARGV[i])
  if not place then
    place = redis.call('HINCRBY', KEYS[2], ARGV[i + 1], 1)
    redis.call('HSET', KEYS[1], ARGV[i], place)
  end
  places[#places + 1] = tonumber(place)
end
return places
"""


class Orders(msgspec.Struct, kw_only=True):
    """What the test wants of the process. `kill_at` is "place:count"; with a `base_model` a real
    topic model reads every article, and the process picks up the one in force.
    """

    bootstrap_servers: str
    kafka_prefix: str
    embedded: bool
    redis_url: str
    redis_prefix: str
    session_timeout_s: float = 6
    kill_at: str = ""
    hold_s: float = 0
    most_in_a_row: int = 100
    watchdog_s: float = 0
    state_dir: str = ""
    whole_slices: bool = True
    base_model: str = ""

    def kafka(self) -> KafkaSettings:
        return KafkaSettings(
            bootstrap_servers=self.bootstrap_servers,
            prefix=self.kafka_prefix,
            embedded=self.embedded,
            session_timeout_s=self.session_timeout_s,
            whole_slices=self.whole_slices,
        )


class Decision(msgspec.Struct):
    reason: str | None
    alert: Alert | None


class TinyRooms:
    """Screening, stories and ledger, in a few lines each."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._script = redis.register_script(_ASSIGN)
        self._prefix = f"{{{prefix}}}:"
        self._failures: Counter[str] = Counter()

    def screen(self, articles: Sequence[Article], now: datetime) -> list[Article]:
        for article in articles:
            words = article.title.split()
            if "kills-the-process" in words:
                os.kill(os.getpid(), signal.SIGKILL)
            if "poison-screen" in words:
                raise ValueError(f"cannot screen {article.id}")
            if "flaky-screen" in words and self._failures[article.id] < 2:
                self._failures[article.id] += 1
                raise ValueError(f"not yet {article.id}")
        return list(articles)

    async def assign(self, screened: Sequence[Article], now: datetime) -> list[Decision]:
        for article in screened:
            if "poison-story" in article.title.split():
                raise KeyError(article.id)
            if "hang" in article.title.split():
                await asyncio.Event().wait()
        words = [word for each in screened for word in (each.id, each.title.split()[0])]
        keys = [self._prefix + "places", self._prefix + "counts"]
        places = await self._script(keys=keys, args=words)
        return [self._decide(*pair) for pair in zip(screened, places, strict=True)]

    async def accept(self, alerts: Sequence[Alert]) -> None:
        if any("poison-deliver" in alert.story.headline.split() for alert in alerts):
            raise KeyError("poison")
        await self._redis.sadd(self._prefix + "accepted", *[alert.id for alert in alerts])

    def _decide(self, article: Article, place: int) -> Decision:
        if "off-topic" in article.title.split():
            return Decision("off_topic", None)
        return Decision(None, make_alert(article, place))


def make_alert(article: Article, revision: int) -> Alert:
    story = Story(
        id=article.title.split()[0],
        revision=revision,
        headline=article.title,
        language="en",
        summary=article.text,
        topics=(),
        evidence=(),
        places=(),
        tolls=(),
        reports=(),
        article_count=revision,
        first_seen=NOON,
        last_seen=NOON,
        changes=(),
    )
    return Alert(
        id=f"{story.id}:{revision}",
        kind="new" if revision == 1 else "update",
        priority="routine",
        priority_reason="a test",
        story=story,
        published_at=None,
        fetched_at=article.fetched_at,
        screened_at=NOON,
    )


class KillSwitch:
    """Kills the process when a place is reached for the n-th time."""

    def __init__(self, orders: Orders) -> None:
        place, _, count = orders.kill_at.partition(":")
        self._place, self._left = place, int(count or 0)

    def reached(self, place: str) -> None:
        if place == self._place:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def work(orders: Orders) -> None:
    """The composition of `streams/assembly.py`, with tiny rooms."""
    redis = connect_redis(orders.redis_url)
    kafka = orders.kafka()
    app = make_app(kafka, "worker")
    sender = Sender(app, partition=1 if kafka.embedded else None)
    rooms, switch, progress = TinyRooms(redis, orders.redis_prefix), KillSwitch(orders), Progress()
    stop = asyncio.Event()

    async def assign(screened: Sequence[Article], now: datetime) -> list[Decision]:
        if orders.hold_s:
            await asyncio.sleep(orders.hold_s)
        return await rooms.assign(screened, now)

    def clock() -> datetime:
        return datetime.now(UTC)

    prefix = kafka.prefix
    screen: Callable[[Sequence[Article], datetime], list[Article]] = rooms.screen
    beside: list[Background] = []
    if orders.base_model:
        screening = LiveScreen(
            redis, orders.redis_prefix, Path(orders.base_model), rooms.screen, switch.reached
        )
        screen, beside = screening.screen, [screening.pickup.run]
    worker = Worker(
        app,
        lambda letters: sender.bury(prefix + DEAD_LETTERS, letters),
        progress,
        most_in_a_row=orders.most_in_a_row,
    )
    worker.add_step(
        prefix + ARTICLES,
        ScreenStep(
            screen,
            assign,
            sender.send,
            clock,
            kafka_topic=prefix + ALERTS,
            reached=switch.reached,
        ),
        _in_hand(orders, "screen"),
    )
    worker.add_step(
        prefix + ALERTS, DeliverStep(rooms.accept, switch.reached), _in_hand(orders, "deliver")
    )
    if orders.watchdog_s:
        watched = [prefix + ARTICLES, prefix + ALERTS]
        Watchdog(kafka, prefix + "worker", watched, progress, after_s=orders.watchdog_s).start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await worker.run(stop, beside)
    await redis.aclose()


def _in_hand(orders: Orders, stage: Stage) -> InHand | None:
    return open_in_hand(Path(orders.state_dir), stage) if orders.state_dir else None


if __name__ == "__main__":
    run_to_the_end(Orders, work)
