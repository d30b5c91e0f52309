"""The web client against a real server with real faults."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import psutil
import pytest

from connectors.addresses import is_public
from connectors.web_client import Limits, WebClient
from connectors.web_errors import (
    AddressError,
    ConnectError,
    RedirectError,
    RobotsError,
    StatusError,
    TimedOutError,
    TooLargeError,
    TransferError,
    UrlError,
    WebError,
    retry_after_s,
)
from tests.fakes.news_server import Fault, NewsServer

LIMITS = Limits(total_s=1.0, connect_s=0.5, max_bytes=2_000_000)


@pytest.fixture
async def server() -> AsyncIterator[NewsServer]:
    async with NewsServer() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[WebClient]:
    async with WebClient(LIMITS) as client:
        yield client


async def test_a_document_comes_with_its_validators(server: NewsServer, client: WebClient) -> None:
    server.serve("/feed", "<rss/>", "application/rss+xml; charset=koi8-r")
    answer = await client.get(server.url("/feed"), allow_private=True)
    assert (answer.status, answer.body, answer.charset) == (200, b"<rss/>", "koi8-r")
    assert answer.content_type == "application/rss+xml"
    assert answer.etag
    assert answer.last_modified


async def test_an_unchanged_document_is_a_304_without_body(
    server: NewsServer, client: WebClient
) -> None:
    server.serve("/feed", "<rss/>")
    url = server.url("/feed")
    first = await client.get(url, allow_private=True)
    again = await client.get(
        url, etag=first.etag, last_modified=first.last_modified, allow_private=True
    )
    assert (again.status, again.body) == (304, b"")
    assert server.requests[-1].headers["If-Modified-Since"] == first.last_modified


async def test_the_user_agent_names_wirebell(server: NewsServer, client: WebClient) -> None:
    server.serve("/feed", "<rss/>")
    await client.get(server.url("/feed"), allow_private=True)
    assert server.requests[-1].headers["User-Agent"].startswith("Wirebell/")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("drip", TimedOutError),
        ("stall", TimedOutError),
        ("mute", TimedOutError),
        ("reset", ConnectError),
        ("cut", TransferError),
        ("bomb", TooLargeError),
        ("flood", TooLargeError),
        ("garbage", TransferError),
    ],
)
async def test_each_fault_has_its_name(
    server: NewsServer, client: WebClient, fault: Fault, kind: type[WebError]
) -> None:
    server.serve("/feed", "<rss>" + "x" * 100)
    server.fail("/feed", fault)
    with pytest.raises(kind) as raised:
        await client.get(server.url("/feed"), allow_private=True)
    assert "\n" not in str(raised.value)


async def test_a_gzip_bomb_does_not_grow_the_process(server: NewsServer, client: WebClient) -> None:
    server.fail("/feed", "bomb")
    before = psutil.Process().memory_info().rss
    with pytest.raises(TooLargeError):
        await client.get(server.url("/feed"), allow_private=True)
    assert psutil.Process().memory_info().rss - before < 64_000_000


async def test_a_compressed_document_is_unpacked(server: NewsServer, client: WebClient) -> None:
    server.serve("/feed", b"<rss/>" * 1_000).compressed = True
    answer = await client.get(server.url("/feed"), allow_private=True)
    assert answer.body == b"<rss/>" * 1_000


async def test_a_status_carries_how_long_to_wait(server: NewsServer, client: WebClient) -> None:
    resource = server.serve("/feed", "")
    resource.status, resource.headers = 429, {"Retry-After": "17"}
    with pytest.raises(StatusError) as raised:
        await client.get(server.url("/feed"), allow_private=True)
    assert (raised.value.status, raised.value.retry_after_s) == (429, 17.0)
    assert raised.value.may_pass


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after_s({"Retry-After": "30"}, now) == 30
    assert retry_after_s({"Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT"}, now) == 60
    assert retry_after_s({"Retry-After": "Thu, 01 Jan 2015 00:01:00 GMT"}, now) == 0
    assert retry_after_s({"Retry-After": "1e99"}, now) == 86_400
    assert retry_after_s({"Retry-After": "soon"}, now) is None
    assert retry_after_s({"Retry-After": "nan"}, now) is None
    assert retry_after_s({}, now) is None


async def test_redirects_are_followed_and_counted(server: NewsServer, client: WebClient) -> None:
    server.serve("/end", "here")
    server.redirect("/a", "/b", 301)
    server.redirect("/b", server.url("/end"), 307)
    answer = await client.get(server.url("/a"), allow_private=True)
    assert (answer.body, answer.url) == (b"here", server.url("/end"))
    server.redirect("/loop", "/loop")
    with pytest.raises(RedirectError):
        await client.get(server.url("/loop"), allow_private=True)


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://x/", "javascript:1", "http://[", "//"]
)
async def test_a_redirect_to_no_web_address_is_refused(
    server: NewsServer, client: WebClient, target: str
) -> None:
    server.redirect("/a", target)
    with pytest.raises((RedirectError, UrlError)):
        await client.get(server.url("/a"), allow_private=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "2130706433", "127.1"])
async def test_private_addresses_are_refused(
    server: NewsServer, client: WebClient, host: str
) -> None:
    server.serve("/feed", "secret")
    with pytest.raises((AddressError, ConnectError, UrlError)):
        await client.get(server.url("/feed", host))
    assert not server.requests


async def test_a_redirect_to_another_private_host_is_refused_in_spite_of_the_opt_out(
    server: NewsServer, client: WebClient
) -> None:
    server.serve("/secret", "secret")
    server.redirect("/feed", server.url("/secret", "localhost"))
    with pytest.raises(AddressError):
        await client.get(server.url("/feed"), allow_private=True)
    assert [request.path for request in server.requests] == ["/feed"]


async def test_a_name_that_changes_its_address_after_the_look_up_is_refused(
    server: NewsServer, client: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up answers with our loopback for a public-looking name: DNS rebinding."""

    async def resolve(
        self: object, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[dict[str, object]]:
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
        ]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    monkeypatch.setattr(aiohttp.DefaultResolver, "resolve", resolve)
    server.serve("/feed", "secret")
    with pytest.raises(AddressError):
        await client.get(server.url("/feed", "news.example.org"))
    assert not server.requests


async def test_robots_txt_is_asked_once_and_kept(server: NewsServer, client: WebClient) -> None:
    server.robots = (
        "User-agent: *\nDisallow: /private\nCrawl-delay: 7\n\nUser-agent: other\nDisallow: /"
    )
    server.serve("/feed", "<rss/>")
    server.serve("/private/feed", "<rss/>")
    await asyncio.gather(*(client.get(server.url("/feed"), allow_private=True) for _ in range(5)))
    with pytest.raises(RobotsError):
        await client.get(server.url("/private/feed"), allow_private=True)
    assert server.robots_requests == 1
    assert client.crawl_delay_s(server.url("/feed")) == 7


async def test_a_redirect_into_what_robots_txt_forbids_is_not_followed(
    server: NewsServer, client: WebClient
) -> None:
    server.robots = "User-agent: Wirebell\nDisallow: /private"
    server.serve("/private/feed", "<rss/>")
    server.redirect("/feed", "/private/feed")
    with pytest.raises(RobotsError):
        await client.get(server.url("/feed"), allow_private=True)


async def test_a_robots_txt_that_fails_forbids_for_now(
    server: NewsServer, client: WebClient
) -> None:
    server.serve("/feed", "<rss/>")
    server.robots_status = 503
    with pytest.raises(StatusError) as raised:
        await client.get(server.url("/feed"), allow_private=True)
    assert raised.value.may_pass
    server.robots_status = 403
    assert (await client.get(server.url("/feed"), allow_private=True)).body == b"<rss/>"


async def test_no_password_gets_into_a_message(server: NewsServer, client: WebClient) -> None:
    server.fail("/feed", "reset")
    url = server.url("/feed?key=hunter3").replace("http://", "http://editor:hunter2@")
    with pytest.raises(WebError) as raised:
        await client.get(url, allow_private=True)
    assert "hunter" not in str(raised.value)
    with pytest.raises(UrlError) as broken:
        await client.get("http://editor:hunter2@[/")
    assert "hunter" not in str(broken.value)


async def test_a_password_is_not_sent_to_where_a_redirect_leads(
    server: NewsServer, client: WebClient
) -> None:
    server.serve("/feed", "<rss/>")
    server.serve("/elsewhere", "<rss/>")
    url = server.url("/feed").replace("http://", "http://editor:hunter2@")
    await client.get(url, allow_private=True)
    assert "Authorization" in server.requests[-1].headers
    server.redirect("/feed", server.url("/elsewhere", "localhost"))
    with pytest.raises(AddressError):
        await client.get(url, allow_private=True)


def test_every_error_of_aiohttp_has_one_of_our_names() -> None:
    """Fails when aiohttp adds an error that is none of its base classes'."""
    names = [getattr(aiohttp.client_exceptions, n) for n in aiohttp.client_exceptions.__all__]
    for kind in names:
        assert issubclass(kind, (aiohttp.ClientError, OSError, ValueError)) or kind in (
            aiohttp.WSMessageTypeError,  # only of websockets
        ), kind


def test_private_addresses_of_every_kind_are_known() -> None:
    private = (
        "127.0.0.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 "
        "224.0.0.1 240.0.0.1 255.255.255.255 192.0.2.1 198.18.0.1 ::1 :: fe80::1 fe80::1%eth0 "
        "fc00::1 fd12::1 fec0::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 "
        "64:ff9b::a00:1 64:ff9b:1::1 2002:7f00:1::1 2002:a00:1::1 2001:0:7f00:1::1 "
        "2001:db8::1 ::127.0.0.1 ::ffff:0:7f00:1 not-an-address"
    )
    for address in private.split():
        assert not is_public(address), address
    for address in "93.184.216.34 8.8.8.8 2606:4700::1111 ::ffff:8.8.8.8".split():
        assert is_public(address), address
