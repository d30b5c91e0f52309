"""Fills what the page shows from what the observer saw.

No I/O, no markup: untrusted text (headlines, names, receivers' answers) goes out as JSON
strings and stays text in the page. The shapes are in shapes.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from connectors.records import Alert
from streams.dashboard.shapes import (
    CanaryView,
    Change,
    DeadLetterGroup,
    DestinationView,
    FindingView,
    Lag,
    Latency,
    Process,
    Snapshot,
    SourceView,
    Stage,
    StoryView,
    VerdictView,
    Way,
)
from streams.health import Finding, Verdict, is_silent
from streams.lag import evaluate, lag_seconds
from streams.ledger import Attempt, DestinationState
from streams.metrics import DROP_REASONS
from streams.observations import Observer
from streams.tally import Quantiles

_LATENCIES = (
    ("published_to_seen", "Published to seen"),
    ("seen_to_screened", "Seen to decided"),
    ("screened_to_delivered", "Decided to delivered"),
)
SHOWN_ATTEMPTS = 12
LATELY = timedelta(hours=1)
TOO_MANY = 429


def show(observer: Observer, verdict: Verdict, changes: list[Change]) -> Snapshot:
    """The page at the verdict's moment."""
    now = verdict.at
    return Snapshot(
        at=now,
        time_zone=observer.settings.newsroom.time_zone,
        verdict=_verdict(verdict),
        changes=changes,
        way=_way(observer, now),
        lag=_lag(observer, now),
        processes=_processes(observer, now),
        sources=_sources(observer, now),
        destinations=_destinations(observer, now),
        attempts=list(observer.attempts[:SHOWN_ATTEMPTS]),
        dead_letters=[
            DeadLetterGroup(stage=one.stage, reason=one.reason, total=one.total, recent=one.recent)
            for one in observer.observe(now).dead_letters
        ],
        dead_letters_total=observer.ends.get("dead-letters", 0),
        canary=_canary(observer, now),
    )


def show_story(alert: Alert) -> StoryView:
    """A story as its latest alert tells it."""
    story = alert.story
    words = dict.fromkeys(word for evidence in story.evidence for word in evidence.words)
    sentences = dict.fromkeys(one.sentence for one in story.evidence if one.sentence)
    return StoryView(
        id=story.id,
        revision=story.revision,
        kind=alert.kind,
        priority=alert.priority,
        priority_reason=alert.priority_reason,
        headline=story.headline,
        language=story.language,
        summary=story.summary,
        topics=story.topics,
        evidence=list(words),
        sentences=list(sentences),
        places=story.places,
        tolls=story.tolls,
        reports=story.reports,
        article_count=story.article_count,
        first_seen=story.first_seen,
        last_seen=story.last_seen,
        changes=story.changes,
        corrected=story.corrected,
        withdrawn=story.withdrawn,
        muted=story.muted,
        merged_into=story.merged_into,
    )


def _verdict(verdict: Verdict) -> VerdictView:
    return VerdictView(
        state=verdict.state,
        words=verdict.words,
        since=verdict.since,
        findings=[_finding(one) for one in verdict.findings],
    )


def recall_verdict(raw: bytes | str, at: datetime) -> Verdict:
    """The verdict that was shown, from its JSON.

    Raises:
        msgspec.DecodeError: not one (an older version's, say).
    """
    view = msgspec.json.decode(raw, type=VerdictView)
    findings = [
        Finding(f"{one.room} {one.words}", one.level, one.room, one.words, one.since)
        for one in view.findings
    ]
    return Verdict(view.state, view.words, view.since, at, tuple(findings))


def _finding(one: Finding) -> FindingView:
    return FindingView(level=one.level, room=one.room, words=one.words, since=one.since)


def _way(observer: Observer, now: datetime) -> Way:
    tally = observer.tally

    def stage(name: str, label: str, metric: str, **labels: str) -> Stage:
        return Stage(
            id=name,
            label=label,
            total=round(tally.total(metric, **labels)),
            per_minute=round(tally.per_minute(metric, now, **labels), 1),
        )

    dropped = "wirebell_articles_dropped_total"
    return Way(
        since=min((beat.started_at for beat in observer.heartbeats), default=None),
        stages=[
            stage("received", "Received", "wirebell_articles_published_total"),
            stage("screened", "Decided", "wirebell_articles_screened_total"),
            stage("dropped", "Dropped", dropped),
            stage("stories", "Stories", "wirebell_alerts_total", kind="new"),
            stage("alerts", "Alerts", "wirebell_alerts_total"),
            stage("delivered", "Delivered", "wirebell_deliveries_total", outcome="delivered"),
        ],
        dropped=[
            stage(reason, reason.replace("_", " "), dropped, reason=reason)
            for reason in DROP_REASONS
        ],
        latencies=[
            _latency(name, label, tally.quantiles(f"wirebell_{name}_seconds", now))
            for name, label in _LATENCIES
        ],
    )


def _latency(name: str, label: str, seen: Quantiles) -> Latency:
    return Latency(id=name, label=label, p50=seen.p50, p95=seen.p95, p99=seen.p99, count=seen.count)


def _lag(observer: Observer, now: datetime) -> list[Lag]:
    return [
        Lag(
            kafka_topic=one.kafka_topic,
            partition=one.partition,
            state=evaluate(one, now),
            seconds=round(lag_seconds(one, now), 1),
            records=one.lag,
            committed=one.samples[-1].offset,
            end=one.samples[-1].end,
        )
        for _, one in sorted(observer.partitions.items())
    ]


def _processes(observer: Observer, now: datetime) -> list[Process]:
    """The living first; of those that ended only what the verdict may still speak of."""
    seen = {one.process: one for one in observer.observe(now).processes}
    rows = []
    for beat in observer.heartbeats:
        one = seen[beat.process]
        state = "stopped" if one.stopped else "silent" if is_silent(one, now) else "alive"
        rows.append(
            Process(
                role=beat.role,
                host=beat.host,
                pid=beat.pid,
                state=state,
                started_at=beat.started_at,
                at=one.at,
                rss_bytes=beat.rss_bytes,
                model=beat.model,
            )
        )
    alive = [row for row in rows if row.state == "alive"]
    ended = sorted((row for row in rows if row.state != "alive"), key=lambda row: row.at)
    return [*alive, *ended[::-1][:5]]


def _sources(observer: Observer, now: datetime) -> list[SourceView]:
    """Every source of the configuration, in its order."""
    types = {one.id: one.type for one in observer.settings.sources}
    enabled = {one.id for one in observer.settings.sources if one.enabled}
    views = []
    for seen in observer.observe(now).sources:
        status = observer.statuses.get(seen.id)
        view = SourceView(
            id=seen.id,
            type=types[seen.id],
            condition=seen.condition,
            since=seen.since,
            answer=seen.detail,
            copies_share=observer.copies(seen.id).share,
            can_pause=seen.id in enabled,
        )
        if status is not None:
            view = msgspec.structs.replace(
                view,
                articles=status.articles_total,
                rejected=status.rejected_total,
                last_new_at=status.last_new_at,
                last_success_at=status.last_success_at,
                failures=status.error_streak,
                next_poll_at=None if seen.condition == "paused" else status.next_poll_at,
                usual_gap_s=status.usual_gap_s,
                undated_share=_share(status.undated_total, status.articles_total),
            )
        views.append(view)
    return views


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _destinations(observer: Observer, now: datetime) -> list[DestinationView]:
    tried: dict[tuple[str, str], list[Attempt]] = {}
    for each in observer.attempts:
        tried.setdefault((each.sink, each.target), []).append(each)
    oldest = {one.subscription: one.oldest_at for one in observer.observe(now).backlogs}
    views = []
    for one in observer.destinations:
        ours = tried.get((one.sink, one.target), [])
        lately = [each for each in ours if now - each.at < LATELY]
        attempt = ours[0] if ours else None
        failed = attempt is not None and attempt.outcome != "delivered"
        views.append(
            DestinationView(
                id=one.id,
                sink=one.sink,
                target=one.target,
                waiting=one.waiting,
                in_flight=one.in_flight,
                told_at=_moment(one.told_at),
                failing_since=_moment(one.failing_since),
                next_at=_next_try(attempt, one, now),
                off=one.off,
                detail=attempt.detail if attempt is not None and failed else "",
                oldest_at=oldest.get(one.id) if one.waiting else None,
                attempts=len(lately),
                delivered=sum(each.outcome == "delivered" for each in lately),
                limited=sum(each.status == TOO_MANY for each in lately),
            )
        )
    return views


def _next_try(attempt: Attempt | None, one: DestinationState, now: datetime) -> datetime | None:
    """When it is tried again: after a failure, or once what holds the whole place back is over."""
    if attempt is not None and attempt.outcome != "delivered" and attempt.next_at is not None:
        return attempt.next_at
    held = _moment(one.not_before)
    return held if held is not None and held > now and one.waiting else None


def _canary(observer: Observer, now: datetime) -> CanaryView | None:
    rounds = list(observer.canaries)
    back = [one for one in rounds if one.back_at is not None]
    if not rounds:
        return None
    return CanaryView(
        sent=len(rounds),
        missed=sum(one.missed(now) for one in rounds),
        back_at=back[-1].back_at if back else None,
        seconds=round(back[-1].took(now).total_seconds(), 2) if back else None,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
