"""What the poller promises to a source, to Kafka and to hosts, on sources in memory."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from connectors.poller import Poller, Scheduled
from connectors.sources.source import Cursor, Poll, Rejected
from connectors.turns import Politeness
from tests.fakes.polling import (
    CountingSource,
    Ear,
    MemoryCursors,
    MemoryPublisher,
    make_article,
)
from tests.lanes import until

BRISK = Politeness(host_gap_s=0.0)


@dataclass
class Line:
    publisher: MemoryPublisher
    cursors: MemoryCursors
    ear: Ear
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def end(self) -> None:
        self.stop.set()
        await self.task


@asynccontextmanager
async def polling(
    sources: Sequence[CountingSource],
    *,
    interval_s: float = 0.01,
    politeness: Politeness = BRISK,
    publisher: MemoryPublisher | None = None,
    cursors: MemoryCursors | None = None,
) -> AsyncIterator[Line]:
    publisher, cursors = publisher or MemoryPublisher(), cursors or MemoryCursors()
    ear, stop = Ear(), asyncio.Event()
    poller = Poller(
        [Scheduled(source, interval_s) for source in sources],
        cursors,
        publisher,
        ear.report,
        ear.reject,
        on_trouble=ear.troubles.append,
        politeness=politeness,
    )
    line = Line(publisher, cursors, ear, stop, asyncio.create_task(poller.run(stop)))
    try:
        yield line
    finally:
        await line.end()


async def test_every_article_is_published_and_the_cursor_follows() -> None:
    source = CountingSource("wire", total=20)
    async with polling([source]) as line:
        await until(lambda: any(report.poll.state == "done" for report in line.ear.reports))
    assert line.publisher.published == [f"wire-{n}" for n in range(1, 21)]
    assert line.cursors.kept == {"wire": {"n": "20"}}
    assert [poll.cursor["n"] for poll in source.confirmed_polls[:20]] == [
        str(n) for n in range(1, 21)
    ]
    assert line.ear.reports[-1].next_poll_s is None


async def test_cursor_is_not_kept_and_nobody_is_told_while_kafka_is_away() -> None:
    source = CountingSource("wire", total=3)
    other = CountingSource("other", host="news.example")
    publisher = MemoryPublisher()
    publisher.away = True
    async with polling([source, other], publisher=publisher) as line:
        await until(lambda: publisher.tries >= 4)
        assert line.cursors.kept == {}
        assert source.confirmed_polls == []
        assert len(other.asked_at) == 1, "nothing new is asked for while nothing can be kept"
        assert len(line.ear.troubles) == 1
        publisher.away = False
        await until(lambda: len(line.cursors.kept) == 2)
        await until(lambda: "wire-3" in publisher.published)
    assert [name for name in publisher.published if name.startswith("wire")] == [
        "wire-1",
        "wire-2",
        "wire-3",
    ]


async def test_a_poll_cut_off_before_kafka_confirmed_is_repeated_with_the_old_cursor() -> None:
    publisher, cursors = MemoryPublisher(), MemoryCursors()
    publisher.away = True
    async with polling([CountingSource("wire")], publisher=publisher, cursors=cursors):
        await until(lambda: publisher.tries >= 1)
    assert cursors.kept == {}
    publisher.away = False
    again = CountingSource("wire", total=1)
    async with polling([again], publisher=publisher, cursors=cursors):
        await until(lambda: bool(publisher.published))
    assert again.cursors[0] == {}
    assert publisher.published == ["wire-1"]


async def test_while_the_cursor_store_is_away_it_waits_and_the_source_is_told_after() -> None:
    source, cursors = CountingSource("wire", total=1), MemoryCursors()
    cursors.away = True
    async with polling([source], cursors=cursors) as line:
        await until(lambda: bool(line.ear.troubles))
        assert source.asked_at == [], "a source is not asked from the beginning by guess"
        cursors.away = False
        await until(lambda: bool(line.publisher.published))
        await until(lambda: source.confirmed_polls != [])
    assert cursors.kept == {"wire": {"n": "1"}}


async def test_a_slow_source_delays_nobody_else() -> None:
    slow = CountingSource("slow", host="slow.example")
    slow.gate = asyncio.Event()
    quick = CountingSource("quick", host="quick.example", total=50)
    async with polling([slow, quick]) as line:
        await until(lambda: "quick-50" in line.publisher.published)
        assert slow.asking == 1
        slow.gate.set()


async def test_a_source_that_raises_is_shown_backs_off_and_harms_nobody() -> None:
    broken = CountingSource("broken")
    broken.say = lambda cursor: KeyError("surprise")
    sound = CountingSource("sound", total=20)
    async with polling([broken, sound], interval_s=0.02) as line:
        await until(lambda: "sound-20" in line.publisher.published)
        await until(lambda: len(line.ear.of("broken")) >= 3)
    reports = line.ear.of("broken")
    assert all(report.fault and report.poll.state == "unreachable" for report in reports)
    assert "KeyError" in reports[0].poll.detail
    assert [report.failures for report in reports[:3]] == [1, 2, 3]
    waits = [report.next_poll_s or 0.0 for report in reports[:3]]
    assert waits[0] < waits[1] < waits[2]


async def test_a_source_that_recovers_is_asked_at_its_usual_pace_again() -> None:
    source = CountingSource("wire", host="news.example")
    answers = iter([Poll("unreachable"), Poll("refused"), Poll("not_modified"), Poll("empty")])
    source.say = lambda cursor: next(answers, Poll("not_modified"))
    async with polling([source]) as line:
        await until(lambda: len(line.ear.reports) >= 4)
    assert [report.failures for report in line.ear.reports[:4]] == [1, 2, 0, 0]


async def test_retry_after_is_honoured() -> None:
    source = CountingSource("wire", host="news.example")
    source.say = lambda cursor: Poll("refused", http_status=429, retry_after_s=500)
    sibling = CountingSource("sibling", host="news.example")
    quick = CountingSource("quick", host="quick.example", total=50)
    async with polling([source, sibling, quick]) as line:
        await until(lambda: "quick-50" in line.publisher.published)
        assert (line.ear.of("wire")[0].next_poll_s or 0) > 490
        assert sibling.asked_at == [], "the whole host is left alone"
        assert len(source.asked_at) == 1


async def test_rejected_items_are_handed_over_before_the_cursor_is_kept() -> None:
    source = CountingSource("wire")
    item = Rejected("no title", "item 3", b"<item/>")
    source.say = lambda cursor: Poll("empty", rejected=(item,), cursor={"n": "1"})
    async with polling([source], interval_s=60) as line:
        line.ear.away = True
        await until(lambda: bool(line.ear.troubles))
        assert line.cursors.kept == {}
        line.ear.away = False
        await until(lambda: line.cursors.kept == {"wire": {"n": "1"}})
    assert line.ear.rejected == [("wire", item)]
    assert line.ear.reports[0].rejected == 1


@pytest.mark.parametrize("text", ["x" * 1_000_000, "broken \ud800 text"])
async def test_an_article_that_has_no_json_form_is_rejected_and_the_others_published(
    text: str,
) -> None:
    source = CountingSource("wire")
    articles = (make_article("good"), make_article("bad", text=text), make_article("fine"))
    source.say = lambda cursor: Poll("ok", articles, cursor={"n": "1"})
    async with polling([source], interval_s=60) as line:
        await until(lambda: bool(line.cursors.kept))
    assert line.publisher.published == ["good", "fine"]
    assert [item.origin for _, item in line.ear.rejected] == ["bad"]
    assert line.ear.reports[0].published == 2


async def test_an_article_that_kafka_refuses_for_good_is_rejected_and_does_not_block() -> None:
    source = CountingSource("wire", total=3)
    publisher = MemoryPublisher()
    publisher.refuses = {"wire-2"}
    async with polling([source], publisher=publisher) as line:
        await until(lambda: line.cursors.kept.get("wire") == {"n": "3"})
    assert publisher.published == ["wire-1", "wire-3"]
    assert [item.reason for _, item in line.ear.rejected] == ["too large for this cluster"]


async def test_a_poll_of_thousands_is_published_in_batches() -> None:
    source = CountingSource("wire")
    articles = tuple(make_article(f"a{n}") for n in range(1_234))
    source.say = lambda cursor: Poll("ok", articles, cursor={"n": "1"})
    async with polling([source], interval_s=60) as line:
        await until(lambda: bool(line.cursors.kept))
    assert len(line.publisher.published) == 1_234
    assert line.publisher.tries == 3


async def test_large_articles_are_published_a_few_at_a_time() -> None:
    source = CountingSource("wire")
    articles = tuple(make_article(f"a{n}", text="x" * 800_000) for n in range(12))
    source.say = lambda cursor: Poll("ok", articles, cursor={"n": "1"})
    async with polling([source], interval_s=60) as line:
        await until(lambda: bool(line.cursors.kept))
    assert line.publisher.published == [f"a{n}" for n in range(12)]
    assert line.publisher.tries == 3


async def test_an_unchanged_cursor_is_not_written_again() -> None:
    source = CountingSource("wire")
    source.say = lambda cursor: Poll("not_modified", cursor=cursor, next_poll_s=0.0)
    async with polling([source]) as line:
        await until(lambda: len(line.ear.reports) > 20)
    assert next(line.cursors.saves) == 0


async def test_one_host_is_asked_by_one_at_a_time_with_a_gap() -> None:
    sources = [CountingSource(f"s{n}", host="news.example") for n in range(4)]
    politeness = Politeness(host_gap_s=0.05)
    async with polling(sources, interval_s=60, politeness=politeness):
        for source in sources:
            source.say = lambda cursor: Poll("not_modified", cursor=cursor)
        await until(lambda: all(source.asked_at for source in sources))
    moments = sorted(source.asked_at[0] for source in sources)
    gaps = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert all(gap >= 0.05 for gap in gaps)


async def test_a_source_that_hangs_is_given_up_and_asked_again() -> None:
    source = CountingSource("stuck", host="news.example")
    source.gate = asyncio.Event()
    politeness = Politeness(host_gap_s=0, poll_timeout_s=0.05)
    async with polling([source], politeness=politeness) as line:
        await until(lambda: len(line.ear.reports) >= 2)
    assert line.ear.reports[0].poll.state == "unreachable"
    assert "no answer" in line.ear.reports[0].poll.detail


async def test_stop_is_clean_within_two_seconds_whatever_is_under_way() -> None:
    hanging = CountingSource("hanging", host="slow.example")
    hanging.gate = asyncio.Event()
    waiting = CountingSource("waiting", host="news.example")
    publisher = MemoryPublisher()
    publisher.away = True
    before = asyncio.all_tasks()
    async with polling([hanging, waiting], publisher=publisher) as line:
        await until(lambda: bool(line.ear.troubles) and hanging.asking == 1)
        async with asyncio.timeout(2):
            await line.end()
    assert asyncio.all_tasks() == before
    assert hanging.asking == 0
    assert line.cursors.kept == {}


async def test_what_kafka_is_confirming_at_the_stop_is_finished() -> None:
    class SlowPublisher(MemoryPublisher):
        async def publish_encoded(self, articles: Sequence[tuple[str, bytes]]) -> None:
            started.set()
            await asyncio.sleep(0.2)
            await super().publish_encoded(articles)

    started = asyncio.Event()
    publisher = SlowPublisher()
    async with polling([CountingSource("wire")], publisher=publisher) as line:
        await started.wait()
    assert line.cursors.kept["wire"] == {"n": str(len(publisher.published))}


async def test_a_thousand_idle_feeds_hold_no_task_and_do_not_wake_the_loop() -> None:
    class QuietSource(CountingSource):
        async def poll(self, cursor: Cursor) -> Poll:
            self.asked_at.append(0.0)
            return Poll("not_modified", cursor=cursor)

    sources = [QuietSource(f"s{n}", host=f"h{n}.example") for n in range(1_000)]
    before = len(asyncio.all_tasks())
    async with polling(sources, interval_s=3_600) as line:
        await until(lambda: len(line.ear.reports) == 1_000)
        await until(lambda: len(asyncio.all_tasks()) <= before + 2)
        assert all(len(source.asked_at) == 1 for source in sources)
