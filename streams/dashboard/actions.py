"""What a person can do about destinations and sources from the page, and what people did: turn
a receiver on again, send a story or a span of time again, pause a source or have it asked now.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from aiohttp import web

from streams.action_log import Action
from streams.dashboard.access import who_asks
from streams.dashboard.acting import Recorder, json_answer, read_wish, redis_needed
from streams.dashboard.watch import Watch
from streams.feedback import Feedback
from streams.feedback_store import FeedbackStore
from streams.ledger import Ledger
from streams.source_wishes import Pause, SourceWishes

# So many of the last attempts are looked through; `wirebell deliveries log` has them all.
ALL_ATTEMPTS, SHOWN_ATTEMPTS = 2_000, 200
SHOWN_ACTIONS, ACTIONS_SINCE = 200, timedelta(days=30)


class TurnOnWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The destination to tell again, by its id."""

    destination: str


class ResendWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A story to tell a destination again, or all that it was told of in the last minutes; a
    dry run only counts those.
    """

    destination: str
    story: str = ""
    since_minutes: Annotated[int, msgspec.Meta(ge=0, le=14 * 24 * 60)] = 0
    dry_run: bool = False


class SourceWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source to be paused, resumed or asked now."""

    source: str


class Actions:
    """The handlers, for one line under watch."""

    def __init__(self, watch: Watch, recorder: Recorder) -> None:
        observer = watch.observer
        self._recorder = recorder
        self._ledger = Ledger(observer.redis, observer.keys)
        self._wishes = SourceWishes(observer.redis, observer.keys)
        self._feedback = FeedbackStore(observer.redis, observer.keys)
        self._sources = {one.id for one in observer.settings.sources if one.enabled}

    def add_routes(self, app: web.Application) -> None:
        """Put the handlers under /api."""
        app.router.add_get("/api/actions", self.actions)
        app.router.add_get("/api/deliveries/attempts", self.attempts)
        app.router.add_post("/api/destinations/turn-on", self.turn_on)
        app.router.add_post("/api/deliveries/resend", self.resend)
        app.router.add_post("/api/sources/pause", self.pause)
        app.router.add_post("/api/sources/resume", self.resume)
        app.router.add_post("/api/sources/poll-now", self.poll_now)

    async def actions(self, _request: web.Request) -> web.Response:
        """Who did what, when, newest first: from the page, and about stories from anywhere."""
        with redis_needed():
            done = await self._recorder.log.recent(SHOWN_ACTIONS)
            decided = await self._feedback.since(datetime.now(UTC) - ACTIONS_SINCE)
        elsewhere = [_as_action(one) for one in decided if one.via != "page"]
        listed = sorted([*done, *elsewhere], key=lambda one: one.at, reverse=True)
        return json_answer(listed[:SHOWN_ACTIONS])

    async def attempts(self, request: web.Request) -> web.Response:
        """The last attempts, newest first; of one destination, or one story, if asked."""
        destination, story = (request.query.get(name, "") for name in ("destination", "story"))
        with redis_needed():
            attempts = await self._ledger.attempts(ALL_ATTEMPTS)
        found = [
            one
            for one in attempts
            if destination in ("", f"{one.sink}|{one.target}") and story in ("", one.story_id)
        ]
        return json_answer(found[:SHOWN_ATTEMPTS])

    async def turn_on(self, request: web.Request) -> web.Response:
        """Tell a destination again that was turned off; what it missed is due."""
        wish = await read_wish(request, TurnOnWish)
        async with self._recorder.action(request, "turn on", wish.destination):
            if not await self._ledger.turn_on(wish.destination):
                raise web.HTTPConflict(text="it was not turned off\n")
        return json_answer({"turned_on": wish.destination})

    async def resend(self, request: web.Request) -> web.Response:
        """Tell a destination again, each story as it stands: a webhook with the same id, Slack
        by an edit.
        """
        wish = await read_wish(request, ResendWish)
        if bool(wish.story) == bool(wish.since_minutes):
            raise web.HTTPUnprocessableEntity(text="give either story or since_minutes\n")
        if wish.dry_run:
            with redis_needed():
                return json_answer({"resent": len(await self._stories(wish))})
        about = wish.story or f"the last {wish.since_minutes} min"
        async with self._recorder.action(request, "send again", f"{wish.destination}: {about}"):
            stories = await self._stories(wish)
            sent = sum([await self._ledger.resend(wish.destination, one) for one in stories])
            if not sent:
                raise web.HTTPNotFound(text="the ledger no longer knows what it was told\n")
        return json_answer({"resent": sent})

    async def _stories(self, wish: ResendWish) -> list[str]:
        if wish.story:
            return [wish.story]
        since = self._ledger.clock() - wish.since_minutes * 60
        return await self._ledger.told_since(wish.destination, since)

    async def pause(self, request: web.Request) -> web.Response:
        """Ask a source no more until it is resumed; a restart does not forget it."""
        source_id = await self._source(request)
        pause = Pause(at=datetime.now(UTC), who=who_asks(request))
        async with self._recorder.action(request, "pause", source_id):
            await self._wishes.pause(source_id, pause)
        return json_answer({"paused": source_id})

    async def resume(self, request: web.Request) -> web.Response:
        """Ask a paused source again."""
        source_id = await self._source(request)
        async with self._recorder.action(request, "resume", source_id):
            if not await self._wishes.resume(source_id):
                raise web.HTTPConflict(text="it was not paused\n")
        return json_answer({"resumed": source_id})

    async def poll_now(self, request: web.Request) -> web.Response:
        """Ask a source as soon as its host allows."""
        source_id = await self._source(request)
        async with self._recorder.action(request, "poll now", source_id):
            await self._wishes.poll_now(source_id)
        return json_answer({"asked": source_id})

    async def _source(self, request: web.Request) -> str:
        """The source that is meant; 404 for one that the configuration has not."""
        wish = await read_wish(request, SourceWish)
        if wish.source not in self._sources:
            raise web.HTTPNotFound(text="there is no such source, or it is not enabled\n")
        return wish.source


def _as_action(one: Feedback) -> Action:
    """A decision about a story that was made in Slack or on the command line."""
    who = f"{one.who_name or one.who} ({one.via})"
    return Action(at=one.at, who=who, what=one.verdict.replace("_", " "), about=one.story_id)
