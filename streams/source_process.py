"""The process `wirebell sources`: every configured source, polled into Kafka.

Owns putting it together: sources, poller, publisher, cursors of the cluster that is there,
statuses, dead letters, heartbeat; waiting for Kafka at the start; noticing that the cluster
is another one. How a turn goes is `connectors/poller.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from connectors.call_thread import CallThread
from connectors.poller import ArticlePublisher, Poller, PollReport, Scheduled, end_tasks
from connectors.publisher import Publisher, PublishError
from connectors.sources.factory import make_source
from connectors.sources.settings import AnySource, IngestSettings
from connectors.sources.source import Rejected, Source
from connectors.turns import Politeness
from connectors.web_client import WebClient
from streams import metrics
from streams.cursors import RedisCursors
from streams.dead_letters import DeadLetter, Origin, encode_dead_letter, make_dead_letter
from streams.fetch_pace import nudge
from streams.heartbeat import beat
from streams.kafka_topics import ARTICLES, DEAD_LETTERS, producer_partition
from streams.keys import Keys
from streams.metrics_listener import serve_metrics
from streams.redis_client import connect_redis
from streams.settings import Settings
from streams.source_status import SourceStatus, SourceStatuses
from streams.source_wishes import SourceWishes
from streams.topic_setup import (
    KafkaAwayError,
    create_kafka_topics,
    read_cluster_id,
)

T = TypeVar("T")
Task = asyncio.Task[None]

# How soon a cluster that was replaced is noticed; a look costs 4 ms of CPU here and as much there.
# `wirebell up` starts us anew with its broker.
CLUSTER_CHECK_S = 10.0
KAFKA_RETRY_S = 1.0
# How soon a wish of a person is heeded.
WISHES_EVERY_S, WISHES_TIMEOUT_S = 2.0, 2.0
# A source that cannot listen or read now (ingest has no interval of its own) is asked again.
DEFAULT_INTERVAL_S = 5.0
CLOSE_S = 0.8  # for everything at once: a stop takes two seconds at most
# What is kept of a rejected item when a cluster with small messages refuses all of it.
_CUT_BYTES = 10_000

_log = structlog.get_logger("wirebell.sources")


class SourceProcess:
    """All sources of a configuration. Runs once."""

    def __init__(self, settings: Settings, politeness: Politeness | None = None) -> None:
        self._settings = settings
        self._politeness = politeness or Politeness()
        self._enabled = [source for source in settings.sources if source.enabled]
        self._keys = Keys(settings.redis.prefix)
        self._admin = CallThread("kafka-admin")
        self._publisher = Publisher(
            settings.kafka.connection(),
            settings.kafka.prefix + ARTICLES,
            producer_partition("sources", embedded=settings.kafka.embedded),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop`; ends within two seconds of it. Waits while Kafka is away."""
        redis = connect_redis(self._settings.redis.url.get_secret_value())
        heart = asyncio.create_task(beat(redis, self._keys, "sources", stop))
        numbers = asyncio.create_task(serve_metrics(self._settings, "sources", stop))
        async with WebClient() as web_client:
            sources = [make_source(each, web_client) for each in self._enabled]
            try:
                await self._poll(redis, sources, stop)
            finally:
                self._admin.end()
                await _within(
                    CLOSE_S, [heart, numbers, self._publisher.close(), *_closing(sources)]
                )
                await redis.aclose()

    async def _poll(self, redis: Redis, sources: Sequence[Source], stop: asyncio.Event) -> None:
        now = datetime.now(UTC)
        first = [
            _first_status(settings, source.host, now)
            for settings, source in zip(self._enabled, sources, strict=True)
        ]
        statuses = SourceStatuses(redis, self._keys, first)
        await statuses.resume()
        scheduled = [
            Scheduled(source, getattr(settings, "interval_s", DEFAULT_INTERVAL_S))
            for settings, source in zip(self._enabled, sources, strict=True)
        ]
        while not stop.is_set():
            cluster_id = await self._reach_cluster(stop)
            if cluster_id is None:
                return
            poller = Poller(
                scheduled,
                RedisCursors(redis, self._keys, cluster_id),
                self._telling(redis),
                lambda report: self._heard(statuses, report),
                self._reject,
                on_trouble=lambda reason: _log.warning("waiting", reason=reason),
                politeness=self._politeness,
            )
            _log.info("polling", sources=len(scheduled), cluster=cluster_id)
            heed = _Heed(SourceWishes(redis, self._keys), poller, statuses)
            await heed.once()  # a paused source is not asked even once
            heeding = asyncio.create_task(heed.forever())
            try:
                await self._poll_cluster(poller, cluster_id, stop)
            finally:
                await end_tasks([heeding])

    def _telling(self, redis: Redis) -> ArticlePublisher:
        """The publisher; on the embedded broker one that tells the workers as well."""
        if not self._settings.kafka.embedded:
            return self._publisher
        return _TellingPublisher(self._publisher, lambda: nudge(redis, self._keys))

    async def _poll_cluster(self, poller: Poller, cluster_id: str, stop: asyncio.Event) -> None:
        """Poll until `stop` or until the cluster is another one, whose log has nothing."""
        over = asyncio.Event()
        watching = [
            asyncio.create_task(_pass_on(stop, over)),
            asyncio.create_task(self._watch_cluster(cluster_id, over)),
        ]
        try:
            await poller.run(over)
        finally:
            await end_tasks(watching)

    async def _reach_cluster(self, stop: asyncio.Event) -> str | None:
        """The cluster's id, once its Kafka topics are there; None when stopped before."""
        told = False
        while not stop.is_set():
            try:
                differences = await _unless(
                    stop, self._admin.call(lambda: create_kafka_topics(self._settings.kafka))
                )
                cluster_id = await _unless(
                    stop, self._admin.call(lambda: read_cluster_id(self._settings.kafka))
                )
            except KafkaAwayError as error:
                if not told:
                    _log.warning("Kafka is away, waiting", error=str(error))
                    told = True
                await _unless(stop, asyncio.sleep(KAFKA_RETRY_S))
                continue
            for line in differences or ():
                _log.warning(line)
            return cluster_id
        return None

    async def _watch_cluster(self, cluster_id: str, over: asyncio.Event) -> None:
        while True:
            await asyncio.sleep(CLUSTER_CHECK_S)
            try:
                found = await self._admin.call(lambda: read_cluster_id(self._settings.kafka))
            except KafkaAwayError:
                continue
            if found != cluster_id:
                _log.warning("the Kafka cluster is another one: reading everything again")
                over.set()
                return

    async def _heard(self, statuses: SourceStatuses, report: PollReport) -> None:
        source, state = report.source_id, report.poll.state
        metrics.POLLS.labels(source, state).inc()
        if report.published:
            metrics.PUBLISHED.labels(source).inc(report.published)
            for article in report.poll.articles:
                if article.published_at is not None:
                    waited = article.fetched_at - article.published_at
                    metrics.PUBLISHED_TO_SEEN.observe(max(0.0, waited.total_seconds()))
        before = statuses.current[source]
        await statuses.record(report)
        if report.fault:
            _log.error("a source failed by our fault", source=source, detail=report.poll.detail)
        elif report.failures == 1:
            _log.info("source fails", source=source, state=state, detail=report.poll.detail)
        elif before.error_streak and not report.failures:
            _log.info("source is back", source=source, state=state)

    async def _reject(self, source_id: str, item: Rejected) -> None:
        """Into the dead letters, confirmed. Raises PublishError when Kafka is away."""
        try:
            await self._bury(source_id, item, item.raw)
        except PublishError as error:
            if error.retryable:
                raise
            await self._bury(source_id, item, item.raw[:_CUT_BYTES])
        _log.warning("rejected", source=source_id, reason=item.reason, origin=item.origin)

    async def _bury(self, source_id: str, item: Rejected, raw: bytes) -> None:
        letter: DeadLetter = make_dead_letter(
            "source",
            "rejected",
            Origin(source_id=source_id, place=item.origin),
            datetime.now(UTC),
            detail=item.reason,
            raw=raw,
        )
        kafka_topic = self._settings.kafka.prefix + DEAD_LETTERS
        await self._publisher.publish_raw(
            kafka_topic, letter.id.encode(), encode_dead_letter(letter)
        )
        metrics.DEAD_LETTERS.labels(letter.stage, letter.reason).inc()


def _first_status(settings: AnySource, host: str, now: datetime) -> SourceStatus:
    return SourceStatus(
        id=settings.id,
        type=settings.type,
        state="empty",
        at=now,
        counted_since=now,
        host=host or (settings.host if isinstance(settings, IngestSettings) else ""),
        publisher=settings.publisher,
    )


@dataclass(frozen=True, slots=True)
class _TellingPublisher:
    """Publishes, then says that something is there (streams/fetch_pace.py)."""

    publisher: Publisher
    tell: Callable[[], Awaitable[None]]

    async def publish_encoded(self, articles: Sequence[tuple[str, bytes]]) -> None:
        """See Publisher. Of a batch that is refused in part the rest is there as well."""
        try:
            await self.publisher.publish_encoded(articles)
        finally:
            await self.tell()


class _Heed:
    """Does what people want of sources. While Redis is away the last known pauses hold."""

    def __init__(self, wishes: SourceWishes, poller: Poller, statuses: SourceStatuses) -> None:
        self._wishes = wishes
        self._poller = poller
        self._statuses = statuses
        self._paused: frozenset[str] = frozenset()

    async def once(self) -> None:
        """Heed what is wished now."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(WISHES_TIMEOUT_S):
                wanted = frozenset(await self._wishes.paused())
                hurried = await self._wishes.take_hurried()
            if wanted != self._paused:
                self._paused = wanted
                _log.info("paused by a person", sources=sorted(wanted))
                self._poller.pause(wanted)
            self._statuses.pause(wanted)
            for source_id in hurried:
                waited = self._poller.hasten(source_id)
                _log.info("to be asked now", source=source_id, waited=waited)

    async def forever(self) -> None:
        """Heed what is wished from now on."""
        while True:
            await asyncio.sleep(WISHES_EVERY_S)
            await self.once()


async def _pass_on(stop: asyncio.Event, over: asyncio.Event) -> None:
    await stop.wait()
    over.set()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None as soon as `stop` is set."""
    task, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        stopping.cancel()


def _closing(sources: Sequence[Source]) -> list[Coroutine[Any, Any, None]]:
    return [source.close() for source in sources]


async def _within(seconds: float, work: Sequence[Coroutine[Any, Any, None] | Task]) -> None:
    """Await all at once; what takes longer is left behind, what raises harms no other."""
    tasks = [asyncio.ensure_future(each) for each in work]
    _, hanging = await asyncio.wait(tasks, timeout=seconds)
    for task in hanging:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            _log.warning("closing failed", error=repr(ended))
