"""The work that every contender of the line's benchmark does, and how it is measured.

Owns decoding, screening, stories and encoding, with the product's own functions; a contender
brings batches in and alerts out. A contender is a process of its own: it is told what to do by
JSON, counts from its first batch to its last confirmed alert, prints what it measured, and ends.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from classifiers.model import TopicModel
from connectors.records import Article, decode_article, encode
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.screening import Screened, screen
from streams.stories import Decision, Stories

BATCH = 256
COMMIT_INTERVAL_S = 1.0
WINDOW_S = 72 * 3600.0
# Contenders of our own; all others are compared with the fast model alone.
OURS, FAUSTS_WAY, WITH_READER = (
    "wirebell", "wirebell, Faust's own consumer", "wirebell, the slow reader on",
)  # fmt: skip


class Orders(msgspec.Struct, kw_only=True):
    """What a contender is told. `warm` articles come first and are not measured;
    `fetch_wait_ms` is how long a fetch may wait at the broker.
    """

    contender: str
    servers: str
    embedded: bool
    group: str
    articles: str
    alerts: str
    redis_url: str
    redis_prefix: str
    count: int
    warm: int
    fetch_wait_ms: int
    spawned_at: float

    @property
    def alerts_partition(self) -> int | None:
        """The embedded broker takes one producer per partition."""
        return 1 if self.embedded else None


class Measured(msgspec.Struct, kw_only=True):
    """What a contender measured of itself. Latencies in ms, from our clock before Kafka to the
    confirmed alert.
    """

    articles: int
    alerts: int
    seconds: float
    cpu_s: float
    peak_rss_mb: float
    first_alert_s: float
    latencies_ms: list[float]


class Work:
    """Screening and stories, and the clock over both."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        # What is compared is the line; the reader would be most of everybody's time.
        self._model = TopicModel.load(slow=orders.contender == WITH_READER)
        self._stories = Stories(
            connect_redis(orders.redis_url), Keys(orders.redis_prefix), WINDOW_S
        )
        self._batch: Sequence[Article] = ()
        self._decisions: Sequence[Decision] = ()
        self._done = self._alerts = 0
        self._began = self._cpu_began = self._first_alert = 0.0
        self._latencies_ms: list[float] = []

    async def decide(self, raws: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """What a contender does with a batch: (key, value) of its alerts, for it to send."""
        articles = [decode_article(raw) for raw in raws]
        now = datetime.now(UTC)
        decisions = await self.assign(self.screen(articles, now), now)
        alerts = [decision.alert for decision in decisions if decision.alert is not None]
        return [(alert.story.id.encode(), encode(alert)) for alert in alerts]

    def screen(self, articles: Sequence[Article], now: datetime) -> list[Screened]:
        """The product's screening; the first measured batch starts the clock."""
        if self._done >= self._orders.warm and not self._began:
            self._began, self._cpu_began = time.monotonic(), time.process_time()
        self._batch = articles
        return screen(articles, self._model, now)

    async def assign(self, screened: Sequence[Screened], now: datetime) -> list[Decision]:
        """The product's stories."""
        self._decisions = await self._stories.assign(screened, now)
        return self._decisions

    def confirmed(self) -> None:
        """Kafka has confirmed the alerts of the batch that was decided last."""
        now = datetime.now(UTC)
        told = [
            article
            for article, decision in zip(self._batch, self._decisions, strict=True)
            if decision.alert is not None
        ]
        if told and not self._first_alert:
            self._first_alert = time.monotonic()
        if self._began:
            self._alerts += len(told)
            self._latencies_ms += [
                1_000 * (now - article.fetched_at).total_seconds() for article in told
            ]
        warm_before = self._done < self._orders.warm
        self._done += len(self._batch)
        if warm_before and self._done >= self._orders.warm:
            print("warm", flush=True)
        if self._done >= self._orders.warm + self._orders.count:
            self._finish()

    def _finish(self) -> None:
        measured = Measured(
            articles=self._orders.count,
            alerts=self._alerts,
            seconds=time.monotonic() - self._began,
            cpu_s=time.process_time() - self._cpu_began,
            peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            first_alert_s=self._first_alert - self._orders.spawned_at,
            latencies_ms=self._latencies_ms,
        )
        print(msgspec.json.encode(measured).decode(), flush=True)
        sys.stderr.flush()
        os._exit(0)
