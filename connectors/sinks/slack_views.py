"""What Slack asks back: a window with the choice of topics, or of the report that leaves.

Owns the form of both and reading what was answered. Opening one is a call to Slack with a ticket
that a click brings, good for three seconds; Socket Mode and HTTP do it alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.records import Alert, Report
from connectors.sinks.http_outcome import open_session
from connectors.sinks.plain_text import one_line
from connectors.sinks.settings import SlackSettings
from connectors.sinks.slack_actions import (
    Choice,
    Press,
    Submission,
    choice_id,
    place_of,
    plain,
    table,
    who_of,
)
from connectors.sinks.slack_text import Block, plain_section

# The ticket is good for three seconds, of which Slack's answer to us takes some.
OPEN_TIMEOUT_S = 1.5
ANSWER = "answer"
_CALLBACKS: dict[str, Choice] = {"wirebell_wrong_topic": "wrong_topic", "wirebell_split": "split"}
# Slack's limits: 75 characters an option, 100 options, 24 the title.
_MAX_OPTION_CHARS, _MAX_OPTIONS = 75, 100

View = dict[str, Any]


def topics_view(
    place: str, headline: str, topics: Sequence[tuple[str, str]], chosen: Sequence[str]
) -> View:
    """Asks which topics are right; `topics` are id and label. None picked: none of them is."""
    options = [_option(label, topic) for topic, label in topics[:_MAX_OPTIONS]]
    element: Block = {
        "type": "multi_static_select",
        "action_id": "picked",
        "placeholder": plain("None of them"),
        "options": options,
    }
    initial = [option for option in options if option["value"] in chosen]
    if initial:
        element["initial_options"] = initial
    return _view("wrong_topic", place, headline, "Which topics are right?", element)


def reports_view(place: str, alert: Alert) -> View:
    """Asks which report leaves; the newest stands there. Without a choice if there is only one."""
    reports = sorted(alert.story.reports, key=lambda report: report.reported_at, reverse=True)
    if len(reports) < 2:
        text = "This story has one report: there is nothing to split off."
        return {
            "type": "modal",
            "title": plain("Split off"),
            "blocks": [plain_section(text, 200)],
        }
    options = [_option(_named(report), report_key(report)) for report in reports[:_MAX_OPTIONS]]
    element: Block = {
        "type": "static_select",
        "action_id": "picked",
        "options": options,
        "initial_option": options[0],
    }
    headline = alert.story.headline
    return _view("split", place, headline, "Which report is another story?", element)


def report_key(report: Report) -> str:
    """A report's article, short enough for an option."""
    return hashlib.sha256(report.article_id.encode("utf-8", "replace")).hexdigest()[:32]


def submission_of(payload: Mapping[str, Any]) -> Submission | None:
    """What was answered in one of our windows; None for what is not ours."""
    view = table(payload.get("view"))
    choice = _CALLBACKS.get(str(view.get("callback_id", "")))
    place = place_of(str(view.get("private_metadata", "")))
    if payload.get("type") != "view_submission" or choice is None or place is None:
        return None
    story_id, revision, target = place
    who, name = who_of(payload)
    said = choice_id(who, story_id, choice, target, str(view.get("id", "")))
    state = table(table(table(view.get("state")).get("values")).get(ANSWER)).get("picked")
    answered = table(state)
    options = answered.get("selected_options") or [answered.get("selected_option")]
    picked = (str(table(option).get("value", ""))[:150] for option in options)
    press = Press(said, choice, story_id, revision, target, who, name)
    return Submission(press, tuple(value for value in picked if value))


def refusal(sentence: str) -> dict[str, Any]:
    """Answers a submission: the window stays open and shows the sentence."""
    return {"response_action": "errors", "errors": {ANSWER: sentence}}


class ViewOpener:
    """Opens windows for one workspace. Make it inside a running event loop."""

    def __init__(self, settings: SlackSettings) -> None:
        from slack_sdk.web.async_client import AsyncWebClient  # for lines that have a Slack

        self._session = open_session(OPEN_TIMEOUT_S, allow_private=True)
        self._client = AsyncWebClient(
            token=settings.token.get_secret_value(),
            base_url=str(settings.api_url),
            session=self._session,
            retry_handlers=[],
        )

    async def open(self, trigger: str, view: View) -> None:
        """Show the window to whoever clicked. Raises what slack-sdk and aiohttp raise."""
        await self._client.views_open(trigger_id=trigger, view=view)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def _view(choice: Choice, place: str, headline: str, label: str, element: Block) -> View:
    callback = next(name for name, known in _CALLBACKS.items() if known == choice)
    asked: Block = {
        "type": "input",
        "block_id": ANSWER,
        "optional": choice == "wrong_topic",
        "label": plain(label),
        "element": element,
    }
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": place,
        "title": plain("Wrong topic" if choice == "wrong_topic" else "Split off"),
        "submit": plain("Done"),
        "close": plain("Cancel"),
        "blocks": [plain_section(headline, 200), asked],
    }


def _option(label: str, value: str) -> dict[str, Any]:
    return {"text": plain(one_line(label, _MAX_OPTION_CHARS) or "…"), "value": value}


def _named(report: Report) -> str:
    return f"{report.publisher}: {report.title}"
