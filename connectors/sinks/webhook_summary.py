"""The body of a webhook that tells of several stories: what a cap held back, a waking summary, a
digest. Under 20 KB; what does not fit is a number. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from connectors.records import Alert, AlertKind, Priority
from connectors.sinks.sink import Delivery, Reason
from connectors.sinks.webhook_body import MAX_BODY_BYTES

# As many as Slack's message of several holds.
MOST_TOGETHER = 60
_MAX_HEADLINE_CHARS, _MAX_NAME_CHARS, _MAX_URL_CHARS, _MAX_TOPICS = 200, 100, 500, 4
_RANK: dict[Priority, int] = {"flash": 0, "urgent": 1, "routine": 2}


class SummaryStory(msgspec.Struct, frozen=True, kw_only=True):
    """One story in a few words; its next revision comes whole, in a request of its own."""

    id: str
    revision: int
    kind: AlertKind
    priority: Priority
    headline: str
    topics: tuple[str, ...]
    publisher: str
    url: str
    screened_at: datetime


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`number` stories, the most urgent first; `more` of them did not fit ("and 14 more").
    `reason`: beyond the cap of an hour, the end of quiet hours, a digest's time.
    """

    reason: Reason
    number: int
    more: int
    stories: tuple[SummaryStory, ...]


class SummaryBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted. `timestamp` is when the newsroom's line decided on the last of them."""

    type: Literal["stories.summary"] = "stories.summary"
    timestamp: datetime
    data: Summary


def encode_summary(alerts: Sequence[Alert], reason: Reason) -> bytes:
    """The body, the same bytes for the same alerts, at most `MAX_BODY_BYTES`."""
    ordered = sorted(alerts, key=lambda alert: (_RANK[alert.priority], alert.screened_at, alert.id))
    stories = [_story(alert) for alert in ordered]
    timestamp = max(alert.screened_at for alert in alerts)
    for shown in range(len(stories), -1, -1):
        summary = Summary(
            reason=reason,
            number=len(stories),
            more=len(stories) - shown,
            stories=tuple(stories[:shown]),
        )
        raw = msgspec.json.encode(SummaryBody(timestamp=timestamp, data=summary))
        if len(raw) <= MAX_BODY_BYTES:
            break
    return raw


def summary_id(deliveries: Sequence[Delivery]) -> str:
    """The same for the same stories at the same revisions to the same place."""
    names = ",".join(sorted(each.id for each in deliveries))
    return "summary:" + hashlib.sha256(names.encode()).hexdigest()[:32]


def _story(alert: Alert) -> SummaryStory:
    story = alert.story
    first = story.reports[0] if story.reports else None
    return SummaryStory(
        id=story.id,
        revision=story.revision,
        kind=alert.kind,
        priority=alert.priority,
        headline=story.headline[:_MAX_HEADLINE_CHARS],
        topics=tuple(score.topic for score in story.topics[:_MAX_TOPICS]),
        publisher="" if first is None else first.publisher[:_MAX_NAME_CHARS],
        # Half a URL leads nowhere.
        url="" if first is None or len(first.url) > _MAX_URL_CHARS else first.url,
        screened_at=alert.screened_at,
    )
