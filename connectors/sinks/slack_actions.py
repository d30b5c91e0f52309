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
    "wrong_topic": "Wrong topic",
    "follow": "Follow story",
    "split": "Split off",
}
_CHOICES: dict[str, Choice] = {name: name for name in (*_BUTTONS, *_MENU)}
_MARK = "wirebell"
_MAX_BLOCK_ID_CHARS = 255
# Slack's own: what is older may be somebody's recording.
SIGNATURE_AGE_S = 300.0


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody chose something below a story. `id` is the same if Slack sends it twice;
    `target` is the destination's target as configured, `revision` what the message showed.
    """

    id: str
    choice: Choice
    story_id: str
    revision: int
    target: str
    who: str
    who_name: str


@dataclass(frozen=True, slots=True)
class Question:
    """The slash command: what stands behind it, and who asks."""

    text: str
    who: str


class Desk(Protocol):
    """Who is told of what people do."""

    async def pressed(self, press: Press) -> None:
        """Take note of a choice. Slack has been answered before; may take its time, may be
        called again with the same press, and raises nothing.
        """
        ...

    async def asked(self, question: Question) -> list[str]:
        """Answer a question in lines of outside text, within two seconds; raises nothing."""
        ...


def choices_block(alert: Alert, target: str) -> Block | None:
    """The row of buttons and the menu below a story; None where Slack has no room for its id."""
    block_id = "|".join((_MARK, alert.story.id, str(alert.story.revision), target))
    if len(block_id) > _MAX_BLOCK_ID_CHARS or "|" in alert.story.id:
        return None
    buttons = [
        {"type": "button", "action_id": choice, "text": _plain(label)}
        for choice, label in _BUTTONS.items()
    ]
    options = [{"text": _plain(label), "value": choice} for choice, label in _MENU.items()]
    menu = {"type": "overflow", "action_id": "more", "options": options}
    return {"type": "actions", "block_id": block_id, "elements": [*buttons, menu]}


def presses_of(payload: Mapping[str, Any]) -> list[Press]:
    """The choices in what Slack sends after a click; [] for what is not ours."""
    if payload.get("type") != "block_actions":
        return []
    user = _table(payload.get("user"))
    who = str(user.get("id", ""))[:40]
    name = one_line(str(user.get("username") or user.get("name") or who), 60)
    found = []
    for action in payload.get("actions") or []:
        entry = _table(action)
        option = str(_table(entry.get("selected_option")).get("value", ""))
        choice = _CHOICES.get(option or str(entry.get("action_id", "")))
        mark, _, place = str(entry.get("block_id", "")).partition("|")
        story_id, _, rest = place.partition("|")
        revision, _, target = rest.partition("|")
        if choice is None or mark != _MARK or not revision.isdecimal() or len(revision) > 9:
            continue
        said = "|".join((who, story_id, choice, target, str(entry.get("action_ts", ""))))
        press_id = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]
        found.append(Press(press_id, choice, story_id, int(revision), target, who, name))
    return found


def question_of(fields: Mapping[str, Any]) -> Question:
    """The slash command in what Slack sends."""
    return Question(str(fields.get("text", "")).strip()[:200], str(fields.get("user_id", ""))[:40])


def reply_of(lines: list[str]) -> dict[str, Any]:
    """An answer that only the asker sees; Slack parses nothing in it."""
    shown = [one_line(line, 280) for line in lines] or ["…"]
    kept: list[Block] = [
        {"type": "section", "text": _plain("\n".join(shown[start : start + 10]))}
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


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
