"""Alerts about invented events, as the stories room makes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.records import (
    Alert,
    AlertKind,
    Evidence,
    Place,
    Priority,
    Report,
    Story,
    Toll,
    TopicScore,
)

MORNING = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)


@dataclass(slots=True)
class Clock:
    """A clock that the test moves. Calling it gives epoch seconds."""

    moment: datetime = MORNING

    def __call__(self) -> float:
        return self.moment.timestamp()

    def now(self) -> datetime:
        """The moment as a datetime."""
        return self.moment

    def forward(self, seconds: float) -> None:
        """Move on."""
        self.moment += timedelta(seconds=seconds)


def make_report(number: int = 1, at: datetime = MORNING, **fields: Any) -> Report:
    """The report of one invented publisher."""
    return Report(
        **{
            "publisher": f"Gazette {number}",
            "article_id": f"a{number}",
            "title": f"Depot at Lindholm burns, says edition {number}",
            "url": f"https://gazette{number}.example/news/{number}?a=1&b=2",
            "reported_at": at,
            "language": "en",
            **fields,
        }
    )


def make_story(
    story_id: str = "s1", revision: int = 1, at: datetime = MORNING, **fields: Any
) -> Story:
    """A story that grows with its revision: one more publisher, two more injured each."""
    return Story(
        **{
            "id": story_id,
            "revision": revision,
            "headline": "Fuel depot at Lindholm set alight",
            "language": "en",
            "summary": "A fuel depot at Lindholm burned overnight. Police speak of sabotage.",
            "topics": (
                TopicScore(topic="sabotage", label="Sabotage", probability=0.91),
                TopicScore(topic="arson", label="Arson", probability=0.74),
            ),
            "evidence": (
                Evidence(
                    topic="sabotage",
                    words=("set alight", "fuel depot"),
                    sentence="The fuel depot was set alight by unknown men.",
                ),
            ),
            "places": (Place(name="Lindholm", country="SE", latitude=57.7, longitude=11.9),),
            "tolls": (Toll(kind="injured", number=2 * revision, publisher="Gazette 1"),),
            "reports": tuple(make_report(number, at) for number in range(1, revision + 1)),
            "article_count": revision,
            "first_seen": at,
            "last_seen": at,
            "changes": ("first report",) if revision == 1 else ("injured rose",),
            **fields,
        }
    )


def make_alert(
    story_id: str = "s1",
    revision: int = 1,
    at: datetime = MORNING,
    *,
    kind: AlertKind | None = None,
    priority: Priority = "routine",
    published_at: datetime | None = MORNING,
    **story: Any,
) -> Alert:
    """An alert of a story at a revision."""
    return Alert(
        id=f"{story_id}:{revision}",
        kind=kind or ("new" if revision == 1 else "update"),
        priority=priority,
        priority_reason="sabotage with injured",
        story=make_story(story_id, revision, at, **story),
        published_at=published_at,
        fetched_at=at,
        screened_at=at,
    )
