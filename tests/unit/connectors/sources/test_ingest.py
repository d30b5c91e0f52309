"""The ingest server: who gets which answer, and 202 only after Kafka confirmed."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr, ValidationError

from connectors.sources import ingest
from connectors.sources.ingest import IngestSource
from connectors.sources.settings import IngestSettings
from connectors.sources.source import Poll

TOKEN = "correct-horse"
ROW = {"id": "1", "title": "Fire in the port", "text": "Nobody was hurt."}


@pytest.fixture
async def source() -> AsyncIterator[IngestSource]:
    settings = IngestSettings(id="i", port=0, token=SecretStr(TOKEN), max_body_bytes=50_000)
    source = IngestSource(settings, wait_s=0.05, confirm_s=5.0)
    await source.poll({})
    yield source
    await source.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


Answer = tuple[int, dict[str, Any], Any]


async def _post(
    http: aiohttp.ClientSession, source: IngestSource, body: bytes | str, **headers: str
) -> Answer:
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"http://127.0.0.1:{source.port}/articles"
    raw = body.encode() if isinstance(body, str) else body
    async with http.post(url, data=raw, headers=sent) as answer:
        return answer.status, await answer.json(), answer.headers


async def _poll(source: IngestSource) -> Poll:
    for _ in range(100):
        poll = await source.poll({})
        if poll.articles:
            return poll
    raise AssertionError("nothing came in")


async def test_202_comes_only_after_confirmation(
    source: IngestSource, http: aiohttp.ClientSession
) -> None:
    post = asyncio.create_task(_post(http, source, json.dumps(ROW)))
    poll = await _poll(source)
    assert (await source.poll({})) is poll
    assert not post.done()
    await source.confirmed(poll)
    status, body, _ = await post
    ids = [poll.articles[0].id]
    assert (status, body) == (202, {"accepted": 1, "ids": ids, "undated": ids})


async def test_all_fields_are_taken(source: IngestSource, http: aiohttp.ClientSession) -> None:
    row = {
        "guid": "g-1",
        "url": "https://n.example/1?utm_source=x",
        "title": "Fire in the port",
        "text": "Nobody\x00 was hurt.",
        "publisher": "The Courier",
        "lang": "en-GB",
        "date": "3 September 2024 14:30",
        "status": "withdrawn",
        "unknown": 1,
    }
    post = asyncio.create_task(_post(http, source, json.dumps([row])))
    poll = await _poll(source)
    await source.confirmed(poll)
    await post
    (article,) = poll.articles
    assert (article.publisher, article.language, article.status) == (
        "The Courier",
        "en",
        "withdrawn",
    )
    assert (article.url, article.text) == ("https://n.example/1", "Nobody was hurt.")
    assert str(article.published_at) == "2024-09-03 14:30:00+00:00"


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic correct-horse", TOKEN])
async def test_a_wrong_token_is_401(
    source: IngestSource, http: aiohttp.ClientSession, given: str
) -> None:
    status, body, headers = await _post(http, source, json.dumps(ROW), Authorization=given)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert TOKEN not in str(body)


async def test_another_kind_of_body_is_415(
    source: IngestSource, http: aiohttp.ClientSession
) -> None:
    assert (await _post(http, source, "x", Content_Type="text/plain"))[0] == 415
    packed = gzip.compress(json.dumps(ROW).encode())
    assert (await _post(http, source, packed, Content_Encoding="gzip"))[0] == 415


async def test_a_large_body_is_413(source: IngestSource, http: aiohttp.ClientSession) -> None:
    status, body, _ = await _post(http, source, b"[" + b" " * 60_000 + b"]")
    assert status == 413
    assert "50000" in body["error"]


async def test_a_large_body_of_unknown_length_is_413(
    source: IngestSource, http: aiohttp.ClientSession
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield b" " * 1_000

    url = f"http://127.0.0.1:{source.port}/articles"
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    async with http.post(url, data=chunks(), headers=headers) as answer:
        assert answer.status == 413


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (b'{"title": "\xff"}', "not JSON"),
        (b"[" * 40_000, "not JSON"),
        ("[]", "got 0"),
        ("3", "expected an object"),
        ('{"id": "1"}', "neither title nor text"),
        ('{"title": " \\u0000 ", "text": "\\u200b"}', "neither title nor text"),
        ('{"title": 3}', "$.title"),
        ('{"title": "T", "status": "gone"}', "$.status"),
        ('[{"title": "T"}, {"title": 3}]', "[1]: "),
        ('[{"id": "1", "title": "T"}, {"id": "1", "title": "U"}]', "the same id as [0]"),
        (json.dumps([{"title": str(n)} for n in range(501)]), "got 501"),
    ],
)
async def test_what_is_no_article_is_422_with_its_place(
    source: IngestSource, http: aiohttp.ClientSession, body: bytes | str, said: str
) -> None:
    status, answer, _ = await _post(http, source, body)
    assert status == 422
    assert said in answer["error"]
    assert (await source.poll({})).articles == ()


async def test_a_date_in_the_year_9999_is_no_date(
    source: IngestSource, http: aiohttp.ClientSession
) -> None:
    row = {**ROW, "published_at": "9999-12-31T00:00:00Z"}
    post = asyncio.create_task(_post(http, source, json.dumps(row)))
    poll = await _poll(source)
    await source.confirmed(poll)
    _, answer, _ = await post
    assert poll.articles[0].published_at is None
    assert answer["undated"] == [poll.articles[0].id]


async def test_kafka_away_is_503_and_the_articles_still_go_when_it_is_back(
    http: aiohttp.ClientSession,
) -> None:
    source = IngestSource(
        IngestSettings(id="i", port=0, token=SecretStr(TOKEN)), wait_s=0.05, confirm_s=0.1
    )
    await source.poll({})
    post = asyncio.create_task(_post(http, source, json.dumps(ROW)))
    poll = await _poll(source)
    status, _, headers = await post
    assert (status, headers["Retry-After"]) == (503, str(ingest.RETRY_AFTER_S))
    assert (await source.poll({})).articles == poll.articles
    await source.confirmed(poll)
    await source.close()


async def test_closing_answers_503_to_who_still_waits(http: aiohttp.ClientSession) -> None:
    source = IngestSource(IngestSettings(id="i", port=0, token=SecretStr(TOKEN)), wait_s=0.05)
    await source.poll({})
    post = asyncio.create_task(_post(http, source, json.dumps(ROW)))
    await _poll(source)
    await source.close()
    assert (await post)[0] == 503


async def test_without_a_token_only_loopback_names_are_served(http: aiohttp.ClientSession) -> None:
    source = IngestSource(IngestSettings(id="i", port=0), wait_s=0.05)
    await source.poll({})
    status, body, _ = await _post(http, source, json.dumps(ROW), Host="evil.example")
    assert (status, "loopback" in body["error"]) == (403, True)
    await source.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "news.example"])
def test_an_open_address_needs_a_token(host: str) -> None:
    with pytest.raises(ValidationError, match="token"):
        IngestSettings(id="i", host=host)
    assert IngestSettings(id="i", host=host, token=SecretStr(TOKEN)).host == host


async def test_a_port_that_is_taken_is_a_state() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        source = IngestSource(IngestSettings(id="i", port=port), wait_s=0.05)
        poll = await source.poll({})
    assert poll.state == "unreachable"
    assert poll.detail == f"cannot listen on 127.0.0.1:{port}: address already in use"
    await source.close()
