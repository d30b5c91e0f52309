"""Slack at the desk: what people press, answer and ask there, in Slack's three seconds.

Owns what each of them means for `EditorDesk`, and the answers. Does not do it: a choice is
written down before Slack is told that it was heard, and done afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Protocol

import structlog
from redis.exceptions import RedisError

from connectors.records import Evidence, Story
from connectors.sinks.settings import AnySink, SlackSettings
from connectors.sinks.slack_actions import ASKING, Choice, Press, Question, Submission, place_text
from connectors.sinks.slack_http import HttpListener
from connectors.sinks.slack_views import View, ViewOpener, report_key, reports_view, topics_view
from streams.desk import CannotTakeError, EditorDesk
from streams.feedback import Feedback
from streams.stories import Stories

# Slack waits three seconds for an answer.
ANSWER_S = 2.0
_LISTED = 10
_HELP = "Ask for one of them: /wirebell and the id at the end of its line."
_COMMANDS = "Also: /wirebell merge KEPT OTHER, /wirebell mute ID, /wirebell unmute ID."
_AWAY = "Redis does not answer; try again in a moment."
_log = structlog.get_logger(__name__)


class Opener(Protocol):
    """Who shows a window in Slack."""

    async def open(self, trigger: str, view: View) -> None:
        """Show it to whoever clicked."""
        ...


@dataclass(slots=True)
class SlackDesk:
    """The desk of one sink. `topics` says id and label of what a report can be about now, `zone_of`
    in which time zone a channel sees its times.
    """

    sink: str
    editor: EditorDesk
    stories: Stories
    opener: Opener
    topics: Callable[[], Sequence[tuple[str, str]]]
    zone_of: Callable[[str], tzinfo] = lambda channel: UTC

    async def pressed(self, press: Press) -> bool:
        """See connectors.sinks.slack_actions.Desk."""
        try:
            async with asyncio.timeout(ANSWER_S):
                if press.choice in ASKING:
                    await self._ask_back(press)
                else:
                    await self.editor.note(await self._feedback(press))
        except (TimeoutError, RedisError):
            _log.warning("a choice in Slack was not taken", story=press.story_id)
            return False
        except Exception as error:  # noqa: BLE001 - a click must not end the worker
            _log.error("a choice in Slack was not taken", story=press.story_id, error=repr(error))
            return False
        return True

    async def submitted(self, submission: Submission) -> str:
        """See connectors.sinks.slack_actions.Desk."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._note_answer(submission)
        except (TimeoutError, RedisError):
            return _AWAY
        except Exception as error:  # noqa: BLE001 - as above
            _log.error("an answer in Slack was not taken", error=repr(error))
            return "That could not be taken; the log says why."

    async def asked(self, question: Question) -> list[str]:
        """See connectors.sinks.slack_actions.Desk: "" lists open stories, an id explains one,
        "merge A B", "mute A" and "unmute A" do so.
        """
        words, zone = question.text.split(), self.zone_of(question.channel)
        try:
            async with asyncio.timeout(ANSWER_S):
                if not words or words == ["list"]:
                    return _listed(await self.stories.recent(_LISTED), zone)
                if words[0] in ("merge", "mute", "unmute"):
                    return await self._ordered(question, words)
                steps = await self.stories.steps(question.text)
        except (TimeoutError, RedisError):
            return [_AWAY]
        except Exception as error:  # noqa: BLE001 - a question must not end the worker
            _log.error("a question could not be answered", error=repr(error))
            return ["That could not be answered; the log says why."]
        if not steps:
            return ["There is no open story of that id.", _HELP, _COMMANDS]
        return _explained(steps[-1].folded.story, zone)

    async def _ask_back(self, press: Press) -> None:
        place = place_text(press.story_id, press.revision, press.target)
        alert = await self.editor.alert(press.story_id)
        if press.choice == "split" and alert is not None:
            await self.opener.open(press.trigger, reports_view(place, alert))
            return
        headline = "" if alert is None else alert.story.headline
        chosen = () if alert is None else tuple(score.topic for score in alert.story.topics)
        await self.opener.open(press.trigger, topics_view(place, headline, self.topics(), chosen))

    async def _note_answer(self, submission: Submission) -> str:
        press, picked = submission.press, submission.picked
        if press.choice == "wrong_topic":
            known = {topic for topic, _ in self.topics()}
            right = tuple(topic for topic in picked if topic in known)
            await self.editor.note(await self._feedback(press, right_topics=right))
            return ""
        alert = await self.editor.alert(press.story_id)
        reports = () if alert is None else alert.story.reports
        leaving = [each.article_id for each in reports if report_key(each) in picked]
        if not leaving:
            return "That report is no longer in this story."
        await self.editor.note(await self._feedback(press, article_id=leaving[0]))
        return ""

    async def _ordered(self, question: Question, words: Sequence[str]) -> list[str]:
        """Do what the slash command says, for every place."""
        order: Choice = "merge" if words[0] == "merge" else "mute"
        if words[0] == "unmute":
            order = "unmute"
        if len(words) != (3 if order == "merge" else 2):
            return [_COMMANDS]
        feedback = await self.editor.feedback(
            order,
            words[1],
            who=question.who,
            who_name=question.who_name,
            via="slack",
            id=question.id,
            other_story_id=words[2] if order == "merge" else "",
        )
        await self.editor.note(feedback)
        try:
            async with asyncio.timeout(ANSWER_S / 2):
                await self.editor.take(feedback)
        except CannotTakeError as error:
            return [f"Not done: {error}."]
        except TimeoutError:
            return ["Noted; it will be done in a moment."]
        return ["Done."]

    async def _feedback(
        self, press: Press, *, right_topics: Sequence[str] = (), article_id: str = ""
    ) -> Feedback:
        return await self.editor.feedback(
            press.choice,
            press.story_id,
            who=press.who,
            who_name=press.who_name,
            via="slack",
            destination=f"{self.sink}|{press.target}",
            revision=press.revision,
            id=press.id,
            right_topics=right_topics,
            article_id=article_id,
        )


def open_desks(
    sinks: Mapping[str, AnySink],
    editor: EditorDesk,
    stories: Stories,
    topics: Callable[[], Sequence[tuple[str, str]]],
) -> list[Callable[[asyncio.Event], Awaitable[None]]]:
    """What to run, until an event is set, so that people can answer: one listener for each
    Slack sink that is set up for it. `topics` says id and label of all that may be chosen.
    """
    return [
        _listening(name, entry, editor, stories, topics)
        for name, entry in sinks.items()
        if isinstance(entry, SlackSettings) and entry.interactive
    ]


def _listening(
    sink: str,
    settings: SlackSettings,
    editor: EditorDesk,
    stories: Stories,
    topics: Callable[[], Sequence[tuple[str, str]]],
) -> Callable[[asyncio.Event], Awaitable[None]]:
    async def listen(stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            opener = ViewOpener(settings)
            stack.push_async_callback(opener.close)
            desk = SlackDesk(sink, editor, stories, opener, topics, settings.zone_of)
            app_token = settings.app_token.get_secret_value()
            if app_token:
                from connectors.sinks.slack_socket import SocketListener  # for lines that have one

                await SocketListener(app_token, str(settings.api_url), desk).run(stop)
                return
            secret = settings.signing_secret.get_secret_value()
            await HttpListener(secret, settings.listen_host, settings.listen_port, desk).run(stop)

    return listen


def _moment(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%d %b %H:%M %Z}"


def _listed(stories: list[Story], zone: tzinfo) -> list[str]:
    if not stories:
        return ["No story is open."]
    lines = [
        f"{_moment(story.last_seen, zone)}  {story.headline[:120]}  "
        f"({', '.join(score.label for score in story.topics[:2])}; "
        f"{len(story.reports)} publishers)  {story.id}"
        for story in stories
    ]
    return [*lines, _HELP, _COMMANDS]


def _explained(story: Story, zone: tzinfo) -> list[str]:
    lines = [
        story.headline,
        story.summary[:250],
        "Topics: " + ", ".join(f"{s.label} {s.probability:.0%}" for s in story.topics),
    ]
    labels = {score.topic: score.label for score in story.topics}
    lines += [_why(labels.get(each.topic, each.topic), each) for each in story.evidence[:4]]
    if story.places:
        lines.append("Where: " + ", ".join(place.name for place in story.places[:8]))
    lines += [
        f"{_moment(report.reported_at, zone)}  {report.publisher}: {report.title}"
        for report in story.reports[:10]
    ]
    if story.changes:
        lines.append(f"Revision {story.revision}: " + ", ".join(story.changes))
    return [line for line in lines if line]


def _why(label: str, evidence: Evidence) -> str:
    words = ", ".join(evidence.words[:8]) or "-"
    return f"Why {label}: {words}" + (f" ({evidence.remark})" if evidence.remark else "")
