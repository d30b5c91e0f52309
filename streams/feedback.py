"""What editors decide about stories: the record on Kafka topic `feedback`. It holds the text
that was judged, so that a model can learn from it when the story itself is long gone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from connectors.records import Alert
from connectors.sinks.slack_actions import Choice, Press

Via = Literal["slack", "page", "command"]


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of one person. `id` is the same if it is sent twice: drop repeats. `texts`
    are headline, summary and the titles of the reports, as they were when it was judged.
    `right_topics` are what somebody says it is about (wrong_topic; none: none of ours),
    `other_story_id` is the story that goes into this one (merge), `article_id` the report that
    leaves (split). `destination` is "" where the choice is meant for every place.
    """

    id: str
    verdict: Choice
    who: str
    who_name: str
    at: datetime
    destination: str
    story_id: str
    revision: int
    topics: tuple[str, ...]
    language: str
    article_ids: tuple[str, ...]
    texts: tuple[str, ...]
    right_topics: tuple[str, ...] = ()
    other_story_id: str = ""
    article_id: str = ""
    via: Via = "slack"


def feedback_of(press: Press, destination: str, alert: Alert | None, at: datetime) -> Feedback:
    """The record of a press. Without `alert` the line has forgotten the story; the choice is
    kept all the same.
    """
    story = None if alert is None else alert.story
    reports = () if story is None else story.reports
    texts: tuple[str, ...] = ()
    if story is not None:
        texts = (story.headline, story.summary, *(report.title for report in reports))
    return Feedback(
        id=press.id,
        verdict=press.choice,
        who=press.who,
        who_name=press.who_name,
        at=at,
        destination=destination,
        story_id=press.story_id,
        revision=press.revision,
        topics=() if story is None else tuple(score.topic for score in story.topics),
        language="" if story is None else story.language,
        article_ids=tuple(report.article_id for report in reports),
        texts=tuple(text for text in texts if text),
    )


def encode_feedback(feedback: Feedback) -> bytes:
    """As JSON for Kafka."""
    return msgspec.json.encode(feedback)


def decode_feedback(raw: bytes) -> Feedback:
    """From JSON. Raises msgspec.DecodeError for what is none."""
    return msgspec.json.decode(raw, type=Feedback)
