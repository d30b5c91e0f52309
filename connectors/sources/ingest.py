"""HTTP `POST /articles`: others push, and are told 202 only after Kafka confirmed.

Owns the server, the queue between it and the poller, and who waits for what. The reading
of a request is in `ingest_request`.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from aiohttp import web

from connectors.listener import Listener
from connectors.records import Article
from connectors.sources.ingest_request import RequestError, check_request, read_articles, read_body
from connectors.sources.items import Origin
from connectors.sources.settings import IngestSettings
from connectors.sources.source import Cursor, Poll

# How long a poll waits for the first request; an article waits for nobody. An empty poll is
# written down like any other.
WAIT_S = 10.0
# How long a sender waits for Kafka before it is told to come again.
CONFIRM_S = 30.0
RETRY_AFTER_S = 5
# Articles that may wait; a full line answers 503 at once instead of growing.
MAX_WAITING = 5_000
BATCH = 500


@dataclass(eq=False, slots=True)
class _Submission:
    articles: tuple[Article, ...]
    confirmed: asyncio.Future[None] = field(repr=False)


class IngestSource:
    """An HTTP server; it listens from its first poll on."""

    def __init__(
        self, settings: IngestSettings, *, wait_s: float = WAIT_S, confirm_s: float = CONFIRM_S
    ) -> None:
        self._settings = settings
        self._wait_s = wait_s
        self._confirm_s = confirm_s
        self._origin = Origin(settings.id, settings.publisher or settings.id, settings.language)
        self._queue: asyncio.Queue[_Submission] = asyncio.Queue()
        self._waiting = 0
        self._batch = 0
        self._in_flight: tuple[Poll, list[_Submission]] | None = None
        self._runner: web.AppRunner | None = None
        self._closing = False

    @property
    def id(self) -> str:
        """The id from the configuration."""
        return self._settings.id

    @property
    def host(self) -> str:
        """No host is asked."""
        return ""

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the first poll."""
        addresses = self._runner.addresses if self._runner else []
        return int(addresses[0][1]) if addresses else 0

    async def poll(self, cursor: Cursor) -> Poll:
        """What was pushed since; the same again until it is confirmed."""
        if self._in_flight is not None:
            return self._in_flight[0]
        if self._runner is None:
            try:
                await self._listen()
            except OSError as error:
                reason = os.strerror(error.errno).lower() if error.errno else str(error)
                where = f"{self._settings.host}:{self._settings.port}"
                detail = f"cannot listen on {where}: {reason}"
                return Poll("unreachable", cursor=dict(cursor), detail=detail)
        submissions = await self._take()
        if not submissions:
            return Poll("empty", cursor=dict(cursor), next_poll_s=0.0)
        self._batch += 1
        poll = Poll(
            "ok",
            articles=tuple(article for s in submissions for article in s.articles),
            cursor={"batch": str(self._batch)},
            next_poll_s=0.0,
        )
        self._in_flight = (poll, submissions)
        return poll

    async def confirmed(self, poll: Poll) -> None:
        """Answer 202 to everybody whose articles were in this poll."""
        if self._in_flight is None or poll.cursor != self._in_flight[0].cursor:
            return
        for submission in self._in_flight[1]:
            self._waiting -= len(submission.articles)
            if not submission.confirmed.done():
                submission.confirmed.set_result(None)
        self._in_flight = None

    async def close(self) -> None:
        """Stop listening; who still waits is told 503."""
        self._closing = True
        waiting = list(self._in_flight[1]) if self._in_flight else []
        while not self._queue.empty():
            waiting.append(self._queue.get_nowait())
        for submission in waiting:
            submission.confirmed.cancel()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _listen(self) -> None:
        # The body limit is ours: aiohttp's would answer before the token is checked.
        app = web.Application(client_max_size=0)
        app.router.add_post("/articles", self._post)
        runner = Listener(app, shutdown_timeout=2.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._settings.host, self._settings.port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def _take(self) -> list[_Submission]:
        try:
            first = await asyncio.wait_for(self._queue.get(), self._wait_s)
        except TimeoutError:
            return []
        taken, size = [first], len(first.articles)
        while size < BATCH and not self._queue.empty():
            taken.append(self._queue.get_nowait())
            size += len(taken[-1].articles)
        left = [s for s in taken if not s.confirmed.done()]
        # Who was told 503 already will send again; nobody waits for these.
        self._waiting -= sum(len(s.articles) for s in taken if s.confirmed.done())
        return left

    async def _post(self, request: web.Request) -> web.Response:
        try:
            check_request(request, self._settings)
            body = await read_body(request, self._settings.max_body_bytes)
            articles = await asyncio.to_thread(read_articles, body, self._origin)
            await self._wait_for_kafka(articles)
        except RequestError as error:
            return web.json_response(error.body(), status=error.status, headers=error.headers())
        answer: dict[str, object] = {
            "accepted": len(articles),
            "ids": [article.id for article in articles],
        }
        # A date that nobody can read is no reason to refuse news; its sender should know.
        if undated := [article.id for article in articles if article.published_at is None]:
            answer["undated"] = undated
        return web.json_response(answer, status=202)

    async def _wait_for_kafka(self, articles: tuple[Article, ...]) -> None:
        if self._closing or self._waiting + len(articles) > MAX_WAITING:
            reason = "stopping" if self._closing else "too many articles wait for Kafka"
            raise RequestError(503, reason, retry_after_s=RETRY_AFTER_S)
        submission = _Submission(articles, asyncio.get_running_loop().create_future())
        self._waiting += len(articles)
        self._queue.put_nowait(submission)
        try:
            await asyncio.wait_for(submission.confirmed, self._confirm_s)
        except TimeoutError as error:
            reason = f"Kafka has not confirmed within {self._confirm_s:g} s; send it again"
            raise RequestError(503, reason, retry_after_s=RETRY_AFTER_S) from error
        except asyncio.CancelledError:
            if not self._closing:
                raise
            raise RequestError(503, "stopping", retry_after_s=RETRY_AFTER_S) from None
