"""A whole worker for chaos tests, to be killed, frozen and starved: `python -m`, told by JSON.

From Kafka to Slack everything is what `wirebell worker` runs: Faust's agents, settling, the
ledger, deliveries, both sinks. Only screening is tiny, so that a test knows what must ring:
every article is a story of its own, and the words of its title say where it goes.
Its ledger's clock runs `rate` times as fast, so that leases of a minute can pass in seconds.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from pydantic import SecretStr
from redis.asyncio import Redis

from connectors.records import Alert, Article, Priority, Story, TopicScore
from connectors.sinks.settings import SlackSettings, WebhookSettings
from connectors.sinks.sink import Sink
from connectors.sinks.slack import SlackSink
from connectors.sinks.webhook import WebhookSink
from streams.app import make_app
from streams.dead_letters import DeadLetter
from streams.delivery import Deliveries
from streams.kafka_topics import ALERTS, ARTICLES, DEAD_LETTERS
from streams.keys import Keys
from streams.ledger import Ledger
from streams.outages import outlast
from streams.redis_client import connect_redis
from streams.settings import KafkaSettings, SubscriptionSettings, Target
from streams.steps import DeliverStep, ScreenStep, Sender
from streams.watchdog import Progress
from streams.worker import Worker
from tests.fakes.webhook_receiver import SECRET
from tests.fakes.whole_process import run_to_the_end

_S = TypeVar("_S", SlackSettings, WebhookSettings)
_R = TypeVar("_R")


class Orders(msgspec.Struct, kw_only=True):
    """What the test wants of the process. `flaky` is the share of calls that raise; a `poison`
    word in a title makes screening raise, unless `mended`.
    """

    bootstrap_servers: str
    kafka_prefix: str
    redis_url: str
    redis_prefix: str
    slack_url: str
    hook_url: str
    channels: int
    start: float
    rate: float
    session_timeout_s: float = 6
    flaky: float = 0
    mended: bool = False


@dataclass(frozen=True, slots=True)
class FastClock:
    """Seconds since the epoch, `rate` times as fast since `start`."""

    start: float
    rate: float

    def __call__(self) -> float:
        """Epoch seconds."""
        return self.start + (time.time() - self.start) * self.rate

    def now(self) -> datetime:
        """The moment as a datetime."""
        return datetime.fromtimestamp(self(), UTC)


class Decision(msgspec.Struct):
    """An article's alert, or why there is none."""

    reason: str | None
    alert: Alert | None


@dataclass(slots=True)
class Flaky:
    """Raises at random, before or after what was to be done: a fault at any instruction."""

    share: float
    chance: random.Random = field(default_factory=random.Random)

    def wrap(self, call: Callable[..., Awaitable[_R]]) -> Callable[..., Awaitable[_R]]:
        """The call, which now and then fails before or after it has done its work."""

        async def flaky(*args: Any, **kwargs: Any) -> _R:
            self._perhaps()
            result = await call(*args, **kwargs)
            self._perhaps()
            return result

        return flaky

    def _perhaps(self) -> None:
        if self.chance.random() < self.share / 2:
            raise RuntimeError("a fault at random")


class FlakyLedger(Ledger):
    """A ledger whose calls fail at random: the process ends, or goes on, as it would."""

    def fail_with(self, flaky: Flaky) -> None:
        """From now on."""
        for name, script in self._scripts.items():
            self._scripts[name] = flaky.wrap(script)


class TinyRooms:
    """Screening and stories, in a few lines."""

    def __init__(self, orders: Orders, clock: FastClock) -> None:
        self._orders, self._clock = orders, clock

    def screen(self, articles: Sequence[Article], now: datetime) -> list[Article]:
        """Poison raises, as a classifier would at a text that it cannot take."""
        for article in articles:
            if "poison" in article.title.split() and not self._orders.mended:
                raise ValueError(f"cannot screen {article.id}")
        return list(articles)

    async def assign(self, screened: Sequence[Article], now: datetime) -> list[Decision]:
        """Each is news."""
        return [Decision(None, self._alert(article)) for article in screened]

    def _alert(self, article: Article) -> Alert:
        at = datetime.fromtimestamp(self._orders.start, UTC)
        words = article.title.split()
        priority: Priority = "urgent" if "urgent" in words else "routine"
        story = Story(
            id=words[0],
            revision=1,
            headline=article.title,
            language="en",
            summary=article.text,
            topics=(TopicScore(topic="sabotage", label="Sabotage", probability=0.9),),
            evidence=(),
            places=(),
            tolls=(),
            reports=(),
            article_count=1,
            first_seen=at,
            last_seen=at,
            changes=(),
        )
        return Alert(
            id=f"{story.id}:1",
            kind="new",
            priority=priority,
            priority_reason="a test",
            story=story,
            published_at=at,
            fetched_at=at,
            screened_at=at,
        )


def subscriptions(channels: int) -> list[SubscriptionSettings]:
    """Every story goes to the channel that its title names, and to the receiver."""
    found = [
        SubscriptionSettings(
            id=f"c{number}",
            words=(f"c{number}",),
            deliver=(Target(sink="slack", to=f"C{number:07d}"),),
        )
        for number in range(channels)
    ]
    return [*found, SubscriptionSettings(id="hook", deliver=(Target(sink="hook"),))]


async def work(orders: Orders) -> None:
    """The composition of `streams/assembly.py`, with tiny rooms."""
    redis: Redis = connect_redis(orders.redis_url)
    kafka = KafkaSettings(
        bootstrap_servers=orders.bootstrap_servers,
        prefix=orders.kafka_prefix,
        session_timeout_s=orders.session_timeout_s,
    )
    clock, stop, progress = FastClock(orders.start, orders.rate), asyncio.Event(), Progress()
    app = make_app(kafka, "worker")
    sender, rooms = Sender(app, None), TinyRooms(orders, clock)
    ledger, flaky = FlakyLedger(redis, Keys(orders.redis_prefix), clock=clock), Flaky(orders.flaky)
    send, assign = sender.send, rooms.assign
    if orders.flaky:
        ledger.fail_with(flaky)
        send, assign = flaky.wrap(send), flaky.wrap(assign)

    async def bury(letters: Sequence[DeadLetter]) -> None:
        await sender.bury(kafka.prefix + DEAD_LETTERS, letters)

    async def bury_one(letter: DeadLetter) -> None:
        await outlast(lambda: bury([letter]), called_off=stop.is_set)

    deliveries = Deliveries(ledger, subscriptions(orders.channels), _sinks(orders, clock), bury_one)
    worker = Worker(app, bury, progress)
    worker.add_step(
        kafka.prefix + ARTICLES,
        ScreenStep(rooms.screen, assign, send, clock.now, kafka_topic=kafka.prefix + ALERTS),
    )
    worker.add_step(kafka.prefix + ALERTS, DeliverStep(deliveries.accept))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    try:
        await worker.run(stop, [deliveries.run])
    finally:
        await deliveries.close()
        await redis.aclose()


def _sinks(orders: Orders, clock: FastClock) -> dict[str, Sink]:
    """Both sinks with their timeouts in the line's time."""
    timeout_s = 15 / orders.rate
    slack_settings = SlackSettings(token=SecretStr("xoxb-test"), api_url=orders.slack_url)
    slack = SlackSink("slack", _hurried(slack_settings, timeout_s), clock.now)
    hook_settings = WebhookSettings(
        url=orders.hook_url, secret=SecretStr(SECRET), allow_private=True
    )
    hook = WebhookSink("hook", _hurried(hook_settings, timeout_s))
    # A receiver's outages here last seconds: its schedule begins as the standard's does.
    hook._pace = replace(hook.pace, schedule_s=(5.0, 5.0, *hook.pace.schedule_s))
    return {"slack": slack, "hook": hook}


def _hurried(settings: _S, timeout_s: float) -> _S:
    return settings.model_copy(update={"timeout_s": timeout_s})


if __name__ == "__main__":
    run_to_the_end(Orders, work)
