"""A fake receiver of webhooks: a real HTTP server that verifies every signature with the
`standardwebhooks` package, keeps ids as a receiver should, counts, and makes faults.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from tests.fakes.faults import Faults

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(slots=True)
class WebhookReceiver:
    """The server. `received` holds each id once, `attempts` every request."""

    secret: str = SECRET
    faults: Faults = field(default_factory=Faults)
    port: int = 0
    received: dict[str, dict[str, Any]] = field(default_factory=dict)
    attempts: list[tuple[str, str]] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hook", self._serve)
        app.router.add_get("/elsewhere", self._elsewhere)
        app.router.add_post("/elsewhere", self._elsewhere)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.faults.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        webhook_id = request.headers.get("webhook-id", "")
        self.attempts.append((webhook_id, request.headers.get("webhook-timestamp", "")))
        self.sizes.append(len(raw))
        fault = self.faults.next(raw.decode())

        def apply() -> web.Response:
            try:
                Webhook(self.secret).verify(raw, dict(request.headers))
            except WebhookVerificationError as error:
                self.forged.append(str(error))
                return web.Response(status=401)
            self.received.setdefault(webhook_id, json.loads(raw))
            return web.Response(status=202, text="taken")

        return await self.faults.answer(request, fault, apply)

    async def _elsewhere(self, request: web.Request) -> web.Response:
        self.forged.append(f"{request.method} followed a redirect")
        return web.Response(status=200)
