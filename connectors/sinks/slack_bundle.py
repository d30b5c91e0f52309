"""Several stories in one Slack message: a burst, a waking summary, a digest, what a cap held
back. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.records import Alert, Priority
from connectors.sinks.sink import Reason
from connectors.sinks.slack_blocks import EVENT_TYPE, Message, clock, flag
from connectors.sinks.slack_text import (
    MAX_FALLBACK_CHARS,
    Block,
    context,
    escape,
    header,
    link,
    marked_section,
)

# Slack takes 8,000 characters of metadata; with the longest ids 60 stories need half of it.
MOST_TOGETHER = 60
_SHOWN = 15
# A longer link would push its story out of its block.
_MAX_LINK_CHARS = 300
_RANK: dict[Priority, int] = {"flash": 0, "urgent": 1, "routine": 2}


def bundle_message(alerts: Sequence[Alert], reason: Reason, zone: ZoneInfo) -> Message:
    """One message that names the stories, the most urgent first, then in order of time; its
    metadata names them all, so that each is found again.
    """
    ordered = sorted(alerts, key=lambda alert: (_RANK[alert.priority], alert.screened_at))
    title = _title(len(ordered), reason)
    newest = max(alert.screened_at for alert in ordered)
    lines = [_line(alert, zone, newest) for alert in ordered[:_SHOWN]]
    blocks: list[Block] = [header(title)]
    blocks += [marked_section([line]) for line in lines]
    if len(ordered) > _SHOWN:
        blocks.append(marked_section([f"and {len(ordered) - _SHOWN} more"]))
    blocks.append(context("A story that grows gets a message of its own."))
    headlines = "; ".join(_headline(alert) for alert in ordered[:_SHOWN])
    text = escape(f"{title}: {headlines}", MAX_FALLBACK_CHARS)
    stories = {alert.story.id: alert.story.revision for alert in ordered}
    names = ",".join(sorted(alert.id for alert in ordered))
    payload = {
        "story_id": "",
        "revision": 0,
        "part": "bundle",
        "delivery_id": hashlib.sha256(names.encode()).hexdigest()[:32],
        "stories": stories,
    }
    return Message(text, blocks, {"event_type": EVENT_TYPE, "event_payload": payload})


def _title(number: int, reason: Reason) -> str:
    stories = f"{number} stories" if number != 1 else "1 story"
    match reason:
        case "cap":
            return f"And {number} more in the last hour"
        case "waking":
            return f"While it was quiet: {stories}"
        case "digest":
            return f"Digest: {stories}"
        case "burst":
            return stories


def _headline(alert: Alert) -> str:
    """As it stands now: a story may have been withdrawn before anybody was told of it."""
    return " · ".join(part for part in (flag(alert), alert.story.headline) if part)


def _line(alert: Alert, zone: ZoneInfo, newest: datetime) -> str:
    story = alert.story
    topics = ", ".join(escape(score.label, 40) for score in story.topics[:2])
    first = story.reports[0] if story.reports else None
    where = ", ".join(escape(place.name, 40) for place in story.places[:1])
    told = " · ".join(part for part in (topics, where) if part)
    source = "" if first is None else f"{escape(first.publisher, 60)} {_link(first.url)}".strip()
    when = clock(alert.screened_at, zone, newest)
    parts = [f"{when} *{escape(_headline(alert), 140) or '…'}*"]
    # The headline may still say what was corrected.
    said = f"_{escape(story.corrected, 160)}_" if story.corrected else ""
    return " — ".join([*parts, *(part for part in (said, told, source) if part)])


def _link(url: str) -> str:
    made = link(url)
    return made if len(made) <= _MAX_LINK_CHARS else ""
