"""When those who run the line are told of its verdict: once it has held, grouped, and again
when it is over.

Pure: verdicts in, notices out. Who sends them is streams/incident_desk.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from connectors.sinks.notices import MAX_CAUSE_CHARS, Notice, State
from streams.health import Finding, Verdict, say_duration


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident that people were told of: the last notice, and what it named."""

    notice: Notice
    causes: frozenset[str]


class Incidents:
    """Follows the verdict of one line. What began while an incident is open belongs to it."""

    def __init__(self, hold: timedelta, told: Incident | None = None) -> None:
        """`hold`: how long a change has to last; `told` is what an earlier process told."""
        self._hold = hold
        self._told = told
        self._changed_at: datetime | None = None
        self._wanted: tuple[State, frozenset[str]] | None = None

    @property
    def open(self) -> Incident | None:
        """The incident that people know of."""
        return self._told

    def follow(self, verdict: Verdict) -> Notice | None:
        """A notice when what people know has been out of date for as long as the hold-off.

        A cause that comes or goes starts no new wait: one that flickers is told of all the
        same, once an interval. Only a line that is well again must stay so.
        """
        causes = frozenset() if verdict.state == "healthy" else _keys(verdict)
        wanted = (verdict.state, causes)
        known: tuple[State, frozenset[str]] = ("healthy", frozenset())
        if self._told is not None:
            known = (self._told.notice.state, self._told.causes)
        if wanted == known or (wanted[0] == known[0] and wanted[1] <= known[1]):
            self._changed_at = None
            return None
        recovering = self._wanted is not None and self._wanted[0] == "healthy"
        if self._changed_at is None or (verdict.state == "healthy") != recovering:
            self._changed_at = verdict.at
        self._wanted = wanted
        if verdict.at - self._changed_at < self._hold:
            return None
        return self._tell(verdict, causes)

    def _tell(self, verdict: Verdict, causes: frozenset[str]) -> Notice:
        before = self._told.notice if self._told else None
        since = before.since if before else verdict.since
        found = [one for one in verdict.findings if one.level != "note"]
        title = verdict.words
        if verdict.state == "healthy":
            found, title = (
                [],
                f"Every stage is moving again, after {say_duration(verdict.at - since)}",
            )
        notice = Notice(
            incident=before.incident if before else f"incident-{int(since.timestamp())}",
            number=before.number + 1 if before else 1,
            state=verdict.state,
            title=title[:MAX_CAUSE_CHARS],
            causes=tuple(_say(one) for one in found),
            since=since,
            at=verdict.at,
        )
        over = verdict.state == "healthy"
        self._told = None if over else Incident(notice=notice, causes=causes)
        self._changed_at = self._wanted = None
        return notice


def _keys(verdict: Verdict) -> frozenset[str]:
    return frozenset(one.key for one in verdict.findings if one.level != "note")


def _say(one: Finding) -> str:
    return f"{one.level}: {one.words}"[:MAX_CAUSE_CHARS]
