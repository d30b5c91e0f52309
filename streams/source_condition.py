"""One word for how a source does, from its status. Dead, empty, undated, quiet: different words.

Pure. Whether a word is a reason to get up is for streams/health.py to say.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.turns import FAILURES
from streams.health import SourceCondition, SourceSeen
from streams.source_status import SourceStatus

# One failed poll is the network's; the third in a row is the source's.
DEAD_AFTER = 3
# Enough articles to say that a feed gives no dates at all.
UNDATED_AFTER = 5
# Newsrooms' feeds bring something every day; local ones sleep over a night.
QUIET_AFTER = timedelta(days=1)


def judge_source(status: SourceStatus, now: datetime) -> SourceSeen:
    """The condition of a source, since when, and what it said."""
    condition = _condition(status, now)
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
        dead = status.error_streak >= DEAD_AFTER or status.last_success_at is None
        return "dead" if dead else "faltering"
    if status.state == "done":
        return "done"
    if status.state == "empty" and status.type == "feed":
        return "empty"  # a folder without new files is no fault of anybody's
    if status.articles_total >= UNDATED_AFTER and status.undated_total == status.articles_total:
        return "undated"
    if status.last_new_at is not None and now - status.last_new_at > QUIET_AFTER:
        return "quiet"
    return "ok"
