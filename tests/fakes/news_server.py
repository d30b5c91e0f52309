"""A fake news site: a real HTTP server that serves real files, validators and robots.txt,
and makes a publisher's and an attacker's faults on demand.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import zlib
from dataclasses import dataclass, field
from typing import Literal, Self

from aiohttp import web

# drip    one byte at a time, never done        stall   headers, then nothing
# mute    not even headers                      reset   the connection is aborted
# cut     less than Content-Length promised     bomb    1 GB of zeros in 1 MB of gzip
# flood   no length, no end                     garbage no HTTP at all
Fault = Literal["drip", "stall", "mute", "reset", "cut", "bomb", "flood", "garbage"]


@dataclass(slots=True)
class Resource:
    """What one path answers."""

    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    compressed: bool = False

    @property
    def etag(self) -> str:
        """A validator that changes with the body."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


@dataclass(slots=True)
class NewsServer:
    """The server. `requests` are the paths asked for, in order, without robots.txt."""

    robots: str | None = None
    robots_status: int = 200
    resources: dict[str, Resource] = field(default_factory=dict)
    requests: list[web.Request] = field(default_factory=list)
    robots_requests: int = 0
    port: int = 0
    _runner: web.AppRunner | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The address of a path."""
        return f"http://{host}:{self.port}{path}"

    def serve(
        self, path: str, body: bytes | str, content_type: str = "application/xml"
    ) -> Resource:
        """Put a document at a path; what was there is replaced, its faults too."""
        raw = body.encode() if isinstance(body, str) else body
        self.resources[path] = Resource(raw, content_type)
        return self.resources[path]

    def redirect(self, path: str, target: str, status: int = 302) -> None:
        """Make a path redirect."""
        self.resources[path] = Resource(status=status, headers={"Location": target})

    def fail(self, path: str, fault: Fault) -> None:
        """Make a path fail from now on."""
        self.resources.setdefault(path, Resource()).fault = fault

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/robots.txt" and request.path not in self.resources:
            self.robots_requests += 1
            if self.robots is None and self.robots_status == 200:
                return web.Response(status=404)
            return web.Response(text=self.robots or "", status=self.robots_status)
        self.requests.append(request)
        resource = self.resources.get(request.path)
        if resource is None:
            return web.Response(status=404)
        if resource.fault is not None:
            return await self._fail(request, resource)
        headers = {"Content-Type": resource.content_type, **resource.headers}
        if resource.status != 200:
            return web.Response(status=resource.status, headers=headers)
        headers["ETag"] = resource.etag
        headers["Last-Modified"] = "Wed, 01 Jan 2025 00:00:00 GMT"
        if request.headers.get("If-None-Match") == resource.etag:
            return web.Response(status=304, headers=headers)
        body = resource.body
        if resource.compressed:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body)
        return web.Response(body=body, headers=headers)

    async def _fail(self, request: web.Request, resource: Resource) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": resource.content_type})
        transport = request.transport
        assert transport is not None
        if resource.fault == "mute":
            await self._stop.wait()
        if resource.fault in ("reset", "mute"):
            transport.abort()
            return response
        if resource.fault == "garbage":
            transport.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
            transport.close()
            return response
        if resource.fault == "cut":
            response.content_length = len(resource.body) + 1_000
        if resource.fault == "bomb":
            response.headers["Content-Encoding"] = "gzip"
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the client has had enough
            await self._misbehave(response, resource)
        transport.abort()
        return response

    async def _misbehave(self, response: web.StreamResponse, resource: Resource) -> None:
        if resource.fault == "stall":
            await self._stop.wait()
        elif resource.fault == "cut":
            await response.write(resource.body)
        elif resource.fault == "bomb":
            packer = zlib.compressobj(wbits=31)
            first, again = (
                packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
                for _ in range(2)
            )
            await response.write(first + again * 999)
        elif resource.fault == "flood":
            while not self._stop.is_set():
                await response.write(b"x" * 65_536)
        else:
            while not self._stop.is_set():
                await response.write(b" ")
                try:
                    await asyncio.wait_for(self._stop.wait(), 0.02)
                except TimeoutError:
                    continue
