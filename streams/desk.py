"""The desk: the one entry for what people decide, from Slack, the page and the command line.

A choice is written down first (`streams/choices.py`), then done: stories are edited, the
record is kept for training, the messages show who said so, and Kafka topic `feedback` hears of
it. Every step may be repeated, so a process may die at any of them. Decides nothing itself.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
import structlog
from redis.asyncio import Redis

from classifiers.topics import LABELS
from connectors.records import Alert, RecordError, decode_alert, encode
from connectors.sinks.plain_text import one_line
from connectors.sinks.sink import Verdict
from connectors.sinks.slack_actions import Choice, Press
from streams.choices import LOCK_S, Choices, Outgoing
from streams.editing import Editing
from streams.feedback import Feedback, Via, encode_feedback, feedback_of
from streams.feedback_store import FeedbackStore
from streams.kafka_topics import ALERTS, FEEDBACK
from streams.keys import Keys
from streams.ledger import Ledger
from streams.outages import StoppedWaiting, outlast, who_is_away

# A kill at any of these places must lose nothing; the tests kill there.
PLACES = ("noted", "edited", "stored", "decided", "done", "sent")
# How soon what another process wrote down is found here, if it does not tell us: less often while
# there is nothing.
LOOK_EVERY_S, IDLE_LOOK_S, AGAIN_S = 0.5, 2.0, 0.05
EDITS: Final = ("merge", "split", "mute", "unmute")
MOST_HEARD: Final = 1_000
_MAX_NOTE_CHARS = 80
_log = structlog.get_logger(__name__)

Send = Callable[[str, bytes, bytes], Awaitable[None]]


class CannotTakeError(Exception):
    """The choice was heard and cannot be done; the message says why, for the person."""


class StoryEditing(Protocol):
    """What people may do to stories (streams/editing.py). Each may be repeated, and returns
    the alerts by which the places that were told hear of it.

    Raises:
        LookupError: there is no such story, or no such report in it; says which.
    """

    async def merge(self, story_id: str, other_story_id: str) -> Sequence[Alert]:
        """The other story goes into the first."""
        ...

    async def split(self, story_id: str, article_id: str) -> Sequence[Alert]:
        """The report leaves into a story of its own."""
        ...

    async def mute(self, story_id: str, *, muted: bool) -> Sequence[Alert]:
        """Nothing of the story rings anywhere any more, or again."""
        ...


class FeedbackKeeper(Protocol):
    """Where the records are kept for training (streams/feedback_store.py)."""

    async def add(self, feedback: Feedback) -> None:
        """Keep it; once by its id."""
        ...

    async def since(self, at: datetime) -> list[Feedback]:
        """What was decided then or later, oldest first."""
        ...


@dataclass(slots=True)
class EditorDesk:
    """The desk of one line. Needs Redis alone: a worker tells Kafka (`run`)."""

    choices: Choices
    ledger: Ledger
    editing: StoryEditing
    store: FeedbackKeeper
    reached: Callable[[str], None] = lambda place: None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    # What this process has heard lately, should Redis forget it before it is done.
    _heard: deque[Feedback] = field(default_factory=lambda: deque(maxlen=MOST_HEARD))

    def wake(self) -> None:
        """Look now at what was written down: somebody did."""
        self._woken.set()

    async def note(self, feedback: Feedback) -> None:
        """Write the choice down; a worker does it. When it returns no kill loses it.

        Raises:
            RedisError: it is not written; say so to the person.
        """
        await self.choices.put(feedback)
        self._heard.append(feedback)
        self.reached("noted")
        self._woken.set()

    async def note_again(self) -> None:
        """Redis was emptied: write down what this process has heard. What Redis knows to be done
        stays done, what was done before it was emptied comes to the same.

        Raises:
            RedisError: repeat it.
        """
        for feedback in list(self._heard):
            await self.choices.put(feedback)
        self._woken.set()

    async def redo(self, feedback: Feedback) -> Sequence[Alert] | None:
        """Do what was decided before Redis was emptied, but tell Kafka's `feedback` nothing: it
        is from there. The alerts that follow from it; None when its story, or the place where
        it was told, is not known (yet): then nothing was changed. Repeatable.

        Raises:
            RedisError: repeat it.
        """
        try:
            alerts = await self._edit(feedback)
        except LookupError:
            return None
        shown = await self._show(feedback)
        return alerts if shown or edits_story(feedback) else None

    async def take(self, feedback: Feedback) -> None:
        """Write the choice down and do it; returns when it is done. Waits while Redis is away;
        bound it in time where somebody waits. The same id twice changes nothing.

        Raises:
            CannotTakeError: no such story or report; nothing was changed.
            StoppedWaiting: the process ends; nothing is known.
        """

        async def step() -> str:
            while True:
                await self.choices.put(feedback)
                self.reached("noted")
                outcome = await self.choices.outcome(feedback.id)
                if outcome is not None:
                    return outcome
                if not await self._do_waiting():
                    await asyncio.sleep(AGAIN_S)

        outcome = await outlast(step, called_off=self.stop.is_set)
        self._woken.set()
        if outcome:
            raise CannotTakeError(outcome)

    async def feedback(
        self,
        verdict: Choice,
        story_id: str,
        *,
        who: str,
        who_name: str = "",
        via: Via,
        destination: str = "",
        revision: int | None = None,
        id: str = "",  # noqa: A002 - the name of the field
        right_topics: Sequence[str] = (),
        other_story_id: str = "",
        article_id: str = "",
    ) -> Feedback:
        """The record of a choice, with the texts as the story stands now. `destination` "" means
        every place; `revision` is what the person saw (None: the latest); give an `id` where a
        click may come twice.
        """
        alert = await self.alert(story_id)
        if revision is None:
            revision = 0 if alert is None else alert.story.revision
        press_id = id or secrets.token_hex(16)
        press = Press(press_id, verdict, story_id, revision, "", who, who_name or who)
        made = feedback_of(press, destination, alert, self._now())
        change = {
            "right_topics": tuple(right_topics),
            "other_story_id": other_story_id,
            "article_id": article_id,
            "via": via,
        }
        return _changed(made, change)

    async def alert(self, story_id: str) -> Alert | None:
        """The latest alert of a story; None when the ledger has forgotten it."""
        raw = await self.ledger.alert(story_id)
        try:
            return None if raw is None else decode_alert(raw)
        except RecordError:
            return None

    async def run(self, stop: asyncio.Event, send: Send) -> None:
        """Do what was written down, by whomever, and tell Kafka, until `stop`. `send` takes a
        Kafka topic without prefix, key and value, and returns when Kafka has confirmed.
        """
        self.stop = stop
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again_and_again(stop, self._do_waiting))
            group.create_task(self._again_and_again(stop, lambda: self._send_outgoing(send)))

    async def _again_and_again(
        self, stop: asyncio.Event, step: Callable[[], Awaitable[bool]]
    ) -> None:
        rest_s = LOOK_EVERY_S
        while not stop.is_set():
            try:
                more = await outlast(step, called_off=stop.is_set)
            except StoppedWaiting:
                return
            if more:
                rest_s = LOOK_EVERY_S
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(rest_s):
                        await self._woken.wait()
                rest_s = LOOK_EVERY_S if self._woken.is_set() else min(2 * rest_s, IDLE_LOOK_S)
                self._woken.clear()

    async def _do_waiting(self) -> bool:
        """Do the choices that wait, the oldest first; False when none did, or another does."""
        if not (waiting := await self.choices.waiting()):
            return False
        async with self.choices.turn("doing") as mine:
            if not mine:
                return False
            async with asyncio.timeout(LOCK_S / 2):
                for feedback in await self.choices.waiting(most=len(waiting)):
                    await self._do(feedback)
        self._woken.set()
        return True

    async def _do(self, feedback: Feedback) -> None:
        try:
            alerts = await self._edit(feedback)
            self.reached("edited")
            await self.store.add(feedback)
            self.reached("stored")
            await self._show(feedback)
            self.reached("decided")
        except LookupError as error:
            reason = str(error.args[0] if error.args else error)
            _log.info("a choice cannot be done", story=feedback.story_id, reason=reason)
            await self.choices.done(feedback, reason or "there is no such story", ())
            return
        except Exception as error:
            if who_is_away(error):
                raise
            # A fault of ours must not keep the next choices waiting; the record is kept.
            _log.error("a choice failed", story=feedback.story_id, error=repr(error))
            record = Outgoing(FEEDBACK, feedback.story_id.encode(), encode_feedback(feedback))
            await self.choices.done(feedback, "it failed; the log says why", (record,))
            return
        records = [Outgoing(FEEDBACK, feedback.story_id.encode(), encode_feedback(feedback))]
        records += [Outgoing(ALERTS, each.story.id.encode(), encode(each)) for each in alerts]
        await self.choices.done(feedback, "", records)
        self.reached("done")

    async def _edit(self, feedback: Feedback) -> Sequence[Alert]:
        story_id = feedback.story_id
        if feedback.verdict == "merge":
            return await self.editing.merge(story_id, feedback.other_story_id)
        if feedback.verdict == "split":
            return await self.editing.split(story_id, await self._leaving(feedback))
        if feedback.verdict in ("follow", "unmute"):
            with suppress(LookupError):  # forgotten: nothing of it rings anyway
                return await self.editing.mute(story_id, muted=False)
        # In Slack it means this channel; elsewhere every place.
        if feedback.verdict == "mute" and not feedback.destination:
            return await self.editing.mute(story_id, muted=True)
        return ()

    async def _leaving(self, feedback: Feedback) -> str:
        """The report that leaves: the one named, or the newest."""
        alert = None if feedback.article_id else await self.alert(feedback.story_id)
        if alert is None or not alert.story.reports:
            return feedback.article_id
        return max(alert.story.reports, key=lambda report: report.reported_at).article_id

    async def _show(self, feedback: Feedback) -> bool:
        """Bring the messages up to it: in one place, or wherever the story was told. False where
        it was told nowhere.
        """
        places = [feedback.destination]
        if not feedback.destination:
            places = [place.id for place in await self.ledger.destinations()]
        verdict = Verdict(
            id=feedback.id,
            choice=feedback.verdict,
            who=one_line(feedback.who_name, 60),
            at=feedback.at,
            note=_note(feedback),
        )
        known = [await self.ledger.decide(each, feedback.story_id, verdict) for each in places]
        return any(known)

    async def _send_outgoing(self, send: Send) -> bool:
        """Tell Kafka what it has not confirmed. Two workers may tell it twice: ids are the same."""
        if not await self.choices.outgoing(most=1):
            return False
        async with self.choices.turn("sending") as mine:
            if not mine:
                return False
            for number, record in await self.choices.outgoing():
                await send(record.kafka_topic, record.key, record.value)
                self.reached("sent")
                await self.choices.confirmed([number])
        return True

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.ledger.clock(), UTC)


def edits_story(feedback: Feedback) -> bool:
    """Whether it changes the story itself; a mute of one channel does not."""
    return feedback.verdict in EDITS and not (feedback.verdict == "mute" and feedback.destination)


def open_editor_desk(
    redis: Redis, keys: Keys, window_s: float, languages: tuple[str, ...] = ("en",)
) -> EditorDesk:
    """The desk of a line, for any process that reaches its Redis. `window_s` and `languages` are
    the newsroom's: see Stories.
    """
    ledger = Ledger(redis, keys, window_s)
    editing = Editing(redis, keys, window_s, languages)
    return EditorDesk(Choices(redis, keys), ledger, editing, FeedbackStore(redis, keys))


def _changed(feedback: Feedback, change: Mapping[str, object]) -> Feedback:
    made: Feedback = msgspec.structs.replace(feedback, **change)
    return made


def _note(feedback: Feedback) -> str:
    """What the message adds to the choice: which topics are right, which report left."""
    if feedback.verdict == "wrong_topic":
        if not feedback.right_topics:
            return ""
        labels = (LABELS.get(each, each) for each in feedback.right_topics)
        return one_line("it is " + ", ".join(labels), _MAX_NOTE_CHARS)
    return ""
