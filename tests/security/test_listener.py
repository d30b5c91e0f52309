"""Connections that ask nothing, or letter by letter, are not kept; those that wait for us are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, TCPConnector, web

from connectors.listener import Listener

SILENT_S = 0.4


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query.get("after", "0")))
        return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = Listener(app, shutdown_timeout=0.1, silent_s=SILENT_S)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()
    await runner.cleanup()


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
async def test_who_asks_nothing_whole_is_hung_up_on(port: int, first: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def drip() -> None:
        writer.write(first)
        while not writer.is_closing():
            writer.write(b"X-Slow: 1\r\n" if first else b"")
            await asyncio.sleep(SILENT_S / 8)

    dripping = asyncio.create_task(drip())
    try:
        assert await asyncio.wait_for(reader.read(), 20 * SILENT_S) == b""
    except ConnectionResetError:
        pass
    finally:
        dripping.cancel()
        writer.close()


async def test_who_waits_for_an_answer_or_asks_again_is_not(port: int) -> None:
    async with ClientSession(connector=TCPConnector(limit=1)) as session:
        url = f"http://127.0.0.1:{port}/"
        async with session.get(url, params={"after": str(4 * SILENT_S)}) as answer:
            assert await answer.text() == "here"
        for _ in range(8):
            async with session.get(url) as answer:
                assert answer.status == 200
            await asyncio.sleep(SILENT_S / 4)
