"""How an alert looks in Slack: one message a story, and what is new in its thread. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.records import Alert, Report, Story, Toll
from connectors.sinks.plain_text import one_line
from connectors.sinks.sink import Verdict
from connectors.sinks.slack_text import (
    MAX_FALLBACK_CHARS,
    MAX_TEXT_CHARS,
    Block,
    context,
    escape,
    header,
    link,
    marked_section,
    plain_section,
)
from connectors.sinks.told import News, encode_told, told_of

EVENT_TYPE = "wirebell_story"
_MAX_SUMMARY_CHARS = 500
_MAX_PUBLISHERS = 8
_MAX_WORDS = 8
# Room for the line that counts the others.
_MORE_CHARS = 30
_CHOSEN = {
    "relevant": "relevant",
    "not_relevant": "not relevant",
    "mute": "muted",
    "wrong_topic": "wrong topic",
    "follow": "followed",
    "split": "split off",
    "merge": "merged",
    "unmute": "no longer muted",
}
_STANCES = ("mute", "follow", "unmute")
_JUDGEMENTS = ("relevant", "not_relevant", "wrong_topic")
_SIRENS = {"flash": "🔴 FLASH", "urgent": "🟠 URGENT", "routine": ""}


@dataclass(frozen=True, slots=True)
class Message:
    """What `chat.postMessage` and `chat.update` take, channel and ts aside."""

    text: str
    blocks: list[Block]
    metadata: dict[str, Any]


def story_message(
    alert: Alert,
    zone: ZoneInfo,
    updated_at: datetime | None = None,
    verdicts: Sequence[Verdict] = (),
    *,
    choices: Block | None = None,
    sent_at: datetime | None = None,
) -> Message:
    """The story's one message, whole at this revision. `sent_at` is when it was first posted,
    `updated_at` when it is an edit; `choices` are its buttons, `verdicts` what people chose.
    """
    story = alert.story
    title = " · ".join(part for part in (flag(alert), story.headline) if part)
    blocks = [header(title)]
    if story.withdrawn or story.corrected:
        word = "Withdrawn" if story.withdrawn else "Correction"
        word = "Merged" if story.merged_into else word
        said = escape(story.corrected, 500)
        blocks.append(marked_section([f"*{word}:* {said}" if said else f"*{word}*"]))
    summary = one_line(story.summary, _MAX_SUMMARY_CHARS)
    if summary:
        blocks.append(plain_section(summary, _MAX_SUMMARY_CHARS))
    blocks.append(marked_section(_facts(alert)))
    if story.reports:
        blocks.append(marked_section(_publishers(story, zone)))
    blocks.append(context(_times(alert, zone, sent_at, updated_at)))
    if verdicts:
        blocks.append(context(*_decided(verdicts, zone)))
    if choices is not None:
        blocks.append(choices)
    names = ", ".join(report.publisher for report in story.reports[:3])
    text = escape(f"{title}. {summary} ({names})", MAX_FALLBACK_CHARS)
    return Message(text, blocks, metadata(alert, "story"))


def news_message(alert: Alert, news: News, delivery_id: str) -> Message:
    """What is new, for the story's thread."""
    shown = [f"• {escape(line, 400)}" for line in news.lines]
    source = _newest(alert.story, news.publisher)
    if source is not None:
        shown.append(" ".join(part for part in (_name(source), link(source.url)) if part))
    text = escape("; ".join(news.lines), MAX_FALLBACK_CHARS)
    return Message(text, [marked_section(shown)], metadata(alert, "news", delivery_id))


def metadata(alert: Alert, part: str, delivery_id: str = "") -> dict[str, Any]:
    """By which a message is found again after doubt: story, revision, what it told."""
    payload = {
        "story_id": alert.story.id,
        "revision": alert.story.revision,
        "part": part,
        "delivery_id": delivery_id,
        "told": encode_told(told_of(alert)),
    }
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def flag(alert: Alert) -> str:
    """What stands before the headline: that it is no longer so, or how urgent it is."""
    if alert.story.withdrawn:
        return "WITHDRAWN"
    if alert.story.merged_into:
        return "MERGED"
    if alert.kind == "correction":
        return "CORRECTED"
    return _SIRENS[alert.priority]


def _facts(alert: Alert) -> list[str]:
    story = alert.story
    topics = " · ".join(f"{escape(s.label, 40)} {s.probability:.0%}" for s in story.topics[:8])
    places = ", ".join(f"{escape(p.name, 40)} ({escape(p.country, 2)})" for p in story.places[:8])
    tolls = ", ".join(
        f"{toll.number:,} {escape(toll.kind, 30)} ({_sayer(toll)})" for toll in story.tolls[:6]
    )
    reason = escape(alert.priority_reason, 200)
    rows = [
        ("Topics", topics),
        ("Why", _why(story)),
        ("Where", places),
        ("Numbers", tolls),
        ("Priority", f"{alert.priority}: {reason}" if reason else alert.priority),
    ]
    return [f"*{name}:* {value}" for name, value in rows if value]


def _sayer(toll: Toll) -> str:
    """Whom the report names, and the publisher of the report."""
    return ", ".join(escape(name, 40) for name in (toll.said_by, toll.publisher) if name)


def _why(story: Story) -> str:
    evidence = story.evidence
    words = [word for entry in evidence for word in entry.words]
    shown = ", ".join(f"“{escape(word, 40)}”" for word in list(dict.fromkeys(words))[:_MAX_WORDS])
    sentence = next((entry.sentence for entry in evidence if entry.sentence), "")
    labels = {score.topic: score.label for score in story.topics}
    remarks = "; ".join(
        f"{escape(labels.get(entry.topic, entry.topic), 40)} {entry.remark}"
        for entry in evidence[:3]
        if entry.remark
    )
    return " — ".join(part for part in (shown, escape(sentence, 240), remarks) if part)


def _publishers(story: Story, zone: ZoneInfo) -> list[str]:
    """Who reported it, the first first; what does not fit is counted."""
    lines: list[str] = []
    for number, report in enumerate(story.reports[:_MAX_PUBLISHERS], start=1):
        parts = (
            f"{number}.",
            clock(report.reported_at, zone, story.first_seen),
            _name(report),
            link(report.url),
            f"“{escape(report.title, 90)}”" if report.title else "",
        )
        line = " ".join(part for part in parts if part)
        if len("\n".join([*lines, line])) > MAX_TEXT_CHARS - _MORE_CHARS:
            break
        lines.append(line)
    more = len(story.reports) - len(lines)
    return [*lines, f"and {more} more"] if more > 0 else lines


def _name(report: Report) -> str:
    return escape(report.publisher, 60) or "unnamed publisher"


def _newest(story: Story, publisher: str = "") -> Report | None:
    """The newest report, of the publisher if one is named and stands there: below a number no
    link leads to somebody who says another.
    """
    own = [report for report in story.reports if publisher and report.publisher == publisher]
    return max(own or story.reports, key=lambda report: report.reported_at, default=None)


def _times(
    alert: Alert, zone: ZoneInfo, sent_at: datetime | None, updated_at: datetime | None
) -> str:
    first_seen = alert.story.first_seen
    moments = {
        "published": alert.published_at,
        "seen": alert.fetched_at,
        "sent": sent_at,
        "updated": updated_at,
    }
    parts = [f"{word} {clock(at, zone, first_seen)}" for word, at in moments.items() if at]
    day = first_seen.astimezone(zone).strftime("%d %b %Y")
    return " · ".join([f"{day} {zone.key}", *parts, f"story {alert.story.id}"])


def _decided(verdicts: Sequence[Verdict], zone: ZoneInfo) -> list[str]:
    """What people chose, as it stands: who muted and then follows, follows."""
    standing: dict[tuple[str, ...], Verdict] = {}
    for each in verdicts:
        about = _about(each)
        standing.pop(about, None)
        standing[about] = each
    return [
        f"{_CHOSEN.get(each.choice, each.choice)}{f' ({each.note})' if each.note else ''}: "
        f"{each.who or 'somebody'} {clock(each.at, zone, each.at)}"
        for each in standing.values()
    ]


def _about(verdict: Verdict) -> tuple[str, ...]:
    """What a later choice takes the place of: whether it rings is one for all, of judgements
    each person has one.
    """
    if verdict.choice in _STANCES:
        return ("stance",)
    judges = verdict.choice in _JUDGEMENTS and verdict.who
    return ("judged", verdict.who) if judges else ("id", verdict.id)


def clock(moment: datetime, zone: ZoneInfo, day: datetime) -> str:
    """The time in a zone, with its date where that is another than the `day` that is named."""
    here = moment.astimezone(zone)
    same = here.date() == day.astimezone(zone).date()
    return here.strftime("%H:%M" if same else "%d %b %H:%M")
