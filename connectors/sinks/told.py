"""What a receiver has been told of a story, and what an alert adds to that.

Level-triggered: it compares with what was told last, however many revisions lie between, so
a skipped revision loses nothing. Pure.
"""

from __future__ import annotations

import msgspec

from connectors.records import Alert, Priority
from connectors.sinks.plain_text import one_line

_RANK: dict[Priority, int] = {"routine": 0, "urgent": 1, "flash": 2}
# A receipt is a short string; a story that names more places has no news in the next one.
_MAX_PLACES, _MAX_TOLLS, _MAX_NAME_CHARS, _MAX_CORRECTION_CHARS = 12, 10, 40, 200


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a story whose growth is news to somebody who has read of it."""

    priority: Priority = "routine"
    topics: tuple[str, ...] = ()
    tolls: dict[str, int] = {}
    places: tuple[str, ...] = ()
    corrected: str = ""
    withdrawn: bool = False


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What is new, in words, one line each; not yet escaped for any syntax.
    `louder`: the priority has risen. `publisher`: who has the first new number; "" without one.
    """

    lines: tuple[str, ...]
    louder: bool
    publisher: str = ""


def told_of(alert: Alert) -> Told:
    """What a receiver knows after this alert."""
    story = alert.story
    return Told(
        priority=alert.priority,
        topics=tuple(score.topic for score in story.topics),
        tolls={
            one_line(toll.kind, _MAX_NAME_CHARS): toll.number for toll in story.tolls[:_MAX_TOLLS]
        },
        places=tuple(one_line(p.name, _MAX_NAME_CHARS) for p in story.places[:_MAX_PLACES]),
        corrected=one_line(story.corrected, _MAX_CORRECTION_CHARS),
        withdrawn=story.withdrawn,
    )


def encode_told(told: Told) -> str:
    """As a string for a receipt."""
    return msgspec.json.encode(told).decode()


def decode_told(text: str) -> Told | None:
    """From a receipt; None when it is missing or broken."""
    try:
        return msgspec.json.decode(text, type=Told) if text else None
    except msgspec.DecodeError:
        return None


def news_since(told: Told, alert: Alert) -> News:
    """What the alert adds to what was told. No lines: nothing but another publisher."""
    story, now = alert.story, told_of(alert)
    lines: list[str] = []
    publisher = ""
    if now.withdrawn and not told.withdrawn:
        lines.append("Withdrawn" + (f": {now.corrected}" if now.corrected else ""))
    elif now.corrected and now.corrected != told.corrected:
        lines.append(f"Correction: {now.corrected}")
    for toll in story.tolls[:_MAX_TOLLS]:
        before = told.tolls.get(one_line(toll.kind, _MAX_NAME_CHARS))
        if before != toll.number:
            was = f" (was {before:,})" if before is not None else ""
            said_by = toll.said_by or toll.publisher
            lines.append(f"{toll.number:,} {toll.kind}{was}, according to {said_by}")
            publisher = publisher or toll.publisher
    fresh = [score.label for score in story.topics if score.topic not in told.topics]
    if fresh:
        lines.append("Now also: " + ", ".join(fresh))
    places = [name for name in now.places if name not in told.places]
    if places and len(told.places) < _MAX_PLACES:
        lines.append("Now also in: " + ", ".join(places))
    louder = _RANK[now.priority] > _RANK[told.priority]
    if louder:
        lines.append(f"Now {now.priority}: {alert.priority_reason}")
    return News(lines=tuple(lines), louder=louder, publisher=publisher)
