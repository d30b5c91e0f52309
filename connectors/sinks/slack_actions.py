"""What people do in Slack: buttons below a story and the slash command.

Owns the form of both: the blocks that offer them, and reading what Slack sends back. Does not
listen (`slack_socket.py`, `slack_http.py`) and does not decide what follows (streams/desk.py).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from connectors.records import Alert
from connectors.sinks.plain_text import one_line
from connectors.sinks.slack_text import Block

# What is offered below a message, and what is only said elsewhere: a merge, an undone mute.
Choice = Literal[
    "relevant", "not_relevant", "mute", "wrong_topic", "follow", "split", "merge", "unmute"
]
_BUTTONS: dict[Choice, str] = {
    "relevant": "Relevant",
    "not_relevant": "Not relevant",
    "mute": "Mute story",
}
_MENU: dict[Choice, str] = {
    "wrong_topic": "Wrong topic…",
    "follow": "Follow story",
    "split": "Split off…",
}
_CHOICES: dict[str, Choice] = {name: name for name in (*_BUTTONS, *_MENU)}
_MARK = "wirebell"
_MAX_BLOCK_ID_CHARS = 255
# Slack's own: what is older may be somebody's recording.
SIGNATURE_AGE_S = 300.0


# What a choice still asks before it can be made: which topics, which report.
ASKING: frozenset[Choice] = frozenset({"wrong_topic", "split"})


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody chose something below a story. `id` is the same if Slack sends it twice;
    `target` is the destination's target as configured, `revision` what the message showed.
    `trigger` lets a question be asked back, for three seconds.
    """

    id: str
    choice: Choice
    story_id: str
    revision: int
    target: str
    who: str
    who_name: str
    trigger: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """The answer to what was asked back: the choice, and what was picked (values of options)."""

    press: Press
    picked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """The slash command: what stands behind it, who asks, and in which channel. `id` is the same
    if Slack sends it twice.
    """

    text: str
    who: str
    who_name: str = ""
    id: str = ""
    channel: str = ""


class Desk(Protocol):
    """Who is told of what people do. Each answers within two seconds and raises nothing."""

    async def pressed(self, press: Press) -> bool:
        """Take note of a choice. False: it is not written down, so Slack must not be told that
        it is; the person then sees that it failed. May be called again with the same press.
        """
        ...

    async def submitted(self, submission: Submission) -> str:
        """Take note of an answer; "" when it is written down, else a sentence for the person."""
        ...

    async def asked(self, question: Question) -> list[str]:
        """Answer a question in lines of outside text."""
        ...


def choices_block(alert: Alert, target: str) -> Block | None:
    """The row of buttons and the menu below a story; None where Slack has no room for its id."""
    block_id = place_text(alert.story.id, alert.story.revision, target)
    if len(block_id) > _MAX_BLOCK_ID_CHARS or "|" in alert.story.id:
        return None
    buttons = [
        {"type": "button", "action_id": choice, "text": plain(label)}
        for choice, label in _BUTTONS.items()
    ]
    options = [{"text": plain(label), "value": choice} for choice, label in _MENU.items()]
    menu = {"type": "overflow", "action_id": "more", "options": options}
    return {"type": "actions", "block_id": block_id, "elements": [*buttons, menu]}


def presses_of(payload: Mapping[str, Any]) -> list[Press]:
    """The choices in what Slack sends after a click; [] for what is not ours."""
    if payload.get("type") != "block_actions":
        return []
    who, name = who_of(payload)
    trigger = str(payload.get("trigger_id", ""))[:200]
    found = []
    for action in payload.get("actions") or []:
        entry = table(action)
        option = str(table(entry.get("selected_option")).get("value", ""))
        choice = _CHOICES.get(option or str(entry.get("action_id", "")))
        place = place_of(str(entry.get("block_id", "")))
        if choice is None or place is None:
            continue
        story_id, revision, target = place
        press_id = choice_id(who, story_id, choice, target, str(entry.get("action_ts", "")))
        found.append(Press(press_id, choice, story_id, revision, target, who, name, trigger))
    return found


def place_text(story_id: str, revision: int, target: str) -> str:
    """A message of ours, as it comes back with what people do: see `place_of`."""
    return "|".join((_MARK, story_id, str(revision), target))


def place_of(text: str) -> tuple[str, int, str] | None:
    """Story id, revision and target in what `choices_block` wrote; None for what is not ours."""
    mark, _, place = text.partition("|")
    story_id, _, rest = place.partition("|")
    revision, _, target = rest.partition("|")
    if mark != _MARK or not revision.isdecimal() or len(revision) > 9:
        return None
    return story_id, int(revision), target


def who_of(payload: Mapping[str, Any]) -> tuple[str, str]:
    """Id and name of the person."""
    user = table(payload.get("user"))
    who = str(user.get("id", ""))[:40]
    return who, one_line(str(user.get("username") or user.get("name") or who), 60)


def choice_id(*said: str) -> str:
    """The same for what a person did once, however often it is heard."""
    return hashlib.sha256("|".join(said).encode("utf-8", "replace")).hexdigest()[:32]


def question_of(fields: Mapping[str, Any]) -> Question:
    """The slash command in what Slack sends."""
    who = str(fields.get("user_id", ""))[:40]
    name = one_line(str(fields.get("user_name") or who), 60)
    text = str(fields.get("text", "")).strip()[:200]
    said = choice_id(who, text, str(fields.get("trigger_id", "")))
    return Question(text, who, name, said, str(fields.get("channel_id", ""))[:40])


def reply_of(lines: list[str]) -> dict[str, Any]:
    """An answer that only the asker sees; Slack parses nothing in it."""
    shown = [one_line(line, 280) for line in lines] or ["…"]
    kept: list[Block] = [
        {"type": "section", "text": plain("\n".join(shown[start : start + 10]))}
        for start in range(0, min(len(shown), 60), 10)
    ]
    return {"response_type": "ephemeral", "text": "Wirebell", "blocks": kept}


def signature_holds(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether Slack signed this body within five minutes. Compares in constant time.

    Source: docs.slack.dev, "Verifying requests from Slack".
    """
    stamp = headers.get("X-Slack-Request-Timestamp", "")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
        return False
    if abs(now - int(stamp)) > SIGNATURE_AGE_S:
        return False
    signed = b"v0:" + stamp.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    given = headers.get("X-Slack-Signature", "")
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def plain(text: str) -> dict[str, Any]:
    """A text object in which Slack parses nothing."""
    return {"type": "plain_text", "text": text, "emoji": False}


def table(value: object) -> dict[str, Any]:
    """The object, if it is one of JSON's; else an empty one."""
    return value if isinstance(value, dict) else {}
