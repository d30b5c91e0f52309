"""What listens for HTTP: hangs up on who connects and asks nothing.

Owns the time that a connection may say nothing whole; aiohttp gives the first request of one for
ever, and each costs a file descriptor. What is answered is the application's.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

# Longer than any honest client needs for its headers, and than most keep an idle connection.
SILENT_S = 60.0
# A body without a token before it, or without a signature checked, comes within this.
BODY_S = 15.0
# aiohttp's own is an hour.
_KEEP_ALIVE_S = 75.0


class Listener(web.AppRunner):
    """An AppRunner whose connections are for requests."""

    def __init__(
        self, app: web.Application, *, shutdown_timeout: float, silent_s: float = SILENT_S
    ) -> None:
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=shutdown_timeout,
            keepalive_timeout=_KEEP_ALIVE_S,
        )
        self._silent_s = silent_s
        self._watch: asyncio.Task[None] | None = None

    async def setup(self) -> None:
        """Make the server ready, and watch its connections."""
        await super().setup()
        self._watch = asyncio.create_task(self._hang_up())

    async def cleanup(self) -> None:
        """Close everything. May be called twice."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await super().cleanup()

    async def _hang_up(self) -> None:
        """Close what was without a request at two looks; one in between is no silence."""
        silent: set[tuple[web.RequestHandler, float]] = set()
        while True:
            await asyncio.sleep(self._silent_s / 2)
            before, silent = silent, set()
            for connection in self.server.connections if self.server else ():
                if connection._current_request is not None:
                    continue
                # When it ended its last request, so to say: another is another silence.
                since = (connection, connection._next_keepalive_close_time)
                silent.add(since)
                if since in before:
                    connection.force_close()
