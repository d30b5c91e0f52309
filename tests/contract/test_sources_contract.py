"""The laws of `connectors.sources.source.Source`, held by every kind of source."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path

import pytest

from connectors.records import Article, decode_article, encode
from connectors.sources.source import Cursor, Poll, Rejected
from connectors.web_client import WebClient
from tests.contract.benches import BENCHES, LIMITS, Bench, IngestBench, PageBench, Report
from tests.fakes.news_server import NewsServer

DEADLINE_S = 20.0
FIRST = [Report(0, "Fire in Norvale"), Report(1, "A bridge closes"), Report(2, "Mayor resigns")]
LATER = Report(3, "A second fire in Norvale")


def _name(kind: type[Bench]) -> str:
    return kind.__name__.removesuffix("Bench")


@asynccontextmanager
async def _set_up(kind: type[Bench], folder: Path) -> AsyncIterator[Bench]:
    async with NewsServer() as server, WebClient(LIMITS) as client:
        bench = kind(folder, server, client)
        yield bench
        await bench.close()


@pytest.fixture(params=BENCHES, ids=_name)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """Every kind of source."""
    async with _set_up(request.param, tmp_path) as bench:
        yield bench


@pytest.fixture(params=[kind for kind in BENCHES if kind.rereads], ids=_name)
async def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """The kinds that can be asked again; of the others the sender decides what is sent."""
    async with _set_up(request.param, tmp_path) as bench:
        yield bench


async def test_what_is_offered_comes_as_whole_articles(bench: Bench) -> None:
    await bench.offer(FIRST)
    articles, _ = await _drain(bench, {}, 3)
    assert {article.title for article in articles} == {report.title for report in FIRST}
    for article in articles:
        assert article.source_id == bench.source.id == "bench"
        assert article.publisher
        assert "burned through the night" in article.text
        assert article.published_at is not None
        assert article.published_at.tzinfo == article.fetched_at.tzinfo == UTC
        assert decode_article(encode(article)) == article
    assert len({article.id for article in articles}) == 3


async def test_a_poll_repeated_before_confirmation_gives_the_same_articles(bench: Bench) -> None:
    await bench.offer(FIRST[:1])
    first = await _next_poll(bench, {})
    again = await _next_poll(bench, {})
    assert [a.id for a in again.articles] == [a.id for a in first.articles]
    assert [a.text for a in again.articles] == [a.text for a in first.articles]


async def test_what_was_confirmed_does_not_come_again(bench: Bench) -> None:
    await bench.offer(FIRST)
    _, cursor = await _drain(bench, {}, 3)
    for _ in range(3):
        poll = await bench.source.poll(cursor)
        assert not poll.articles, poll
        await bench.source.confirmed(poll)
        cursor = poll.cursor


async def test_only_what_is_new_comes_next(bench: Bench) -> None:
    await bench.offer(FIRST)
    _, cursor = await _drain(bench, {}, 3)
    await bench.offer([*FIRST, LATER])
    articles, _ = await _drain(bench, cursor, 1)
    assert [article.title for article in articles] == [LATER.title]


async def test_a_changed_report_comes_again_under_its_id(lasting: Bench) -> None:
    await lasting.offer(FIRST)
    before, cursor = await _drain(lasting, {}, 3)
    await lasting.offer([Report(0, "Correction: Fire in Norvale"), *FIRST[1:]])
    after, _ = await _drain(lasting, cursor, 1)
    assert [a.id for a in after] == [a.id for a in before if a.title == FIRST[0].title]
    assert [a.status for a in after] == ["correction"]


async def test_a_new_source_object_goes_on_from_the_cursor(lasting: Bench) -> None:
    await lasting.offer(FIRST)
    _, cursor = await _drain(lasting, {}, 3)
    await lasting.source.close()
    lasting.source = lasting.make()
    await lasting.offer([*FIRST, LATER])
    articles, _ = await _drain(lasting, json.loads(json.dumps(dict(cursor))), 1)
    assert [article.title for article in articles] == [LATER.title]


async def test_a_cursor_is_a_flat_mapping_of_strings(bench: Bench) -> None:
    await bench.offer(FIRST)
    _, cursor = await _drain(bench, {}, 3)
    assert all(isinstance(key, str) and isinstance(text, str) for key, text in cursor.items())


async def test_nonsense_is_rejected_with_a_reason_and_only_once(bench: Bench) -> None:
    await bench.offer_nonsense()
    rejected: list[Rejected] = []
    cursor: Cursor = {}
    for _ in range(4):
        poll = await bench.source.poll(cursor)
        assert not poll.articles
        rejected += poll.rejected
        await bench.source.confirmed(poll)
        cursor = poll.cursor
    if isinstance(bench, IngestBench):
        assert not rejected  # its sender was told 422 and still has it
        return
    assert rejected
    assert len({(r.reason, r.origin) for r in rejected}) == len(rejected)
    assert all(r.reason and "\n" not in r.reason and len(r.raw) < 500_000 for r in rejected)


async def test_a_failing_world_is_a_state_and_not_an_exception(bench: Bench) -> None:
    await bench.offer(FIRST)
    _, cursor = await _drain(bench, {}, 3)
    await bench.break_down()
    for _ in range(2):
        poll = await bench.source.poll(cursor)
        assert poll.state in ("unreachable", "refused", "empty", "done"), poll
        assert not poll.articles
        assert "\n" not in poll.detail
        assert dict(poll.cursor).items() >= {k: v for k, v in cursor.items() if k != "next"}.items()


async def test_a_poll_can_be_cancelled_and_asked_again(bench: Bench) -> None:
    task = asyncio.create_task(bench.source.poll({}))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=DEADLINE_S)
    assert task.cancelled() or task.exception() is None
    await bench.offer(FIRST)
    articles, _ = await _drain(bench, {}, 3)
    assert len(articles) == 3


async def test_closing_twice_is_harmless(bench: Bench) -> None:
    await bench.offer(FIRST[:1])
    await bench.source.poll({})
    await bench.source.close()
    await bench.source.close()


async def test_its_id_and_host_are_known_before_the_first_poll(bench: Bench) -> None:
    assert bench.source.id == "bench"
    asks_the_web = isinstance(bench, PageBench) or hasattr(bench, "path")
    assert bench.source.host == ("127.0.0.1" if asks_the_web else "")


async def _next_poll(bench: Bench, cursor: Cursor) -> Poll:
    """The next poll that has articles, confirming nothing."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        poll = await bench.source.poll(cursor)
        if poll.articles:
            return poll
        cursor = poll.cursor
    raise AssertionError("no articles in time")


async def _drain(bench: Bench, cursor: Cursor, count: int) -> tuple[list[Article], Cursor]:
    """Poll as the poller does, every poll confirmed, until there are `count` articles and
    the source wants no further poll of this round.
    """
    articles: list[Article] = []
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        poll = await bench.source.poll(cursor)
        articles += poll.articles
        cursor = poll.cursor
        await bench.source.confirmed(poll)
        if len(articles) >= count and not poll.next_poll_s:
            return articles, cursor
    raise AssertionError(f"{len(articles)} of {count} articles in time")
