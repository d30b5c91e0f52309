"""What `wirebell up` tells the person at the terminal about the line it has started.

Owns the words: what runs and where, when the worker is ready, which feeds cannot be
reached. Reads what the processes tell of themselves in Redis; changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from connectors.sources.settings import FeedSettings, IngestSettings, PageSettings
from streams.heartbeat import decode_heartbeat
from streams.keys import Keys
from streams.settings import Settings

LOOK_EVERY_S = 0.5
# Feeds are asked a few at a time; by then every one that answers has answered once.
FEEDS_SETTLED_S = 30.0
# Names of feeds in the one line about them; more than a screen's width helps nobody.
MOST_NAMES = 6
_KINDS = {
    "feed": "feeds",
    "page": "lists of pages",
    "files": "from files",
    "ingest": "pushed to us",
}
_TROUBLED = {"unreachable", "refused", "malformed"}


class _Polled(msgspec.Struct, frozen=True):
    """What is read of a source's status (streams/source_status.py)."""

    state: str
    counted_since: datetime
    polls_total: int = 0
    detail: str = ""


def describe_start(settings: Settings, *, embedded: tuple[bool, bool], logs: str) -> list[str]:
    """The lines that say what runs and where. `embedded`: the broker, the Redis."""
    broker, redis = embedded
    kinds = Counter(_KINDS[source.type] for source in settings.sources if source.enabled)
    kafka = settings.kafka.bootstrap_servers
    lines = [
        f"Kafka    {'embedded, ' if broker else ''}{kafka}",
        f"Redis    {f'embedded, kept in {settings.state_dir}/redis' if redis else 'yours'}",
        f"sources  {', '.join(f'{count} {kind}' for kind, count in kinds.items()) or 'none'}",
        f"page     http://{settings.page.host}:{settings.page.port}/",
        f"logs     {logs}",
    ]
    lines[3:3] = [
        f"ingest   http://{source.host}:{source.port}/articles"
        for source in settings.sources
        if isinstance(source, IngestSettings) and source.enabled and source.port
    ]
    return lines


class Briefing:
    """Tells, once each: that the worker is up, and which sources cannot be read."""

    def __init__(self, settings: Settings, since: datetime, say: Callable[[str], None]) -> None:
        """`since`: what Redis holds of before tells of an earlier run. Connects lazily."""
        self._say = say
        self._keys = Keys(settings.redis.prefix)
        self._redis = Redis.from_url(
            settings.redis.url.get_secret_value(), socket_timeout=1, socket_connect_timeout=1
        )
        enabled = [source for source in settings.sources if source.enabled]
        self._sources = {source.id for source in enabled}
        self._feeds = {
            source.id for source in enabled if isinstance(source, FeedSettings | PageSettings)
        }
        self._started_at = time.monotonic()
        self._since = since
        self._next_look_at = 0.0
        self._worker_told = False
        self._sources_told = not enabled

    def look(self) -> None:
        """Look, when it is time to, and tell what is new. Never raises for Redis."""
        now = time.monotonic()
        if (self._worker_told and self._sources_told) or now < self._next_look_at:
            return
        self._next_look_at = now + LOOK_EVERY_S
        try:
            if not self._worker_told:
                self._look_at_worker()
            if not self._sources_told:
                self._look_at_sources(late=now - self._started_at > FEEDS_SETTLED_S)
        except RedisError:
            return  # it is away: the page says so, and we look again

    def close(self) -> None:
        """Give back the connection."""
        self._redis.close()

    def _look_at_worker(self) -> None:
        raws: dict[bytes, bytes] = self._redis.hgetall(self._keys.processes)  # type: ignore[assignment]
        beats = [decode_heartbeat(raw) for raw in raws.values()]
        for beat in beats:
            fresh = beat is not None and beat.started_at >= self._since
            if beat is not None and fresh and beat.role == "worker" and not beat.stopped:
                self._worker_told = True
                self._say(f"the worker is up after {time.monotonic() - self._started_at:.1f} s")
                return

    def _look_at_sources(self, *, late: bool) -> None:
        raws: dict[bytes, bytes] = self._redis.hgetall(self._keys.sources)  # type: ignore[assignment]
        seen = {name.decode(): _polled(raw) for name, raw in raws.items()}
        polled = {
            name: status
            for name, status in seen.items()
            if status and status.polls_total and status.counted_since >= self._since
        }
        if not polled or (not late and not self._sources <= set(polled)):
            return  # what has not been asked has not answered
        self._sources_told = True
        troubled = sorted(name for name in polled if polled[name].state in _TROUBLED)
        for name in troubled:
            if name not in self._feeds:
                self._say(f"source {name}: {polled[name].detail or polled[name].state}")
        if self._feeds:
            self._tell_feeds([name for name in troubled if name in self._feeds], set(polled))

    def _tell_feeds(self, troubled: list[str], polled: set[str]) -> None:
        if waiting := len(self._feeds - polled):
            self._say(f"{waiting} of {len(self._feeds)} feeds have not been asked yet")
        if not troubled:
            self._say(f"{len(self._feeds & polled)} feeds answer")
            return
        names = ", ".join(troubled[:MOST_NAMES])
        more = f" and {len(troubled) - MOST_NAMES} more" if len(troubled) > MOST_NAMES else ""
        self._say(
            f"{len(troubled)} of {len(self._feeds)} feeds cannot be read: {names}{more}"
            " (they are asked again from time to time)"
        )


def _polled(raw: bytes) -> _Polled | None:
    try:
        return msgspec.json.decode(raw, type=_Polled)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
