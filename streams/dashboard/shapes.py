"""The shape of what the page shows: the one JSON of the event stream and of `/api`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from connectors.records import Place, Report, Toll, TopicScore
from streams.health import Level, State
from streams.lag import LagState
from streams.ledger import Attempt


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the verdict."""

    state: str
    words: str
    at: datetime


class FindingView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it should be."""

    level: Level
    room: str
    words: str
    since: datetime


class VerdictView(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict with everything that was found, worst first."""

    state: State
    words: str
    since: datetime
    findings: list[FindingView]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of the way: how many in all, and how many a minute now."""

    id: str
    label: str
    total: int
    per_minute: float


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds between two clocks on the way, over the last ten minutes."""

    id: str
    label: str
    p50: float | None
    p95: float | None
    p99: float | None
    count: int


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The way of the articles. `since` is when the oldest process counted here began."""

    since: datetime | None
    stages: list[Stage]
    dropped: list[Stage]
    latencies: list[Latency]


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """One partition: how far the workers are behind, in seconds and in records."""

    kafka_topic: str
    partition: int
    state: LagState
    seconds: float
    records: int
    committed: int
    end: int


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process by its heartbeat."""

    role: str
    host: str
    pid: int
    state: str
    started_at: datetime
    at: datetime
    rss_bytes: int
    model: str = ""


class DestinationView(msgspec.Struct, frozen=True, kw_only=True):
    """One place that is told, and how that goes. `attempts`, of them `delivered` and `limited`
    (answered with 429), are those of the log's last hour; `oldest_at` is since when the one that
    has waited longest should have gone out.
    """

    id: str
    sink: str
    target: str
    waiting: int
    in_flight: int
    told_at: datetime | None
    failing_since: datetime | None
    next_at: datetime | None
    off: str
    detail: str
    oldest_at: datetime | None = None
    attempts: int = 0
    delivered: int = 0
    limited: int = 0


class CanaryView(msgspec.Struct, frozen=True, kw_only=True):
    """The test articles of the last hour: the last that is back, and how many did not come
    back in time.
    """

    sent: int
    missed: int
    back_at: datetime | None
    seconds: float | None


class DeadLetterGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of one stage and reason."""

    stage: str
    reason: str
    total: int
    recent: int


class SourceView(msgspec.Struct, frozen=True, kw_only=True):
    """One source: its condition in a word, and what it last answered."""

    id: str
    type: str
    condition: str
    since: datetime | None = None
    answer: str = ""
    articles: int = 0
    rejected: int = 0
    last_new_at: datetime | None = None
    last_success_at: datetime | None = None
    failures: int = 0
    next_poll_at: datetime | None = None
    undated_share: float | None = None
    copies_share: float | None = None
    usual_gap_s: float | None = None
    can_pause: bool = True


class StoryView(msgspec.Struct, frozen=True, kw_only=True):
    """A story by its latest alert. `evidence` are the words that decided, best first."""

    id: str
    revision: int
    kind: str
    priority: str
    priority_reason: str
    headline: str
    language: str
    summary: str
    topics: tuple[TopicScore, ...]
    evidence: list[str]
    sentences: list[str]
    places: tuple[Place, ...]
    tolls: tuple[Toll, ...]
    reports: tuple[Report, ...]
    article_count: int
    first_seen: datetime
    last_seen: datetime
    changes: tuple[str, ...]
    corrected: str
    withdrawn: bool
    muted: bool = False
    merged_into: str = ""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the page but the stories and the charts."""

    at: datetime
    time_zone: str
    verdict: VerdictView
    changes: list[Change]
    way: Way
    lag: list[Lag]
    processes: list[Process]
    sources: list[SourceView]
    destinations: list[DestinationView]
    attempts: list[Attempt]
    dead_letters: list[DeadLetterGroup]
    dead_letters_total: int
    canary: CanaryView | None
