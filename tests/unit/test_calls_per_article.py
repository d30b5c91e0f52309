"""What an article costs, counted in calls: the same on every machine, however busy it is.

A guard against a loop that came back, not a measurement: benchmarks/bench_line.py measures. The
figures were counted on Python 3.11 (3.12 and 3.13 call less: comprehensions are no calls there).
Who makes screening or the worker dearer for a good reason writes the new figure here.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka.structs import ConsumerRecord

from benchmarks.line_articles import Wire
from classifiers.model import TopicModel
from connectors.records import encode
from streams.in_hand import open_in_hand
from streams.screening import screen
from streams.settling import Settler
from streams.steps import ScreenStep
from streams.stories import OFF_TOPIC, Decision
from streams.watchdog import Progress
from streams.worker import Worker, utc_now
from tests.unit.streams.test_slices import ONE, Taking

BATCH = 256
# Counted; a limit is this much wider, for other libraries and small changes.
SCREENING_CALLS, WORKER_CALLS, MARGIN = 269, 22, 1.08
# Fewer than this share of it is no improvement: nothing was counted, or no article was read.
LEAST = 0.5
# An article with a topic that comes alone: most of it is the same for a batch of any size.
ALONE_CALLS = 1_575


async def _calls(work: Callable[[], Awaitable[object]]) -> int:
    """How many functions, of Python and of C, are called on the way."""
    count = 0

    def count_calls(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_calls)
    try:
        await work()
    finally:
        sys.setprofile(None)
    return count


async def test_screening_an_article_takes_so_many_calls() -> None:
    model, batch = TopicModel.load(slow=False), list(Wire(5).articles(BATCH))

    async def work() -> None:
        screen(batch, model, datetime(2026, 1, 1, tzinfo=UTC))

    await work()  # loads what is loaded once, and remembers the words: news repeats them
    # A memory that other tests have filled begins anew in one of them, not in the next.
    calls = min([await _calls(work) for _ in range(3)]) / BATCH
    assert LEAST * SCREENING_CALLS <= calls <= MARGIN * SCREENING_CALLS


async def test_an_article_with_a_topic_that_comes_alone_takes_so_many_calls() -> None:
    model, wire = TopicModel.load(slow=False), list(Wire(5).articles(BATCH))
    alone = [article for article in wire if "drone" in article.title][:8]

    async def work() -> None:
        for article in alone:
            (screened,) = screen([article], model, datetime(2026, 1, 1, tzinfo=UTC))
            assert screened.chosen

    await work()
    calls = min([await _calls(work) for _ in range(3)]) / len(alone)
    assert LEAST * ALONE_CALLS <= calls <= MARGIN * ALONE_CALLS


async def test_bringing_an_article_through_the_worker_takes_so_many_calls(tmp_path: Path) -> None:
    line = _WorkerPath(tmp_path)
    await line.bring()
    assert LEAST * WORKER_CALLS <= await _calls(line.bring) / BATCH <= MARGIN * WORKER_CALLS


class _WorkerPath:
    """From what a fetch brought to what may be committed; articles are about nothing."""

    def __init__(self, folder: Path) -> None:
        self._raws = [encode(article) for article in Wire(5).articles(BATCH)]
        self._taking = Taking()
        self._offset = 0
        step = ScreenStep(
            lambda articles, now: articles, _decide, _send, utc_now, kafka_topic="alerts"
        )
        self._settler = Settler(step, _bury, utc_now, called_off=lambda: False)
        self._worker = Worker(self._taking.app, _bury, Progress())
        self._in_hand = open_in_hand(folder, "screen")

    async def bring(self) -> None:
        """One batch."""
        records = [
            ConsumerRecord(
                "articles", 0, self._offset + n, 0, 0, b"key", raw, None, 3, len(raw),
                (("schema", b"1"),),
            )
            for n, raw in enumerate(self._raws)
        ]  # fmt: skip
        self._offset += BATCH
        consumer: Any = self._taking.consumer
        await consumer._pass_on(ONE, 1, records)
        batch = await self._taking.take()
        await self._worker._settle(batch, self._taking.intake, self._settler, self._in_hand)
        assert self._taking.committable() == self._offset
        consumer._acked[ONE].clear()
        assert len(batch) == BATCH


async def _decide(articles: Sequence[Any], _now: datetime) -> list[Decision]:
    return [OFF_TOPIC] * len(articles)


async def _send(_kafka_topic: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
    assert not messages


async def _bury(letters: Sequence[Any]) -> None:
    raise AssertionError(letters)
