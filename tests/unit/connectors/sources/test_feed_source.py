"""The feed source against a real server: what it asks for, keeps and says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import HttpUrl

from connectors.sources.feed import PAGES_A_POLL, FeedSource
from connectors.sources.settings import FeedSettings
from connectors.web_client import Limits, WebClient
from tests.fakes.news_server import Fault, NewsServer

PAGE = "<html><body><article>{}</article></body></html>".format(
    "<p>The whole report, as its page has it, is longer than the summary of the feed.</p>" * 5
)


@pytest.fixture
async def server() -> AsyncIterator[NewsServer]:
    async with NewsServer() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[WebClient]:
    async with WebClient(Limits(total_s=1.0, connect_s=0.5, max_bytes=2_000_000)) as client:
        yield client


def _source(server: NewsServer, client: WebClient, *, fetch_pages: bool = False) -> FeedSource:
    url = HttpUrl(server.url("/feed"))
    settings = FeedSettings(id="f", url=url, fetch_pages=fetch_pages, allow_private=True)
    return FeedSource(settings, client)


def _serve(server: NewsServer, count: int, title: str = "Report") -> None:
    items = "".join(
        f"<item><title>{title} {n}</title><link>{server.url(f'/{n}')}</link></item>"
        for n in range(count)
    )
    server.serve("/feed", f"<rss><channel><title>F</title>{items}</channel></rss>")


async def test_an_unchanged_feed_is_not_sent_again(server: NewsServer, client: WebClient) -> None:
    _serve(server, 2)
    source = _source(server, client)
    first = await source.poll({})
    again = await source.poll(first.cursor)
    assert (first.state, again.state, again.http_status) == ("ok", "not_modified", 304)
    assert again.cursor == first.cursor


async def test_pages_are_read_a_few_at_a_time(server: NewsServer, client: WebClient) -> None:
    _serve(server, PAGES_A_POLL + 2)
    for number in range(PAGES_A_POLL + 2):
        server.serve(f"/{number}", PAGE, "text/html")
    source = _source(server, client, fetch_pages=True)
    first = await source.poll({})
    assert len(first.articles) == PAGES_A_POLL
    assert first.next_poll_s is not None
    assert "etag" not in first.cursor
    second = await source.poll(first.cursor)
    assert (len(second.articles), second.next_poll_s) == (2, None)
    assert all("The whole report" in a.text for a in (*first.articles, *second.articles))
    assert (await source.poll(second.cursor)).state == "not_modified"


async def test_a_page_that_cannot_be_had_costs_only_its_text(
    server: NewsServer, client: WebClient
) -> None:
    _serve(server, 3)
    server.serve("/0", PAGE, "text/html")
    server.fail("/1", "reset")
    poll = await _source(server, client, fetch_pages=True).poll({})
    assert [article.title for article in poll.articles] == ["Report 0", "Report 1", "Report 2"]
    assert [bool(article.text) for article in poll.articles] == [True, False, False]


async def test_two_reports_under_one_guid_are_two(server: NewsServer, client: WebClient) -> None:
    server.serve(
        "/feed",
        "<rss><channel><item><guid>same</guid><link>https://n.example/1</link><title>A</title>"
        "</item><item><guid>same</guid><link>https://n.example/2</link><title>B</title></item>"
        "<item><guid>same</guid><link>https://n.example/1</link><title>A</title></item>"
        "<item><guid>same</guid><link>https://n.example/1</link><title>C</title></item>"
        "</channel></rss>",
    )
    poll = await _source(server, client).poll({})
    assert [article.title for article in poll.articles] == ["A", "B"]
    assert len({article.id for article in poll.articles}) == 2
    assert [(r.reason, r.origin) for r in poll.rejected] == [
        ("its id is that of an item above", "item 4")
    ]


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("drip", "unreachable"),
        ("mute", "unreachable"),
        ("reset", "unreachable"),
        ("cut", "unreachable"),
        ("bomb", "refused"),
        ("flood", "refused"),
        ("garbage", "unreachable"),
    ],
)
async def test_every_fault_has_its_state(
    server: NewsServer, client: WebClient, fault: Fault, state: str
) -> None:
    server.fail("/feed", fault)
    poll = await _source(server, client).poll({"etag": "kept"})
    assert poll.state == state
    assert poll.cursor == {"etag": "kept"}
    assert poll.detail.startswith("127.0.0.1: ")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (404, "refused"),
        (410, "refused"),
        (403, "refused"),
        (429, "unreachable"),
        (503, "unreachable"),
    ],
)
async def test_every_status_has_its_state(
    server: NewsServer, client: WebClient, status: int, state: str
) -> None:
    resource = server.serve("/feed", "")
    resource.status, resource.headers = status, {"Retry-After": "40"}
    poll = await _source(server, client).poll({})
    assert (poll.state, poll.http_status, poll.retry_after_s) == (state, status, 40.0)


async def test_a_page_instead_of_a_feed_is_malformed(server: NewsServer, client: WebClient) -> None:
    server.serve("/feed", PAGE, "text/html")
    poll = await _source(server, client).poll({})
    assert poll.state == "malformed"
    assert poll.detail


async def test_a_private_feed_needs_the_opt_out(server: NewsServer, client: WebClient) -> None:
    _serve(server, 1)
    settings = FeedSettings(id="f", url=HttpUrl(server.url("/feed")))
    poll = await FeedSource(settings, client).poll({})
    assert (poll.state, server.requests) == ("refused", [])


async def test_items_do_not_lead_to_private_addresses(
    server: NewsServer, client: WebClient
) -> None:
    """The feed may be private; the pages its items name on other hosts may not."""
    server.serve(
        "/feed",
        f"<rss><channel><item><title>T</title><link>{server.url('/secret', 'localhost')}</link>"
        "</item></channel></rss>",
    )
    server.serve("/secret", PAGE, "text/html")
    poll = await _source(server, client, fetch_pages=True).poll({})
    assert [article.text for article in poll.articles] == [""]
    assert [request.path for request in server.requests] == ["/feed"]
