"""What a step counts of the articles it has settled, and where it screens them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.records import Article
from streams import metrics
from streams.canary import make_canary
from streams.steps import ScreenStep
from streams.stories import OFF_TOPIC, Decision

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def article(source_id: str) -> Article:
    return Article(id="a", source_id=source_id, publisher="P", title="T", fetched_at=NOW)


async def settle(decided: Sequence[tuple[Article, Decision]]) -> None:
    """Have a step settle articles on which this is decided."""

    async def assign(batch: Sequence[Any], now: datetime) -> Sequence[Decision]:
        return [decision for _, decision in decided]

    async def send(kafka_topic: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
        assert not messages

    step = ScreenStep(
        lambda articles, now: articles,
        assign,
        send,
        lambda: NOW,
        kafka_topic="alerts",
        sources=("counted",),
    )
    await step.settle([one for one, _ in decided])


def counted(outcome: str, source_id: str = "counted") -> float:
    name = "wirebell_source_articles_total"
    labels = {"source": source_id, "outcome": outcome}
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


async def test_copies_are_counted_by_source_among_articles_that_were_compared() -> None:
    copy = Decision("duplicate", "near_duplicate", "s")
    joined = Decision("joined", "joined_silently", "s")
    again = Decision("duplicate", "same_article", "s", repeated=True)
    before = counted("copy"), counted("own")
    await settle([(article("counted"), one) for one in (copy, joined, again, OFF_TOPIC)])
    assert (counted("copy") - before[0], counted("own") - before[1]) == (1, 1)


async def test_what_no_configured_source_sent_makes_no_series() -> None:
    await settle([(article("stranger"), Decision("duplicate", "near_duplicate", "s"))])
    assert counted("copy", "stranger") == 0


async def test_a_canary_is_no_article() -> None:
    name = "wirebell_articles_screened_total"
    before = metrics.REGISTRY.get_sample_value(name)
    await settle([(make_canary(NOW), OFF_TOPIC)])
    assert metrics.REGISTRY.get_sample_value(name) == before


async def test_screening_aside_leaves_the_event_loop_free() -> None:
    began, may_end = threading.Event(), threading.Event()

    def screen(articles: Sequence[Article], now: datetime) -> Sequence[Article]:
        began.set()
        assert may_end.wait(10), "the event loop was kept waiting"
        return articles

    async def assign(batch: Sequence[Any], now: datetime) -> Sequence[Decision]:
        return [OFF_TOPIC for _ in batch]

    async def send(kafka_topic: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
        assert not messages

    step = ScreenStep(
        screen, assign, send, lambda: NOW, kafka_topic="alerts", aside=lambda articles: True
    )
    settling = asyncio.create_task(step.settle([article("counted")]))
    await asyncio.to_thread(began.wait)
    may_end.set()
    await settling
