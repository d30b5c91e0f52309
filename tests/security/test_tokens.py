"""Tokens and signatures: compared in constant time; no odd spelling opens or breaks the door."""

from __future__ import annotations

import ast
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from connectors.sources.ingest import IngestSource
from connectors.sources.settings import IngestSettings
from streams.dashboard.access import guard

ROOT = Path(__file__).parents[2]
TOKEN = "correct-horse-battery"
# Sent as raw bytes: HTTP libraries refuse to write some of them.
WRONG = (
    *(b"", b"Bearer", b"Bearer ", b"Bearer  ", b"Bearer x", b"Basic " + TOKEN.encode()),
    *(b"Bearer " + TOKEN[:-1].encode(), b"Bearer " + TOKEN.encode() + b"x"),
    *(b"Bearer " + TOKEN.upper().encode(), b"Bearer \xff\xfe", b"Bearer \xc3\xbc"),
    *(b"Bearer \xed\xb2\x80", b"Bearer " + b"a" * 7_000, TOKEN.encode()),
    *(b"Bearer null", b"Bearer undefined", b"Bearer " + TOKEN.encode() + b", Bearer x"),
)


@pytest.fixture
async def ingest() -> AsyncIterator[int]:
    source = IngestSource(IngestSettings(id="i", port=0, token=SecretStr(TOKEN)), wait_s=0.05)
    await source.poll({})
    yield source.port
    await source.close()


@pytest.fixture
async def page() -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="inside")

    app = web.Application(middlewares=[guard(TOKEN)])
    app.router.add_get("/api/snapshot", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield int(runner.addresses[0][1])
    await runner.cleanup()


async def _status(port: int, request: bytes) -> int:
    import asyncio

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    line = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    return int(line.split()[1])


@pytest.mark.parametrize("given", WRONG)
async def test_the_ingest_server_takes_no_wrong_token(ingest: int, given: bytes) -> None:
    head = b"POST /articles HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    body = b"Authorization: " + given + b"\r\nContent-Length: 2\r\n\r\n[]"
    assert await _status(ingest, head + body) in (400, 401)


@pytest.mark.parametrize("given", WRONG)
async def test_the_page_takes_no_wrong_token(page: int, given: bytes) -> None:
    for header in (b"Authorization: " + given, b"Cookie: wirebell=" + given):
        request = b"GET /api/snapshot HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n"
        assert await _status(page, request) in (400, 401)


async def test_the_right_token_opens_the_page(page: int) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"http://127.0.0.1:{page}/api/snapshot") as answer,
    ):
        assert await answer.text() == "inside"


def _compared_by_equality() -> Iterator[str]:
    """Every comparison in the code of something that is named as a secret is."""
    named = re.compile(r"(\w+_)?(token|signature|password|secret|hmac)", re.IGNORECASE)
    for room in ("connectors", "streams"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Compare):
                    continue
                if not any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
                    continue
                for side in (node.left, *node.comparators):
                    said = ast.unparse(side).removesuffix("()").rpartition(".")[2]
                    if named.fullmatch(said) or said == "get_secret_value":
                        yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"


def test_no_token_or_signature_is_compared_by_equality() -> None:
    """`==` stops at the first difference, which can be timed."""
    assert list(_compared_by_equality()) == []
    doors = ("connectors/sources/ingest_request.py", "streams/dashboard/access.py")
    doors += ("connectors/sinks/slack_actions.py",)
    for door in doors:
        assert "hmac.compare_digest" in (ROOT / door).read_text(encoding="utf-8"), door


def test_a_free_port_is_loopback_only() -> None:
    """What listens by default can be reached from this machine alone."""
    assert socket.inet_aton(IngestSettings(id="i").host)[0] == 127
