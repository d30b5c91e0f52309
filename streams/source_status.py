"""What the page knows of a source: its condition after the last poll, in Redis as JSON.

Owns the record, its writing, and the counts over the process's life. A status that cannot
be written is skipped: the next poll brings another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from connectors.poller import PollReport
from connectors.sources.source import PollState
from connectors.turns import FAILURES
from streams.keys import Keys
from streams.source_rhythm import Rhythm

# A status is worth no waiting: Redis away must not hold up the polling.
WRITE_TIMEOUT_S = 2.0
# A thousand feeds with long messages stay small.
MAX_DETAIL_CHARS = 300

SourceType = Literal["feed", "page", "files", "ingest"]


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A source after its last poll. `last_new_at` is when it last gave an article.

    `error_streak` counts failed polls in a row, over restarts, and `failing_since` is the first
    of them; `fault` means that it raised, which is a bug of ours and no fault of the site.
    `articles` and `rejected` are those of the last poll, the totals those since `counted_since`.
    `undated_total` counts articles without a date. `next_poll_at` is None for a source that will
    not be asked again. `usual_gap_s` is its longest usual silence at this hour, once learned.
    """

    id: str
    type: SourceType
    state: PollState
    at: datetime
    counted_since: datetime
    host: str = ""
    publisher: str = ""
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_new_at: datetime | None = None
    http_status: int | None = None
    detail: str = ""
    error_streak: int = 0
    failing_since: datetime | None = None
    fault: bool = False
    next_poll_at: datetime | None = None
    articles: int = 0
    rejected: int = 0
    polls_total: int = 0
    articles_total: int = 0
    rejected_total: int = 0
    undated_total: int = 0
    usual_gap_s: float | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SourceStatus)


def decode_source_status(raw: bytes | str) -> SourceStatus | None:
    """The status, or None for what is not one (an older version's, say)."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def encode_source_status(status: SourceStatus) -> bytes:
    """The status as JSON."""
    return _encoder.encode(status)


def fold(before: SourceStatus, report: PollReport, now: datetime) -> SourceStatus:
    """The status after one more poll."""
    poll = report.poll
    failed = poll.state in FAILURES
    undated = sum(1 for article in poll.articles if article.published_at is None)
    wait_s = report.next_poll_s
    return msgspec.structs.replace(
        before,
        state=poll.state,
        at=now,
        last_success_at=before.last_success_at if failed else now,
        last_failure_at=now if failed else before.last_failure_at,
        last_new_at=now if report.published else before.last_new_at,
        http_status=poll.http_status,
        detail=poll.detail[:MAX_DETAIL_CHARS],
        error_streak=before.error_streak + 1 if failed else 0,
        failing_since=before.failing_since or now if failed else None,
        fault=report.fault,
        next_poll_at=None if wait_s is None else now + timedelta(seconds=wait_s),
        articles=report.published,
        rejected=report.rejected,
        polls_total=before.polls_total + 1,
        articles_total=before.articles_total + report.published,
        rejected_total=before.rejected_total + report.rejected,
        undated_total=before.undated_total + undated,
    )


class SourceStatuses:
    """The statuses of this process's sources, kept in Redis for whoever looks."""

    def __init__(self, redis: Redis, keys: Keys, first: Collection[SourceStatus]) -> None:
        """`first` names every source, as it is before its first poll."""
        self._redis = redis
        self._key = keys.sources
        self._rhythms_key = keys.source_rhythms
        self._statuses = {status.id: status for status in first}
        self._rhythms: dict[str, Rhythm] = {}
        self._paused: set[str] = set()

    @property
    def current(self) -> Mapping[str, SourceStatus]:
        """Every source's status by its id."""
        return self._statuses

    async def resume(self) -> None:
        """Take over what an earlier process knew, and forget sources that are gone."""
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                found = await self._redis.hgetall(self._key)
                rhythms = await self._redis.hgetall(self._rhythms_key)
                gone = [name for name in found if _text(name) not in self._statuses]
                if gone:
                    await self._redis.hdel(self._key, *gone)
                    await self._redis.hdel(self._rhythms_key, *gone)
        except (RedisError, OSError, TimeoutError):
            return
        self._rhythms = {_text(name): _rhythm(raw) for name, raw in rhythms.items()}
        for raw in found.values():
            old = decode_source_status(raw)
            if old is not None and old.id in self._statuses:
                self._statuses[old.id] = msgspec.structs.replace(
                    self._statuses[old.id],
                    last_success_at=old.last_success_at,
                    last_failure_at=old.last_failure_at,
                    last_new_at=old.last_new_at,
                    error_streak=old.error_streak,
                    failing_since=old.failing_since,
                )

    def pause(self, source_ids: Collection[str]) -> None:
        """These are not asked: their silence is no habit of theirs."""
        self._paused.update(source_ids)

    def _learn(self, rhythm: Rhythm, before: SourceStatus, now: datetime) -> bool:
        """Learn from a silence that was the source's own: we asked, and it answered."""
        began, failed = before.last_new_at, before.last_failure_at
        paused = before.id in self._paused
        self._paused.discard(before.id)
        if paused or began is None or began < before.counted_since or (failed and failed > began):
            return False
        rhythm.learn(began, now)
        return True

    async def record(self, report: PollReport) -> None:
        """Fold a report in and write the status. Never raises for Redis."""
        before, now = self._statuses[report.source_id], datetime.now(UTC)
        rhythm = self._rhythms.setdefault(before.id, Rhythm())
        learned = report.published > 0 and self._learn(rhythm, before, now)
        folded = fold(before, report, now)
        status = msgspec.structs.replace(folded, usual_gap_s=rhythm.usual_s(now))
        self._statuses[report.source_id] = status
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._redis.hset(self._key, status.id, encode_source_status(status))
                if learned:
                    raw = msgspec.json.encode(rhythm)
                    await self._redis.hset(self._rhythms_key, status.id, raw)
        except (RedisError, OSError, TimeoutError):
            return


def _rhythm(raw: bytes | str) -> Rhythm:
    try:
        return msgspec.json.decode(raw, type=Rhythm)
    except msgspec.DecodeError:
        return Rhythm()


def _text(name: bytes | str) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
