"""One word for how a source does, from its status. Dead, empty, undated, quiet: different words.

Pure. Whether a word is a reason to get up is for streams/health.py to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.turns import FAILURES
from streams.health import SourceCondition, SourceSeen
from streams.source_status import SourceStatus

# One failed poll is the network's; the third in a row is the source's, unless all came within what
# a web server takes to start anew: a source asked every ten seconds is no sooner dead.
DEAD_AFTER, DEAD_AFTER_TIME = 3, timedelta(minutes=2)
# Enough articles to say that a feed gives no dates at all.
UNDATED_AFTER = 5
# Newsrooms' feeds bring something every day; local ones sleep over a night.
QUIET_AFTER = timedelta(days=1)


# A gap twice as long as the longest usual one of this hour is strange; a short one never is.
STRANGE_FACTOR, STRANGE_LEAST = 2.0, timedelta(minutes=10)
# Enough articles about something to say that all are copies.
COPIES_AFTER = 10


@dataclass(frozen=True, slots=True)
class Copies:
    """Of a source's articles that were about something: all, and the copies of others'."""

    articles: int = 0
    copies: int = 0

    @property
    def share(self) -> float | None:
        """The share of copies, 0 to 1; None while there is nothing to say it of."""
        return self.copies / self.articles if self.articles else None


_NOT_COUNTED = Copies()


def judge_source(status: SourceStatus, now: datetime, copies: Copies = _NOT_COUNTED) -> SourceSeen:
    """The condition of a source, since when, and what it said."""
    condition = _condition(status, now)
    if condition == "ok" and copies.articles >= COPIES_AFTER and copies.share == 1:
        condition = "copies"
    since = {
        "dead": status.last_success_at or status.counted_since,
        "faltering": status.last_success_at or status.counted_since,
        "quiet": status.last_new_at,
    }.get(condition)
    return SourceSeen(status.id, condition, since, say_answer(status))


def say_answer(status: SourceStatus) -> str:
    """What the last poll came to, in a few words."""
    if status.polls_total == 0:
        return ""
    http = f"HTTP {status.http_status}" if status.http_status else ""
    words = {"ok": "", "not_modified": "nothing new"}.get(status.state, status.state)
    if status.state == "empty" and status.type != "feed":
        words = "nothing new"
    return " · ".join(part for part in (http, words, status.detail) if part)


def _condition(status: SourceStatus, now: datetime) -> SourceCondition:
    if status.polls_total == 0:
        return "waiting"
    if status.state in FAILURES:
        return "dead" if _failing_long(status) else "faltering"
    if status.state == "done":
        return "done"
    if status.state == "empty" and status.type == "feed":
        return "empty"  # a folder without new files is no fault of anybody's
    if status.articles_total >= UNDATED_AFTER and status.undated_total == status.articles_total:
        return "undated"
    if status.last_new_at is not None and now - status.last_new_at > _quiet_after(status):
        return "quiet"
    return "ok"


def _failing_long(status: SourceStatus) -> bool:
    since = status.failing_since or status.counted_since
    return status.error_streak >= DEAD_AFTER and status.at - since >= DEAD_AFTER_TIME


def _quiet_after(status: SourceStatus) -> timedelta:
    if status.usual_gap_s is None:
        return QUIET_AFTER
    return max(timedelta(seconds=STRANGE_FACTOR * status.usual_gap_s), STRANGE_LEAST)
