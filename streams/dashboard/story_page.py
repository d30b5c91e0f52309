"""One story's page: how it came about, who was told what, what people decided, and the buttons.

A decision is written down for the workers (streams/choices.py), who do it: the page edits no
story itself, and needs neither the classifier nor Kafka for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, cast

import msgspec
from aiohttp import web

from connectors.records import Alert
from connectors.sinks.slack_actions import Press
from streams.choices import Choices
from streams.dashboard.access import name_of
from streams.dashboard.acting import Recorder, json_answer, read_wish, redis_needed
from streams.dashboard.story_shapes import (
    DecisionView,
    Entry,
    OtherStory,
    Rang,
    StoryPage,
    TopicName,
)
from streams.dashboard.view import show_story
from streams.dashboard.watch import Watch
from streams.entries import Entry as Kept
from streams.entries import decode_entry
from streams.facts import moment
from streams.feedback import feedback_of
from streams.feedback_store import FeedbackStore
from streams.ledger import Ledger
from streams.live_topics import LiveTopics, choices_of

if TYPE_CHECKING:
    from streams.story import Step

# A story of hundreds of reports is told by its last ones.
SHOWN_ENTRIES, SHOWN_OTHERS = 200, 20
ALL_ATTEMPTS = 2_000
DECIDED_SINCE = timedelta(days=30)
# A worker does a decision at once, or within two seconds where its nudge was lost; a page that
# waits longer says so.
DONE_WITHIN_S, LOOK_EVERY_S = 4.0, 0.1

# Nothing that could name another key of ours.
_ID = r"^[^|:{}\s]*$"
Id = Annotated[str, msgspec.Meta(max_length=200, pattern=_ID)]
Verdict = Literal["relevant", "not_relevant", "wrong_topic", "mute", "unmute", "split", "merge"]


class DecideWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody decides about a story. `id` is the same for a click that is sent twice;
    `topics` are the right ones (wrong_topic), `article` the report that leaves (split), `other`
    the story that goes into this one (merge).
    """

    id: Annotated[str, msgspec.Meta(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
    story: Id
    verdict: Verdict
    topics: Annotated[tuple[Id, ...], msgspec.Meta(max_length=20)] = ()
    article: Annotated[str, msgspec.Meta(max_length=2_000)] = ""
    other: Id = ""


class StoryPages:
    """The handlers, for one line under watch."""

    def __init__(self, watch: Watch, recorder: Recorder) -> None:
        observer = watch.observer
        self._watch = watch
        self._topics = LiveTopics(observer.settings)
        self._recorder = recorder
        self._redis, self._keys = observer.redis, observer.keys
        self._languages = observer.settings.newsroom.languages
        self._ledger = Ledger(observer.redis, observer.keys)
        self._choices = Choices(observer.redis, observer.keys)
        self._feedback = FeedbackStore(observer.redis, observer.keys)

    def add_routes(self, app: web.Application) -> None:
        """Put the handlers under /api."""
        app.router.add_get("/api/stories/{story}", self.story)
        app.router.add_post("/api/stories/decide", self.decide)

    async def story(self, request: web.Request) -> web.Response:
        """Everything that is known of one story."""
        story_id = request.match_info["story"]
        if not re.match(_ID, story_id):
            raise web.HTTPNotFound(text="that is no story\n")
        with redis_needed():
            kept = await self._entries(story_id)
            attempts = await self._ledger.attempts(ALL_ATTEMPTS)
            steps = _told(kept, story_id, self._languages)
            alert = _now(steps, self._watch.alerts.get(story_id))
            if alert is None:
                raise web.HTTPNotFound(text="there is no such story, or Redis keeps it no more\n")
            oldest = datetime.now(UTC) - DECIDED_SINCE
            decided = await self._feedback.since(max(alert.story.first_seen, oldest))
        page = StoryPage(
            story=show_story(alert),
            evidence=alert.story.evidence,
            entries=list(_entries(kept, steps))[-SHOWN_ENTRIES:],
            attempts=[one for one in attempts if one.story_id == story_id][::-1],
            decisions=[
                DecisionView.of(one)
                for one in decided
                if story_id in (one.story_id, one.other_story_id)
            ],
            others=self._others(alert),
            topics=[
                TopicName(id=topic, label=label) for topic, label in await self._right_topics()
            ],
        )
        return json_answer(page)

    async def _right_topics(self) -> list[tuple[str, str]]:
        """What a report can be said to be about, as configured now."""
        if self._topics.stale():
            await asyncio.to_thread(self._topics.read)
        return choices_of(self._topics.tables)

    async def decide(self, request: web.Request) -> web.Response:
        """Write down a decision and wait a moment for the workers to do it: 200 when it is done,
        202 when it waits for them, 409 with the reason when it cannot be done.
        """
        wish = await read_wish(request, DecideWish)
        if wish.verdict == "merge" and wish.other in ("", wish.story):
            raise web.HTTPUnprocessableEntity(text="a merge needs another story\n")
        about = " ".join(filter(None, (wish.story, wish.other, *wish.topics)))
        what = f"story: {wish.verdict.replace('_', ' ')}"
        async with self._recorder.action(request, what, about):
            # As Redis has it: a page that nobody looked at may not have heard of the story yet, and
            # a verdict without its text teaches nothing.
            steps = _told(await self._entries(wish.story), wish.story, self._languages)
            alert = _now(steps, self._watch.alerts.get(wish.story))
            press = Press(
                id=wish.id,
                choice=wish.verdict,
                story_id=wish.story,
                revision=alert.story.revision if alert else 0,
                target="",
                who=str(request.remote),
                who_name=name_of(request) or "the ops page",
            )
            feedback = msgspec.structs.replace(
                feedback_of(press, "", alert, datetime.now(UTC)),
                right_topics=wish.topics,
                article_id=wish.article,
                other_story_id=wish.other,
                via="page",
            )
            await self._choices.put(feedback)
            outcome = await self._outcome(wish.id)
            if outcome:
                raise web.HTTPConflict(text=f"{outcome}\n")
        done = outcome is not None
        return web.Response(
            status=200 if done else 202,
            body=msgspec.json.encode({"done": done}),
            content_type="application/json",
        )

    async def _entries(self, story_id: str) -> list[Kept]:
        key = self._keys.story(story_id) + ":m"
        found = await cast(Awaitable[list[bytes]], self._redis.lrange(key, 0, -1))
        return [decode_entry(raw) for raw in found]

    async def _outcome(self, wish_id: str) -> str | None:
        """What came of it; None when no worker has done it in time."""
        for _ in range(int(DONE_WITHIN_S / LOOK_EVERY_S)):
            outcome = await self._choices.outcome(wish_id)
            if outcome is not None:
                return outcome
            await asyncio.sleep(LOOK_EVERY_S)
        return None

    def _others(self, alert: Alert) -> list[OtherStory]:
        """What it could be merged with: those that share most places and topics first."""
        ours = _marks(alert)
        others = [one for one in self._watch.alerts.newest(200) if one.story.id != alert.story.id]
        others.sort(key=lambda one: len(ours & _marks(one)), reverse=True)
        return [
            OtherStory(id=one.story.id, headline=one.story.headline, last_seen=one.story.last_seen)
            for one in others[:SHOWN_OTHERS]
        ]


def _told(kept: Sequence[Kept], story_id: str, languages: tuple[str, ...]) -> Sequence[Step | None]:
    """What each entry came to. Telling a story needs numpy: 12 MB that a page on which nobody
    has opened a story does without.
    """
    from streams.chronicle import tell

    return list(tell(None, kept, story_id, languages))


def _now(steps: Sequence[Step | None], heard: Alert | None) -> Alert | None:
    """The story as it stands: its last alert, with what has happened since without ringing. What
    Redis keeps no more is as Kafka told it.
    """
    known = [step for step in steps if step is not None]
    rang = [step.alert for step in known if step.alert is not None]
    if not rang or (heard is not None and heard.story.revision > rang[-1].story.revision):
        return heard
    return msgspec.structs.replace(rang[-1], story=known[-1].folded.story)


def _marks(alert: Alert) -> set[str]:
    story = alert.story
    return {place.name for place in story.places} | {score.topic for score in story.topics}


def _entries(kept: Sequence[Kept], steps: Sequence[Step | None]) -> Iterator[Entry]:
    """The story entry by entry: what came, and whether that rang."""
    for entry, step in zip(kept, steps, strict=True):
        rang = None
        if step is not None and step.alert is not None:
            rang = Rang(
                revision=step.alert.story.revision,
                kind=step.alert.kind,
                priority=step.alert.priority,
                reason=step.alert.priority_reason,
                changes=step.alert.story.changes,
            )
        if entry.mark is not None:
            mark = entry.mark
            yield Entry(
                at=moment(mark.at), what=mark.kind, story=mark.story, title=mark.words, rang=rang
            )
        elif (facts := entry.facts) is not None:
            yield Entry(
                at=facts.reported_at,
                what="copy" if facts.copy else facts.status,
                publisher=facts.publisher,
                title=facts.title or facts.summary[:120],
                url=facts.url,
                language=facts.language,
                article_id=facts.article_id,
                likeness=round(entry.score, 2),
                rang=rang,
            )
