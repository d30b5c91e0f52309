"""Is the line healthy, and if not, why and since when: observations in, one verdict out.

Pure: no clock, no I/O. streams/observations.py gathers what it looks at; the page, `wirebell
status` and /readyz say what it decides. Down: nothing rings. Degraded: something rings late,
or not at all for somebody. A note is worth knowing and no reason to get up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Literal

from streams.lag import PartitionLag, evaluate, lag_seconds

State = Literal["healthy", "degraded", "down"]
Level = Literal["note", "degraded", "down"]
SourceCondition = Literal[
    "ok", "waiting", "done", "paused", "quiet", "copies", "empty", "undated", "faltering", "dead"
]

# A process beats each second, at rest each third. Three missed beats are silence; a garbage
# collection is not.
SILENT_AFTER = timedelta(seconds=10)
# Processes of a line that was just started need this long to report (a model is loaded).
STARTING_FOR = timedelta(seconds=30)
# A process that died this long ago and left others of its role was scaled away.
FORGOTTEN_AFTER = timedelta(minutes=15)
# The clock may step back: an heir was seen to start a second before the last beat of the dead.
_CLOCK_SLACK = timedelta(seconds=3)
# An alert that waits longer has failed at least once (attempts time out after 15 s).
WAITING_AFTER = timedelta(seconds=60)
# An idle line takes two seconds at most; a minute is one of three that an editor can do without.
MISSED_AFTER = timedelta(seconds=60)
# A lost canary in a row may be a restart's; three are the line's.
LOST_AFTER = 3
_RANK: dict[str, int] = {"note": 0, "degraded": 1, "down": 2}
# Why doubtful articles were not read twice, and what to do about it.
_UNREAD = {
    "behind": ("Workers are behind", "add a worker, or raise classifier.reader_patience_s"),
    "broken": ("The slow reader cannot be loaded", "the worker's log says why"),
}


@dataclass(frozen=True, slots=True)
class Dependency:
    """Redis or the broker: whether it answers, since when, and what it said if not."""

    name: str
    ok: bool
    since: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ProcessSeen:
    """A process by its last heartbeat; `model` is the version that a worker uses."""

    process: str
    role: str
    host: str
    pid: int
    started_at: datetime
    at: datetime
    stopped: bool = False
    model: str = ""


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """A source by its last poll. `since` is when this condition began."""

    id: str
    condition: SourceCondition
    since: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BacklogSeen:
    """What waits for one subscription at one sink, and what the last attempt said."""

    subscription: str
    sink: str
    target: str
    waiting: int
    oldest_at: datetime | None
    detail: str = ""
    turned_off: bool = False


@dataclass(frozen=True, slots=True)
class DeadLettersSeen:
    """Dead letters of one stage and reason: all, and those of the last ten minutes."""

    stage: str
    reason: str
    total: int
    recent: int


@dataclass(frozen=True, slots=True)
class CanarySeen:
    """An article of ours on its way through the line: when it was sent and came back.
    `fault`: Kafka did not take it.
    """

    number: int
    sent_at: datetime
    back_at: datetime | None = None
    fault: str = ""

    def took(self, now: datetime) -> timedelta:
        """Its round trip, as long as it has been so far."""
        return (self.back_at or now) - self.sent_at

    def missed(self, now: datetime) -> bool:
        """Whether it did not come back in time."""
        return bool(self.fault) or self.took(now) > MISSED_AFTER


@dataclass(frozen=True, slots=True)
class Observation:
    """All that the rules look at, at one moment. Empty tuples mean nothing is known, which
    is why an away Redis or broker is judged first and silences what hangs on it.
    `watching_since` is when the looking began: a line that starts is not a line that is down.
    `drifted` are the topics whose probabilities are no longer those of training; `stoppage` is why
    the last worker stopped itself, while the next one waits. `unread` is how many doubtful articles
    were lately decided without the slow reader, by why.
    """

    at: datetime
    watching_since: datetime
    redis: Dependency
    broker: Dependency
    expected_roles: tuple[str, ...] = ("worker",)
    processes: tuple[ProcessSeen, ...] = ()
    partitions: tuple[PartitionLag, ...] = ()
    sources: tuple[SourceSeen, ...] = ()
    backlogs: tuple[BacklogSeen, ...] = ()
    dead_letters: tuple[DeadLettersSeen, ...] = ()
    canaries: tuple[CanarySeen, ...] = ()
    drifted: tuple[str, ...] = ()
    stoppage: str = ""
    unread: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `key` tells it from others over time."""

    key: str
    level: Level
    room: str
    words: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one answer: a state, its cause in words, since when, and all findings, worst first."""

    state: State
    words: str
    since: datetime
    at: datetime
    findings: tuple[Finding, ...] = ()


def judge(seen: Observation, previous: Verdict | None = None) -> Verdict:
    """Apply every rule. `previous` only keeps since-when for what goes on unchanged."""
    found = [*_dependencies(seen), *_partitions(seen)]
    if seen.redis.ok:
        found += [*_processes(seen), *_sources(seen), *_backlogs(seen), *_dead_letters(seen)]
        found += [*_canary(seen), *_model(seen)]
    findings = tuple(
        sorted(_keep_since(found, previous), key=lambda one: (-_RANK[one.level], one.since))
    )
    worst = [one for one in findings if one.level != "note"]
    if not worst:
        since = previous.since if previous and previous.state == "healthy" else seen.at
        return Verdict("healthy", "Every stage is moving", since, seen.at, findings)
    state: State = "down" if worst[0].level == "down" else "degraded"
    causes = [one for one in worst if one.level == worst[0].level]
    others = len(worst) - 1
    words = worst[0].words + (f" (and {others} more)" if others else "")
    return Verdict(state, words, min(one.since for one in causes), seen.at, findings)


def is_silent(process: ProcessSeen, now: datetime) -> bool:
    """Whether a process has missed its beats without having stopped by intent."""
    return not process.stopped and now - process.at > SILENT_AFTER


def say_duration(span: timedelta) -> str:
    """A time span as one speaks of it: "8 s", "6 min", "3 h", "2 days"."""
    seconds = max(0, int(span.total_seconds()))
    for unit_s, unit in ((172_800, "days"), (7_200, "h"), (120, "min")):
        if seconds >= unit_s:
            size = {"days": 86_400, "h": 3_600, "min": 60}[unit]
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _dependencies(seen: Observation) -> Iterator[Finding]:
    for dependency, meaning in (
        (seen.redis, "no article is decided and no alert sent until it is back"),
        (seen.broker, "no article comes in until it is back"),
    ):
        if not dependency.ok:
            detail = f" ({dependency.detail})" if dependency.detail else ""
            words = f"{dependency.name} is away{detail}: {meaning}"
            yield Finding(dependency.name, "down", dependency.name, words, dependency.since)


def _processes(seen: Observation) -> Iterator[Finding]:
    roles = dict.fromkeys((*seen.expected_roles, *(one.role for one in seen.processes)))
    for role in roles:
        ours = [one for one in seen.processes if one.role == role]
        alive = [one for one in ours if not one.stopped and not is_silent(one, seen.at)]
        lost = _lost(ours, alive, seen.at)
        if not alive and role == "worker" and seen.stoppage:
            words = (
                f"Workers wait, since all that the last one took became dead letters: "
                f"{seen.stoppage} (wirebell dead-letters go-on lets them work at once)"
            )
            yield Finding("stoppage", "down", role, words, seen.at)
        elif not alive and role in seen.expected_roles:
            yield _no_process(role, ours, seen)
        elif lost and alive:
            silent = max(seen.at - one.at for one in lost)
            names = ", ".join(f"{one.host} pid {one.pid}" for one in lost)
            words = (
                f"{len(lost)} of {len(lost) + len(alive)} {role} processes silent"
                f" for {say_duration(silent)} ({names})"
            )
            yield Finding(f"silent {role}", "degraded", role, words, min(one.at for one in lost))


def _lost(ours: list[ProcessSeen], alive: list[ProcessSeen], now: datetime) -> list[ProcessSeen]:
    """Silent processes that no younger one has replaced, one for one."""
    silent = sorted((one for one in ours if is_silent(one, now)), key=lambda one: one.at)
    successors = sorted(one.started_at for one in ours if one in alive or one.stopped)
    lost = []
    for one in silent:
        heir = next((start for start in successors if start > one.at - _CLOCK_SLACK), None)
        if heir is not None:
            successors.remove(heir)
        elif now - one.at < FORGOTTEN_AFTER:
            lost.append(one)
    return lost


def _no_process(role: str, ours: list[ProcessSeen], seen: Observation) -> Finding:
    now = seen.at
    effect = "nothing is decided" if role == "worker" else "nothing comes in"
    if not ours:
        starting = now - seen.watching_since < STARTING_FOR
        words = f"No {role} process has reported yet: {effect}"
        level: Level = "degraded" if starting else "down"
        since = seen.watching_since if starting else now
        return Finding(f"no {role}", level, role, words, since)
    last = max(ours, key=lambda one: one.at)
    how = "stopped" if last.stopped else "was last heard"
    words = f"No {role} process is alive ({how} {say_duration(now - last.at)} ago): {effect}"
    return Finding(f"no {role}", "down", role, words, last.at)


def _partitions(seen: Observation) -> Iterator[Finding]:
    if not seen.broker.ok or not seen.partitions:
        return
    states = [(one, evaluate(one, seen.at)) for one in seen.partitions]
    lagging = [(one, state) for one, state in states if one.lag > 0]
    stopped = bool(lagging) and all(state == "stop" for _, state in lagging)
    for partition, state in states:
        if state == "ok":
            continue
        name = f"{partition.kafka_topic}/{partition.partition}"
        waited = say_duration(timedelta(seconds=lag_seconds(partition, seen.at)))
        still = say_duration(seen.at - partition.moved_at)
        waiting = f"{partition.lag} {partition.kafka_topic} wait, the oldest {waited}"
        words = {
            "warn": f"Workers fall behind on {name}: {waiting}",
            "stall": f"Nothing is taken from {name} for {still}: {waiting}",
            "stop": f"Nothing is taken from {name} for {still}: {waiting}",
            "rewind": f"The offset of {name} went back: {partition.kafka_topic} are taken again",
        }[state]
        level: Level = "down" if state == "stop" and stopped else "degraded"
        since = partition.moved_at if state in {"stall", "stop"} else seen.at
        yield Finding(f"lag {name} {state}", level, "lag", words, since)


def _sources(seen: Observation) -> Iterator[Finding]:
    dead = [one for one in seen.sources if one.condition == "dead"]
    working = [one for one in seen.sources if one.condition not in {"dead", "paused"}]
    if dead and not working:
        since = max((one.since for one in dead if one.since), default=seen.at)
        words = f"Every source is dead ({len(dead)}): nothing comes in"
        yield Finding("every source dead", "down", "sources", words, since)
        return
    for condition, words in (
        ("dead", "cannot be reached"),
        ("empty", "answer without items"),
        ("undated", "give no dates"),
        ("quiet", "are strangely quiet"),
        ("copies", "bring only copies of others"),
        ("paused", "are paused"),
    ):
        some = [one for one in seen.sources if one.condition == condition]
        if condition == "paused":  # by a person, who may forget it; not by the configuration
            some = [one for one in some if one.since]
        if some:
            since = min((one.since for one in some if one.since), default=seen.at)
            names = ", ".join(one.id for one in some[:3]) + (", ..." if len(some) > 3 else "")
            text = f"{len(some)} of {len(seen.sources)} sources {words} ({names})"
            yield Finding(f"sources {condition}", "note", "sources", text, since)


def _backlogs(seen: Observation) -> Iterator[Finding]:
    for one in seen.backlogs:
        place = f"{one.sink} {one.target}".strip()
        key = f"delivery {one.subscription} {place}"
        detail = f": {one.detail}" if one.detail else ""
        if one.turned_off:
            words = f"{place} is turned off ({one.subscription}){detail}"
            yield Finding(f"{key} off", "degraded", "deliveries", words, seen.at)
        elif one.oldest_at and one.waiting and seen.at - one.oldest_at > WAITING_AFTER:
            noun = "alert waits" if one.waiting == 1 else "alerts wait"
            waited = say_duration(seen.at - one.oldest_at)
            words = f"{one.waiting} {noun} for {place}, the oldest {waited}{detail}"
            yield Finding(key, "degraded", "deliveries", words, one.oldest_at)


def _dead_letters(seen: Observation) -> Iterator[Finding]:
    for stage in dict.fromkeys(one.stage for one in seen.dead_letters if one.recent):
        ours = [one for one in seen.dead_letters if one.stage == stage and one.recent]
        count = sum(one.recent for one in ours)
        reasons = ", ".join(dict.fromkeys(one.reason for one in ours))
        noun = "dead letter" if count == 1 else "dead letters"
        words = f"{count} {noun} in ten minutes at {stage}: {reasons}"
        # A publisher's broken item is the publisher's; further on it is an article or an
        # alert of ours that somebody does not get.
        level: Level = "note" if stage == "source" else "degraded"
        yield Finding(f"dead letters {stage}", level, "dead letters", words, seen.at)


def _canary(seen: Observation) -> Iterator[Finding]:
    """The last canaries that are back or overdue. Queued behind others is late, not lost."""
    if not seen.broker.ok:
        return
    settled = [one for one in seen.canaries if one.back_at or one.missed(seen.at)]
    missed = list(takewhile(lambda one: one.missed(seen.at), reversed(settled)))
    if not missed:
        return
    last, since = missed[0], missed[-1].sent_at
    lost = [one for one in missed if one.back_at is None]
    took = say_duration(last.took(seen.at))
    words = f"A test article did not come through the line within 60 s (sent {took} ago)"
    if last.back_at:
        words = f"A test article took {took} through the line"
    elif last.fault:
        words = f"Kafka did not take a test article: {last.fault}"
    elif len(missed) > 1:
        span = say_duration(seen.at - since)
        words = f"No test article has come through the line in time for {span}"
    queued = any(one.lag and seen.at - one.moved_at < MISSED_AFTER for one in seen.partitions)
    level: Level = "down" if len(lost) >= LOST_AFTER and not queued else "degraded"
    yield Finding("canary", level, "canary", words, since)


def _model(seen: Observation) -> Iterator[Finding]:
    """What is worth knowing of the model; whether it is wrong only people can say."""
    for reason, (cause, remedy) in _UNREAD.items():
        if count := seen.unread.get(reason, 0):
            noun = "article was" if count == 1 else "articles were"
            words = f"{cause}: {count:,} doubtful {noun} decided by the fast model alone ({remedy})"
            yield Finding(f"unread {reason}", "degraded", "quality", words, seen.at)
    if seen.drifted:
        names = ", ".join(seen.drifted[:3]) + (", ..." if len(seen.drifted) > 3 else "")
        noun = "topic" if len(seen.drifted) == 1 else "topics"
        words = f"Probabilities have drifted from their reference on {len(seen.drifted)} {noun}"
        yield Finding("drift", "note", "quality", f"{words} ({names})", seen.at)
    living = [one for one in seen.processes if not one.stopped and not is_silent(one, seen.at)]
    versions = sorted({one.model for one in living if one.model})
    if len(versions) > 1:
        words = f"Workers use {len(versions)} models ({', '.join(versions)})"
        yield Finding("models differ", "note", "quality", words, seen.at)


def _keep_since(found: list[Finding], previous: Verdict | None) -> list[Finding]:
    """What was already so at the last verdict keeps its earlier since-when."""
    before = {one.key: one.since for one in previous.findings} if previous else {}
    return [replace(one, since=min(one.since, before.get(one.key, one.since))) for one in found]
