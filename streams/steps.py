"""The two steps of a worker: an article screened and joined to its story, an alert handed to
the deliveries.

Owns what counts as the outcome of each, and their metrics. Does not retry, catch outages or
acknowledge: `streams/settling.py` does. Both may be repeated at any point.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from aiokafka.errors import KafkaTimeoutError

from connectors.records import (
    SCHEMA_HEADER,
    Alert,
    Article,
    RecordError,
    decode_alert,
    decode_article,
    encode,
)
from streams import metrics
from streams.canary import is_canary
from streams.dead_letters import DeadLetter, Reason, Stage, encode_dead_letter
from streams.settling import StepFault

# A kill at any of these places must lose nothing; the tests kill there.
PLACES = ("screened", "decided", "alerted", "accepted")

# A broker that stands still would else be noticed only after all of its own timeouts in turn.
CONFIRM_S = 5.0

# Only what has a topic is compared with others; the same article again is no copy.
_NOT_COMPARED = frozenset({"off_topic", "same_article"})

Clock = Callable[[], datetime]


class DecisionLike(Protocol):
    """What a step reads of a decision (streams/stories.py)."""

    @property
    def reason(self) -> str | None:
        """Why the article was dropped (metrics.DROP_REASONS); None or "" when it was not."""
        ...

    @property
    def alert(self) -> Alert | None:
        """What it is news of."""
        ...


class ScreenStep:
    """Articles -> screened -> decided in Redis -> alerts confirmed by Kafka."""

    stage: Stage = "screen"
    reason: Reason = "story_failed"

    def __init__(
        self,
        screen: Callable[[Sequence[Article], datetime], Sequence[Any]],
        assign: Callable[[Sequence[Any], datetime], Awaitable[Sequence[DecisionLike]]],
        send: Callable[[str, Sequence[tuple[bytes, bytes]]], Awaitable[None]],
        clock: Clock,
        *,
        kafka_topic: str,
        sources: Collection[str] = (),
        reached: Callable[[str], None] = lambda place: None,
        watched: Callable[[Sequence[Any], Sequence[Any], datetime], None] | None = None,
        aside: Callable[[Sequence[Article]], bool] = lambda records: False,
    ) -> None:
        """`kafka_topic` is where alerts go; `reached` hears each of PLACES as it is passed.
        `sources` are those that are counted one by one; `watched` is given every batch that is
        done, with its decisions. `aside` is asked before each screening whether it is done in a
        thread: one that takes seconds must not keep the heartbeats to Kafka waiting, any other is
        done sooner here.
        """
        self._aside = aside
        self._sources = frozenset(sources)
        self._screen = screen
        self._assign = assign
        self._send = send
        self._clock = clock
        self._kafka_topic = kafka_topic
        self._reached = reached
        self._watched = watched

    def decode(self, raw: bytes) -> Article:
        """The article in a Kafka message. Raises RecordError."""
        return decode_article(raw)

    async def settle(self, records: Sequence[Article]) -> None:
        """See Step."""
        now = self._clock()
        try:
            if self._aside(records):
                screened = await asyncio.to_thread(self._screen, records, now)
            else:
                screened = self._screen(records, now)
        except MemoryError:
            raise
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            raise StepFault("screen", "screening_failed", detail) from error
        self._reached("screened")
        decisions = await self._decide(screened, now)
        self._reached("decided")
        alerts = [decision.alert for decision in decisions if decision.alert is not None]
        await self._send(self._kafka_topic, [_message(alert) for alert in alerts])
        self._reached("alerted")
        _count(records, decisions, now, self._sources)
        if self._watched is not None:
            self._watched(screened, decisions, now)

    async def _decide(self, screened: Sequence[Any], now: datetime) -> Sequence[DecisionLike]:
        decisions = await self._assign(screened, now)
        if len(decisions) != len(screened):
            raise StepFault(
                "story", "story_failed", f"{len(decisions)} decisions on {len(screened)} articles"
            )
        return decisions


class DeliverStep:
    """Alerts -> durable in the ledger, which delivers them in its own time."""

    stage: Stage = "deliver"
    reason: Reason = "delivery_failed"

    def __init__(
        self,
        accept: Callable[[Sequence[Alert]], Awaitable[None]],
        reached: Callable[[str], None] = lambda place: None,
    ) -> None:
        self._accept = accept
        self._reached = reached

    def decode(self, raw: bytes) -> Alert:
        """The alert in a Kafka message. Raises RecordError."""
        return decode_alert(raw)

    async def settle(self, records: Sequence[Alert]) -> None:
        """See Step."""
        await self._accept(records)
        self._reached("accepted")


class Sender:
    """Sends through Faust's producer and waits for Kafka's confirmation of every record.

    `partition` is fixed on the embedded broker, which takes one producer per partition;
    None leaves it to the key. A repeat sends again: ids must be the same every time.
    """

    def __init__(
        self, app: Any, partition: int | None, on_sent: Callable[[], None] = lambda: None
    ) -> None:
        """`on_sent` hears when Kafka has confirmed something."""
        self._app = app
        self._partition = partition
        self._on_sent = on_sent

    async def send(self, kafka_topic: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Send (key, value) pairs; returns when all are confirmed, raises what Kafka raised."""
        if not messages:
            return
        try:
            async with asyncio.timeout(CONFIRM_S):
                await self._app.producer.send_all(
                    kafka_topic, messages, self._partition, [SCHEMA_HEADER]
                )
        except TimeoutError as error:
            raise KafkaTimeoutError(f"no confirmation within {CONFIRM_S:.0f} s") from error
        self._on_sent()

    async def bury(self, kafka_topic: str, letters: Sequence[DeadLetter]) -> None:
        """Send dead letters, and count them when Kafka has confirmed all."""
        await self.send(
            kafka_topic, [(each.id.encode(), encode_dead_letter(each)) for each in letters]
        )
        for each in letters:
            metrics.DEAD_LETTERS.labels(each.stage, each.reason).inc()


def _message(alert: Alert) -> tuple[bytes, bytes]:
    try:
        return alert.story.id.encode(), encode(alert)
    except RecordError as error:
        raise StepFault("story", "too_large", f"alert {alert.id}: {error}") from error


def _count(
    articles: Sequence[Article],
    decisions: Sequence[DecisionLike],
    now: datetime,
    sources: Collection[str],
) -> None:
    """Count a batch: each metric is raised once, not once an article."""
    told = [
        (article, decision)
        for article, decision in zip(articles, decisions, strict=True)
        if not is_canary(article)
    ]
    metrics.SCREENED.inc(len(told))
    metrics.SEEN_TO_SCREENED.observe_all(
        [max(0.0, (now - article.fetched_at).total_seconds()) for article, _ in told]
    )
    for reason, count in Counter([decision.reason for _, decision in told]).items():
        if reason:
            metrics.DROPPED.labels(reason).inc(count)
    compared = Counter(
        (article.source_id, "copy" if decision.reason == "near_duplicate" else "own")
        for article, decision in told
        if decision.reason not in _NOT_COMPARED and article.source_id in sources
    )
    for (source_id, outcome), count in compared.items():
        metrics.SOURCE_ARTICLES.labels(source_id, outcome).inc(count)
    alerts = [decision.alert for _, decision in told if decision.alert is not None]
    for kind, count in Counter([alert.kind for alert in alerts]).items():
        metrics.ALERTS.labels(kind).inc(count)
