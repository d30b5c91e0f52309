"""The desk: what follows when somebody presses a button in Slack or asks with the slash command.

A choice goes to Kafka topic `feedback` first, then into the ledger, which brings the message
up to it like any other change. Decides nothing about stories.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from redis.exceptions import RedisError

from connectors.records import RecordError, Story, decode_alert
from connectors.sinks.settings import AnySink, SlackSettings
from connectors.sinks.sink import Verdict
from connectors.sinks.slack_actions import Press, Question
from connectors.sinks.slack_http import HttpListener
from connectors.sinks.slack_socket import SocketListener
from streams.feedback import Feedback, encode_feedback, feedback_of
from streams.ledger import Ledger
from streams.outages import StoppedWaiting, outlast
from streams.stories import Stories

# Slack waits three seconds for an answer.
ANSWER_S = 2.0
_LISTED = 10
_HELP = "Ask for one of them: /wirebell and the id at the end of its line."
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class StoryDesk:
    """The desk of one sink. `publish` returns when Kafka has confirmed the record."""

    sink: str
    ledger: Ledger
    stories: Stories
    publish: Callable[[Feedback], Awaitable[None]]
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def pressed(self, press: Press) -> None:
        """See connectors.sinks.slack_actions.Desk. Repeats while Kafka or Redis is away."""
        destination = f"{self.sink}|{press.target}"
        at = datetime.fromtimestamp(self.ledger.clock(), UTC)

        async def take() -> None:
            raw = await self.ledger.alert(press.story_id)
            try:
                alert = None if raw is None else decode_alert(raw)
            except RecordError:
                alert = None
            await self.publish(feedback_of(press, destination, alert, at))
            verdict = Verdict(id=press.id, choice=press.choice, who=press.who_name, at=at)
            await self.ledger.decide(destination, press.story_id, verdict)

        try:
            await outlast(take, called_off=self.stop.is_set)
        except StoppedWaiting:
            _log.warning("a choice in Slack was not taken", story=press.story_id)
        except Exception as error:  # noqa: BLE001 - a click must not end the worker
            _log.error("a choice in Slack was lost", story=press.story_id, error=repr(error))

    async def asked(self, question: Question) -> list[str]:
        """See connectors.sinks.slack_actions.Desk: "" lists open stories, an id explains one."""
        try:
            async with asyncio.timeout(ANSWER_S):
                if question.text in ("", "list"):
                    return _listed(await self.stories.recent(_LISTED))
                steps = await self.stories.steps(question.text)
        except (TimeoutError, RedisError):
            return ["Redis does not answer; ask again in a moment."]
        except Exception as error:  # noqa: BLE001 - a question must not end the worker
            _log.error("a question could not be answered", error=repr(error))
            return ["That could not be answered; the log says why."]
        if not steps:
            return ["There is no open story of that id.", _HELP]
        return _explained(steps[-1].folded.story)


def open_desks(
    sinks: Mapping[str, AnySink],
    ledger: Ledger,
    stories: Stories,
    send: Callable[[bytes, bytes], Awaitable[None]],
) -> list[Callable[[asyncio.Event], Awaitable[None]]]:
    """What to run, until an event is set, so that people can answer: one listener for each
    Slack sink that is set up for it. `send` takes key and value of a record of feedback.
    """

    async def publish(feedback: Feedback) -> None:
        await send(feedback.story_id.encode(), encode_feedback(feedback))

    return [
        _listening(StoryDesk(name, ledger, stories, publish), entry)
        for name, entry in sinks.items()
        if isinstance(entry, SlackSettings) and entry.interactive
    ]


def _listening(
    desk: StoryDesk, settings: SlackSettings
) -> Callable[[asyncio.Event], Awaitable[None]]:
    async def listen(stop: asyncio.Event) -> None:
        desk.stop = stop
        app_token = settings.app_token.get_secret_value()
        if app_token:
            await SocketListener(app_token, str(settings.api_url), desk).run(stop)
            return
        secret = settings.signing_secret.get_secret_value()
        await HttpListener(secret, settings.listen_host, settings.listen_port, desk).run(stop)

    return listen


def _listed(stories: list[Story]) -> list[str]:
    if not stories:
        return ["No story is open."]
    lines = [
        f"{story.last_seen:%H:%M} UTC  {story.headline[:120]}  "
        f"({', '.join(score.label for score in story.topics[:2])}; "
        f"{len(story.reports)} publishers)  {story.id}"
        for story in stories
    ]
    return [*lines, _HELP]


def _explained(story: Story) -> list[str]:
    lines = [
        story.headline,
        story.summary[:250],
        "Topics: " + ", ".join(f"{s.label} {s.probability:.0%}" for s in story.topics),
    ]
    lines += [f"Why {each.topic}: {', '.join(each.words[:8])}" for each in story.evidence[:4]]
    if story.places:
        lines.append("Where: " + ", ".join(place.name for place in story.places[:8]))
    lines += [
        f"{report.reported_at:%d %b %H:%M} UTC  {report.publisher}: {report.title}"
        for report in story.reports[:10]
    ]
    if story.changes:
        lines.append(f"Revision {story.revision}: " + ", ".join(story.changes))
    return [line for line in lines if line]
