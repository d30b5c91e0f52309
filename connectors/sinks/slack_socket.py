"""Slack's Socket Mode: what people do comes over a connection that we open, so that no address
of ours has to be public. slack-sdk keeps the connection; this file acknowledges what is written
down, within three seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from connectors.sinks.slack_actions import Desk, presses_of, question_of, reply_of
from connectors.sinks.slack_errors import result_of
from connectors.sinks.slack_views import refusal, submission_of

_log = structlog.get_logger(__name__)
# slack-sdk logs addresses with tickets in them, and tracebacks for a connection that ended.
_sdk_log = logging.getLogger("wirebell.slack_sdk")
_sdk_log.setLevel(logging.CRITICAL + 1)


# Slack ends each connection after some hours; a new one takes a second or two.
CONNECT_S, AGAIN_S = 20.0, 10.0


class _Client(SocketModeClient):
    """slack-sdk's client with the two calls of ours that it has no types for."""

    async def enter(self) -> None:
        await self.connect()  # type: ignore[no-untyped-call]

    async def leave(self) -> None:
        await self.close()  # type: ignore[no-untyped-call]


class SocketListener:
    """One connection to one workspace. Several workers may each have theirs: Slack gives every
    event to one of them.
    """

    def __init__(self, app_token: str, api_url: str, desk: Desk, again_s: float = AGAIN_S) -> None:
        self._app_token = app_token
        self._api_url = api_url
        self._desk = desk
        self._again_s = again_s

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop`, connecting again whenever the connection ends."""
        while not stop.is_set():
            client = _Client(
                self._app_token,
                logger=_sdk_log,
                web_client=AsyncWebClient(base_url=self._api_url, retry_handlers=[], timeout=10),
            )
            client.socket_mode_request_listeners.append(self._take)
            try:
                await self._listen(client, stop)
            except (SlackClientError, aiohttp.ClientError, OSError, TimeoutError) as error:
                detail = result_of(error).detail
                _log.warning("Slack's buttons are not heard, trying again", detail=detail)
            finally:
                with contextlib.suppress(aiohttp.ClientError, OSError, RuntimeError):
                    await client.leave()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._again_s)

    async def _listen(self, client: _Client, stop: asyncio.Event) -> None:
        """Until `stop`, or until slack-sdk has not mended the connection by itself for a while:
        it tries one address for ever, although each is good for one connection only.
        """
        client.wss_uri = await client.issue_new_wss_url()
        async with asyncio.timeout(CONNECT_S):
            await client.enter()
        _log.info("Slack's buttons are heard")
        lost_since: float | None = None
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(1.0, self._again_s))
            now = time.monotonic()
            if await client.is_connected():
                lost_since = None
            elif lost_since is None:
                lost_since = now
            elif now - lost_since > 2 * self._again_s:
                raise TimeoutError

    async def _take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        payload = request.payload if isinstance(request.payload, dict) else {}
        answer: dict[str, Any] | None = None
        submission = submission_of(payload) if request.type == "interactive" else None
        if request.type == "slash_commands":
            answer = reply_of(await self._desk.asked(question_of(payload)))
        elif submission is not None:
            sentence = await self._desk.submitted(submission)
            answer = refusal(sentence) if sentence else None
        elif request.type == "interactive":
            heard = [await self._desk.pressed(press) for press in presses_of(payload)]
            if not all(heard):
                return  # not acknowledged: Slack shows the person that it failed
        # Everything else too: what is not acknowledged comes again.
        response = SocketModeResponse(envelope_id=request.envelope_id, payload=answer)
        await client.send_socket_mode_response(response)
