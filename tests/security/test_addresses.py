"""Forty ways to write an address of ours, given to everything that follows addresses from
outside: no connection is made, by whatever way it comes.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from pydantic import SecretStr, ValidationError

from connectors.addresses import is_public
from connectors.sinks.factory import make_sink
from connectors.sinks.settings import WebhookSettings
from connectors.sinks.sink import Delivery
from connectors.web_client import Limits, WebClient
from connectors.web_errors import AddressError, WebError
from tests.fakes.alerts import make_alert
from tests.fakes.news_server import NewsServer
from tests.fakes.webhook_receiver import SECRET, WebhookReceiver

SPELLINGS = (
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1"),
    *("017700000001", "0x7f.1", "127.000.000.001", "127.255.255.254", "127.0.0.1.", "%3127.0.0.1"),
    *("0.0.0.0", "0", "0x0", "localhost", "LOCALHOST", "localhost.", "lOcAlHoSt.", "[::1]"),
    *("[::]", "[0:0:0:0:0:0:0:1]", "[0000::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *("[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
    *("①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "ⓛocalhost", "[fe80::1]", "[fc00::1]"),
    *("10.0.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "user@127.0.0.1"),
    *("news.example.org@127.0.0.1", "127.0.0.1#@news.example.org", "[::1%25lo]"),
)
# Where clouds tell a machine its secrets, and what no host of the internet has: each looks public
# to some of our Pythons. Nothing is sent there: the address itself is judged.
LOOK_PUBLIC = (
    *("192.0.0.192", "192.0.0.8", "168.63.129.16", "100.100.100.200", "169.254.170.2"),
    *("fd00:ec2::254", "fd20:ce::254", "2001:1::1", "2001:20::1", "3fff::1", "64:ff9b:1::a00:1"),
    *("2002:a9fe:a9fe::", "::ffff:169.254.169.254", "::ffff:168.63.129.16", "fec0::1"),
)


@pytest.fixture
async def server() -> AsyncIterator[NewsServer]:
    async with NewsServer() as server:
        server.serve("/feed", "secret")
        yield server


@pytest.fixture
async def client() -> AsyncIterator[WebClient]:
    async with WebClient(Limits(total_s=2.0, connect_s=1.0)) as client:
        yield client


def test_there_are_forty_spellings() -> None:
    assert len(set(SPELLINGS)) >= 40


@pytest.mark.parametrize("address", LOOK_PUBLIC)
def test_what_only_looks_public_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_is_public_is_not_refused(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_an_inside_address_is_fetched(
    server: NewsServer, client: WebClient, spelling: str
) -> None:
    port = server.url("/").rsplit(":", 1)[1].rstrip("/")
    with pytest.raises(WebError):
        await client.get(f"http://{spelling}:{port}/feed")
    assert server.requests == []


@pytest.mark.parametrize(
    "spelling",  # but not the allowed place itself, whatever user name stands before it
    [each for each in SPELLINGS if each.rpartition("@")[2] != "127.0.0.1"],
)
async def test_no_redirect_leads_to_an_inside_address(
    server: NewsServer, client: WebClient, spelling: str
) -> None:
    """The first address was allowed by the newsroom; where it sends us was not."""
    port = server.url("/").rsplit(":", 1)[1].rstrip("/")
    server.redirect("/start", f"http://{spelling}:{port}/inside")
    server.serve("/inside", "secret")
    with pytest.raises(WebError):
        await client.get(server.url("/start"), allow_private=True)
    assert [request.path for request in server.requests] == ["/start"]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_an_inside_address_is_a_webhook(spelling: str) -> None:
    async with WebhookReceiver() as receiver:
        url = f"http://{spelling}:{receiver.port}/hook"
        try:
            settings = WebhookSettings(url=url, secret=SecretStr(SECRET), timeout_s=2)  # type: ignore[arg-type]
        except ValidationError:
            return  # refused before anything was sent
        sink = make_sink("hook", settings)
        result = await sink.deliver(Delivery("d1", "desk", "", make_alert()))
        await sink.close()
        assert result.outcome in ("refused", "not_sent")
        assert receiver.attempts == []


async def _inside(
    self: object, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
) -> list[dict[str, object]]:
    about = {"hostname": host, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
    return [{**about, "host": "127.0.0.1"}]


@pytest.mark.parametrize("name", ["news.example.org", "127.0.0.1.nip.example", "a.b.c.example"])
async def test_a_public_name_that_resolves_to_the_inside_is_refused(
    monkeypatch: pytest.MonkeyPatch, server: NewsServer, client: WebClient, name: str
) -> None:
    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", _inside)
    monkeypatch.setattr(aiohttp.DefaultResolver, "resolve", _inside)
    with pytest.raises(AddressError):
        await client.get(server.url("/feed", name))
    assert server.requests == []
    async with WebhookReceiver() as receiver:
        url = f"http://{name}:{receiver.port}/hook"
        sink = make_sink("hook", WebhookSettings(url=url, secret=SecretStr(SECRET)))  # type: ignore[arg-type]
        result = await sink.deliver(Delivery("d1", "desk", "", make_alert()))
        await sink.close()
        assert (result.outcome, receiver.attempts) == ("refused", [])
