"""What `wirebell up` tells of the processes it has started, read from a real Redis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from connectors.sources.settings import FeedSettings, IngestSettings
from streams.briefing import FEEDS_SETTLED_S, Briefing, describe_start
from streams.heartbeat import Heartbeat, encode_heartbeat
from streams.keys import Keys
from streams.settings import RedisSettings, Settings
from streams.source_status import SourceStatus, encode_source_status

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def _settings(redis_url: str, prefix: str) -> Settings:
    feeds = tuple(
        FeedSettings(id=name, url="https://example.org/")  # type: ignore[arg-type]
        for name in ("one", "two")
    )
    return Settings(
        redis=RedisSettings(url=redis_url, prefix=prefix),  # type: ignore[arg-type]
        sources=(*feeds, IngestSettings(id="pushed")),
    )


class Room:
    """A briefing whose lines are kept, and what the processes would write."""

    def __init__(self, redis_url: str, prefix: str) -> None:
        self.lines: list[str] = []
        self.keys = Keys(prefix)
        self.redis = Redis.from_url(redis_url)
        self.briefing = Briefing(_settings(redis_url, prefix), START, self.lines.append)

    def polled(self, name: str, state: str, *, since: datetime = START, detail: str = "") -> None:
        status = SourceStatus(
            id=name,
            type="feed",
            state=state,  # type: ignore[arg-type]
            at=since,
            counted_since=since,
            polls_total=1,
            detail=detail,
        )
        self.redis.hset(self.keys.sources, name, encode_source_status(status).decode())

    def beats(self, started_at: datetime) -> None:
        beat = Heartbeat(
            process=f"worker-{started_at}",
            role="worker",
            pid=1,
            host="h",
            started_at=started_at,
            at=started_at,
            rss_bytes=1,
        )
        self.redis.hset(self.keys.processes, beat.process, encode_heartbeat(beat).decode())

    def look(self) -> list[str]:
        """What the next look tells."""
        self.briefing._next_look_at = 0
        before = len(self.lines)
        self.briefing.look()
        return self.lines[before:]


@pytest.fixture
def room(redis_url: str, redis_prefix: str) -> Room:
    return Room(redis_url, redis_prefix)


def test_the_worker_is_told_once_and_one_of_an_earlier_run_is_not(room: Room) -> None:
    room.beats(START - timedelta(minutes=1))
    assert room.look() == []
    room.beats(START + timedelta(seconds=1))
    assert "the worker is up" in room.look()[0]
    assert room.look() == []


def test_feeds_are_told_in_one_line_when_each_has_been_asked(room: Room) -> None:
    for name in ("one", "two", "pushed"):
        room.polled(name, "unreachable", since=START - timedelta(hours=1))
    assert room.look() == [], "that was an earlier run"
    room.polled("one", "unreachable")
    room.polled("two", "ok")
    assert room.look() == []
    room.polled("pushed", "empty")
    assert room.look() == [
        "1 of 2 feeds cannot be read: one (they are asked again from time to time)"
    ]
    assert room.look() == []


def test_a_source_of_ours_that_fails_is_told_with_its_reason(room: Room) -> None:
    room.polled("one", "ok")
    room.polled("two", "not_modified")
    room.polled("pushed", "unreachable", detail="cannot listen on 127.0.0.1:8086")
    assert room.look() == ["source pushed: cannot listen on 127.0.0.1:8086", "2 feeds answer"]


def test_feeds_that_nobody_has_asked_are_not_said_to_answer(room: Room) -> None:
    room.briefing._started_at -= FEEDS_SETTLED_S + 1
    assert room.look() == [], "the sources have not started"
    room.polled("one", "ok")
    assert room.look() == ["1 of 2 feeds have not been asked yet", "1 feeds answer"]


def test_a_redis_that_is_away_is_waited_for(redis_prefix: str) -> None:
    room = Room("redis://127.0.0.1:1/0", redis_prefix)
    assert room.look() == []


def test_the_start_says_where_everything_is(redis_url: str, redis_prefix: str) -> None:
    said = "\n".join(
        describe_start(_settings(redis_url, redis_prefix), embedded=(True, False), logs="var/logs")
    )
    for words in ("embedded, 127.0.0.1:9092", "2 feeds", "http://127.0.0.1:8087/", "8086/articles"):
        assert words in said
    assert "redis://" not in said, "the address of a named Redis may hold a password"
