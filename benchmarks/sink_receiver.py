"""A receiver of webhooks that notes when it has taken each alert, and answers 202."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Self

import msgspec
from aiohttp import web


class _Data(msgspec.Struct):
    fetched_at: datetime


class _Body(msgspec.Struct):
    data: _Data


class Receiver:
    """The server. `accepted`: when an alert was taken, by the time at which its article was
    fetched; the first time counts. `taken`: how many requests, `last`: when the last one came.
    """

    def __init__(self) -> None:
        self.accepted: dict[datetime, float] = {}
        self.taken = 0
        self.last = time.monotonic()
        self._port = 0
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self._port}/hook"

    def quiet_s(self) -> float:
        """Seconds since anything came."""
        return time.monotonic() - self.last

    async def _take(self, request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read(), type=_Body)
        self.last = time.monotonic()
        self.taken += 1
        self.accepted.setdefault(body.data.fetched_at, self.last)
        return web.Response(status=202)
