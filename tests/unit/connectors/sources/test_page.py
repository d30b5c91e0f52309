"""The page source: a round over addresses, what a page may claim, and dead addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import HttpUrl

from connectors.sources.page import PAGES_A_POLL, PageSource
from connectors.sources.settings import PageSettings
from connectors.web_client import Limits, WebClient
from tests.fakes.news_server import NewsServer

BODY = "<p>The fire in the port was put out by morning, the service said, nobody was hurt.</p>" * 4


@pytest.fixture
async def server() -> AsyncIterator[NewsServer]:
    async with NewsServer() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[WebClient]:
    async with WebClient(Limits(total_s=1.0)) as client:
        yield client


def _serve(server: NewsServer, number: int, head: str = "") -> None:
    page = f"<html><head><title>Report {number}</title>{head}</head><body><article>{BODY}</article>"
    server.serve(f"/{number}", page, "text/html; charset=utf-8")


def _source(server: NewsServer, client: WebClient, count: int) -> PageSource:
    urls = tuple(HttpUrl(server.url(f"/{n}")) for n in range(count))
    return PageSource(PageSettings(id="p", urls=urls, allow_private=True), client)


async def test_a_round_goes_on_over_polls_and_then_rests(
    server: NewsServer, client: WebClient
) -> None:
    for number in range(PAGES_A_POLL + 1):
        _serve(server, number)
    source = _source(server, client, PAGES_A_POLL + 1)
    first = await source.poll({})
    assert (len(first.articles), first.next_poll_s is None) == (PAGES_A_POLL, False)
    second = await source.poll(first.cursor)
    assert (len(second.articles), second.next_poll_s) == (1, None)
    assert (await source.poll(second.cursor)).state == "not_modified"


async def test_dead_addresses_do_not_hold_the_round_up(
    server: NewsServer, client: WebClient
) -> None:
    _serve(server, PAGES_A_POLL)
    source = _source(server, client, PAGES_A_POLL + 1)
    first = await source.poll({})
    assert first.state == "empty"
    assert "HTTP 404" in first.detail
    assert [a.title for a in (await source.poll(first.cursor)).articles] == [
        f"Report {PAGES_A_POLL}"
    ]


async def test_a_host_that_is_down_is_a_state(server: NewsServer, client: WebClient) -> None:
    server.fail("/0", "reset")
    poll = await _source(server, client, 1).poll({})
    assert poll.state == "unreachable"


async def test_a_page_does_not_speak_for_another_host(
    server: NewsServer, client: WebClient
) -> None:
    _serve(server, 0, "<link rel='canonical' href='https://other.example/stolen'>")
    poll = await _source(server, client, 1).poll({})
    assert [article.url for article in poll.articles] == [server.url("/0")]


async def test_a_page_without_an_article_is_rejected_once(
    server: NewsServer, client: WebClient
) -> None:
    server.serve("/0", "<html><body></body></html>", "text/html")
    source = _source(server, client, 1)
    first = await source.poll({})
    assert [r.reason for r in first.rejected] == ["no article is found in the page"]
    without_validators = {
        key: value if key == "next" else f"\n\n{value.splitlines()[-1]}"
        for key, value in first.cursor.items()
    }
    again = await source.poll(without_validators)
    assert (again.rejected, len(server.requests)) == ((), 2)
    assert not server.requests[-1].headers.get("If-None-Match")
