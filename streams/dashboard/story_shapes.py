"""The shape of one story's page: the JSON of `/api/stories/ID`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from connectors.records import Evidence
from streams.dashboard.shapes import StoryView
from streams.feedback import Feedback
from streams.ledger import Attempt


class Rang(msgspec.Struct, frozen=True, kw_only=True):
    """The alert that an entry caused."""

    revision: int
    kind: str
    priority: str
    reason: str
    changes: tuple[str, ...]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What came to a story: a report ("published", "correction", "withdrawn"), a "copy", or what
    an editor did ("merge", "into", "left", "from", "mute", "unmute" of another `story`).
    """

    at: datetime
    what: str
    publisher: str = ""
    title: str = ""
    url: str = ""
    language: str = ""
    article_id: str = ""
    likeness: float = 0.0
    story: str = ""
    rang: Rang | None = None


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody decided about the story, and where."""

    at: datetime
    who: str
    verdict: str
    via: str
    destination: str
    right_topics: tuple[str, ...]
    other_story_id: str

    @classmethod
    def of(cls, feedback: Feedback) -> DecisionView:
        """As the record says."""
        return cls(
            at=feedback.at,
            who=feedback.who_name or feedback.who,
            verdict=feedback.verdict,
            via=feedback.via,
            destination=feedback.destination,
            right_topics=feedback.right_topics,
            other_story_id=feedback.other_story_id,
        )


class OtherStory(msgspec.Struct, frozen=True, kw_only=True):
    """A story that this one could be merged with."""

    id: str
    headline: str
    last_seen: datetime


class TopicName(msgspec.Struct, frozen=True, kw_only=True):
    """A topic to choose."""

    id: str
    label: str


class StoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of one story, oldest first."""

    story: StoryView
    evidence: tuple[Evidence, ...]
    entries: list[Entry]
    attempts: list[Attempt]
    decisions: list[DecisionView]
    others: list[OtherStory]
    topics: list[TopicName]
