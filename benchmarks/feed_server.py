"""The feeds of `benchmarks/idle_feeds.py`, in a process of its own: prints its port, then, for
every line that it reads, how many feeds it has been asked for.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from aiohttp import web

ENTRIES, NEW_EVERY = 20, 10


class Feeds:
    """Counts how often each has been asked for; every tenth time there is something new."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._began = datetime.now(UTC)

    async def answer(self, request: web.Request) -> web.Response:
        """A feed, or "not modified"."""
        name = request.match_info["name"]
        edition = self.asked[name] // NEW_EVERY
        self.asked[name] += 1
        etag = f'"{edition}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        entries = "".join(self._entry(name, number) for number in range(edition, edition + ENTRIES))
        said = (
            f'<?xml version="1.0"?><rss version="2.0"><channel><title>{name}</title>'
            f"<link>http://example.org/</link>{entries}</channel></rss>"
        )
        return web.Response(text=said, content_type="application/rss+xml", headers={"ETag": etag})

    def _entry(self, name: str, number: int) -> str:
        at = format_datetime(self._began + timedelta(seconds=number))
        address = f"http://example.org/{name}/{number}"
        return (
            f"<item><title>Report {number} of {name}</title><link>{address}</link>"
            f"<guid>{address}</guid><pubDate>{at}</pubDate>"
            f"<description>{'Words of a report, again and again. ' * 8}</description></item>"
        )


async def serve(hosts: int) -> None:
    """Answer until ended."""
    feeds = Feeds()
    app = web.Application()
    app.router.add_get("/{name}.xml", feeds.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = 0
    for host in range(1, hosts + 1):
        listener = socket.create_server((f"127.0.1.{host}", port), reuse_port=False)
        port = listener.getsockname()[1]
        await web.SockSite(runner, listener).start()
    print(port, flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(feeds.asked.total(), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
