"""Slack's interactivity over HTTP, for those who have a public address: POST /slack for buttons
and the slash command. Only what Slack signed is read.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from urllib.parse import parse_qs

import structlog
from aiohttp import web

from connectors.listener import BODY_S, Listener
from connectors.sinks.slack_actions import Desk, presses_of, question_of, reply_of, signature_holds
from connectors.sinks.slack_views import refusal, submission_of

MAX_BODY_BYTES = 200_000
_log = structlog.get_logger(__name__)


class HttpListener:
    """Listens on one address for one workspace."""

    def __init__(
        self,
        signing_secret: str,
        host: str,
        port: int,
        desk: Desk,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret = signing_secret
        self._host = host
        self.port = port
        self._desk = desk
        self._clock = clock
        self.ready = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop`. An address that another process has is left to it."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/slack", self._post)
        runner = Listener(app, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self.port).start()
            self.port = int(runner.addresses[0][1])
            self.ready.set()
            _log.info("Slack's buttons are heard", port=self.port)
        except OSError as error:
            _log.warning("cannot listen for Slack", port=self.port, error=error.strerror)
        try:
            await stop.wait()
        finally:
            await runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_S):
                body = await request.read()
        except TimeoutError:
            return web.Response(status=408)
        if not signature_holds(self._secret, request.headers, body, self._clock()):
            return web.Response(status=401)
        try:
            given = parse_qs(body.decode(), max_num_fields=50)
            fields = {name: values[0] for name, values in given.items()}
            payload = json.loads(fields["payload"]) if "payload" in fields else None
        except (ValueError, RecursionError):
            return web.Response(status=400)
        if payload is None:
            return web.json_response(reply_of(await self._desk.asked(question_of(fields))))
        payload = payload if isinstance(payload, dict) else {}
        submission = submission_of(payload)
        if submission is not None:
            sentence = await self._desk.submitted(submission)
            return web.json_response(refusal(sentence)) if sentence else web.Response()
        heard = [await self._desk.pressed(press) for press in presses_of(payload)]
        # What is not written down is not acknowledged: Slack shows the person that it failed.
        return web.Response(status=200 if all(heard) else 503)
