"""The body of a webhook: type, timestamp and the whole alert, under 20 KB.

Its JSON Schema is in `docs/webhook.schema.json` (`webhook_schema.py`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from connectors.records import Alert, Story

MAX_BODY_BYTES = 20_000
EventType = Literal["story.new", "story.update", "story.correction", "story.withdrawn"]
_TYPES: dict[str, EventType] = {
    "new": "story.new",
    "update": "story.update",
    "correction": "story.correction",
    "withdrawn": "story.withdrawn",
}
# What a receiver gets at most before the size limit asks for less.
_MAX_ITEMS, _MAX_CHARS = 64, 2_000


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted. `timestamp` is when the newsroom's line decided on the alert; `cut`
    says that lists or texts were shortened to stay under 20 KB.
    """

    type: EventType
    timestamp: datetime
    cut: bool
    data: Alert


def encode_body(alert: Alert) -> bytes:
    """The body, the same bytes for the same alert, at most `MAX_BODY_BYTES`.

    What is too long is halved until it fits: the first publishers, the best topics stay.
    """
    items, chars = _MAX_ITEMS, _MAX_CHARS
    while True:
        story = _shortened(alert.story, items, chars)
        reason = alert.priority_reason[:chars]
        short = msgspec.structs.replace(alert, story=story, priority_reason=reason)
        body = WebhookBody(
            type=_TYPES[alert.kind], timestamp=alert.screened_at, cut=short != alert, data=short
        )
        raw = msgspec.json.encode(body)
        if len(raw) <= MAX_BODY_BYTES or (items == 1 and chars <= 20):
            return raw
        items, chars = max(1, items // 2), max(20, chars // 2)


def _shortened(story: Story, items: int, chars: int) -> Story:
    change = msgspec.structs.replace
    return change(
        story,
        headline=story.headline[:chars],
        summary=story.summary[:chars],
        corrected=story.corrected[:chars],
        changes=tuple(text[:chars] for text in story.changes[:items]),
        topics=story.topics[:items],
        evidence=tuple(
            change(
                entry,
                words=tuple(word[:chars] for word in entry.words[:items]),
                sentence=entry.sentence[:chars],
            )
            for entry in story.evidence[:items]
        ),
        places=tuple(change(place, name=place.name[:chars]) for place in story.places[:items]),
        tolls=tuple(change(toll, publisher=toll.publisher[:chars]) for toll in story.tolls[:items]),
        reports=tuple(
            change(
                report,
                publisher=report.publisher[:chars],
                title=report.title[:chars],
                # Half a URL leads nowhere.
                url=report.url if len(report.url) <= max(chars, 200) else "",
            )
            for report in story.reports[:items]
        ),
    )
