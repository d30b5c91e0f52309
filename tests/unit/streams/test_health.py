"""Every rule of the verdict, each alone against a line that is otherwise healthy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from streams.health import (
    BacklogSeen,
    CanarySeen,
    DeadLettersSeen,
    Dependency,
    Observation,
    ProcessSeen,
    SourceSeen,
    Verdict,
    judge,
    say_duration,
)
from streams.lag import WINDOW, LagSample, PartitionLag

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR_AGO = NOW - timedelta(hours=1)


def worker(name: str = "w1", silent_s: float = 0, **changes: object) -> ProcessSeen:
    """A worker that started an hour ago and beat `silent_s` ago."""
    one = ProcessSeen(name, "worker", "host", 7, HOUR_AGO, NOW - timedelta(seconds=silent_s))
    return replace(one, **changes)  # type: ignore[arg-type]


HEALTHY = Observation(
    at=NOW,
    watching_since=HOUR_AGO,
    redis=Dependency("Redis", ok=True, since=HOUR_AGO),
    broker=Dependency("Kafka", ok=True, since=HOUR_AGO),
    processes=(worker(),),
    sources=(SourceSeen("a", "ok"), SourceSeen("b", "ok")),
)


def lagging(offset: int, moved_s: float, partition: int = 0) -> PartitionLag:
    """A partition whose offset has held still for `moved_s` with ten records waiting."""
    samples = tuple(
        LagSample(NOW - timedelta(seconds=2 * step), offset, offset + 10)
        for step in reversed(range(WINDOW))
    )
    return PartitionLag("articles", partition, samples, NOW - timedelta(seconds=moved_s))


def idle(partition: int) -> PartitionLag:
    sample = LagSample(NOW, 5, 5)
    return PartitionLag("articles", partition, (sample,) * WINDOW, HOUR_AGO)


def test_a_line_without_faults_is_healthy() -> None:
    verdict = judge(HEALTHY)
    assert (verdict.state, verdict.findings) == ("healthy", ())


def test_redis_away_is_down_and_silences_what_hangs_on_it() -> None:
    away = Dependency("Redis", ok=False, since=NOW - timedelta(seconds=90), detail="refused")
    verdict = judge(replace(HEALTHY, redis=away, processes=(), sources=()))
    assert verdict.state == "down"
    assert verdict.words.startswith("Redis is away (refused)")
    assert verdict.since == NOW - timedelta(seconds=90)
    assert len(verdict.findings) == 1


def test_a_broker_away_is_down() -> None:
    verdict = judge(replace(HEALTHY, broker=Dependency("Kafka", ok=False, since=NOW)))
    assert verdict.state == "down"
    assert "Kafka is away" in verdict.words


def test_the_last_worker_gone_silent_is_down_and_says_since_when() -> None:
    verdict = judge(replace(HEALTHY, processes=(worker(silent_s=14),)))
    assert verdict.state == "down"
    assert "No worker process is alive (was last heard 14 s ago)" in verdict.words
    assert verdict.since == NOW - timedelta(seconds=14)


def test_a_worker_stopped_by_intent_leaves_nobody_to_decide() -> None:
    verdict = judge(replace(HEALTHY, processes=(worker(stopped=True),)))
    assert verdict.state == "down"
    assert "stopped" in verdict.words


def test_no_worker_ever_is_down() -> None:
    assert judge(replace(HEALTHY, processes=())).words.startswith("No worker process has reported")


def test_a_missed_beat_or_two_is_no_silence() -> None:
    assert judge(replace(HEALTHY, processes=(worker(silent_s=9),))).state == "healthy"


def test_a_line_that_was_just_started_is_not_yet_down() -> None:
    started = NOW - timedelta(seconds=5)
    verdict = judge(replace(HEALTHY, watching_since=started, processes=()))
    assert (verdict.state, verdict.since) == ("degraded", started)


def test_one_of_two_workers_silent_is_degraded() -> None:
    verdict = judge(replace(HEALTHY, processes=(worker(), worker("w2", silent_s=20))))
    assert verdict.state == "degraded"
    assert "1 of 2 worker processes silent for 20 s" in verdict.words


def test_a_silent_worker_that_a_younger_one_replaced_is_forgiven() -> None:
    heir = worker("w2", started_at=NOW - timedelta(seconds=5))
    assert judge(replace(HEALTHY, processes=(worker(silent_s=20), heir))).state == "healthy"


def test_a_clock_that_stepped_back_makes_no_heir_a_stranger() -> None:
    heir = worker("w2", started_at=NOW - timedelta(seconds=22))
    assert judge(replace(HEALTHY, processes=(worker(silent_s=20), heir))).state == "healthy"


def test_one_heir_replaces_only_one_of_two_silent_workers() -> None:
    heir = worker("w3", started_at=NOW - timedelta(seconds=5))
    silent = (worker("w1", silent_s=20), worker("w2", silent_s=20))
    assert judge(replace(HEALTHY, processes=(*silent, heir))).state == "degraded"


def test_a_worker_lost_long_ago_was_scaled_away() -> None:
    gone = worker("w2", silent_s=16 * 60)
    assert judge(replace(HEALTHY, processes=(worker(), gone))).state == "healthy"


def test_an_expected_sources_process_that_is_missing_is_down() -> None:
    verdict = judge(replace(HEALTHY, expected_roles=("worker", "sources")))
    assert verdict.state == "down"
    assert "nothing comes in" in verdict.words


def test_a_stalled_partition_degrades_and_says_how_long() -> None:
    verdict = judge(replace(HEALTHY, partitions=(lagging(50, 40), idle(1))))
    assert verdict.state == "degraded"
    assert "Nothing is taken from articles/0 for 40 s: 10 articles wait" in verdict.words


def test_every_lagging_partition_stopped_is_down() -> None:
    verdict = judge(replace(HEALTHY, partitions=(lagging(50, 300), idle(1))))
    assert verdict.state == "down"


def test_a_stopped_partition_beside_one_that_moves_is_degraded() -> None:
    moving = PartitionLag(
        "articles",
        1,
        tuple(
            LagSample(NOW - timedelta(seconds=2 * step), 100 - step, 200)
            for step in reversed(range(WINDOW))
        ),
        NOW,
    )
    assert judge(replace(HEALTHY, partitions=(lagging(50, 300), moving))).state == "degraded"


def test_dead_feeds_are_a_note_as_long_as_one_source_works() -> None:
    sources = (SourceSeen("a", "dead", HOUR_AGO), SourceSeen("b", "ok"))
    verdict = judge(replace(HEALTHY, sources=sources))
    assert verdict.state == "healthy"
    assert [one.level for one in verdict.findings] == ["note"]
    assert "1 of 2 sources cannot be reached (a)" in verdict.findings[0].words


def test_every_source_dead_is_down_since_the_last_one_died() -> None:
    sources = (SourceSeen("a", "dead", HOUR_AGO), SourceSeen("b", "dead", NOW))
    verdict = judge(replace(HEALTHY, sources=sources))
    assert (verdict.state, verdict.since) == ("down", NOW)


def test_feeds_that_cannot_be_reached_beside_a_finished_sample_degrade_nothing() -> None:
    sources = (SourceSeen("a", "dead"), SourceSeen("sample", "done"))
    assert judge(replace(HEALTHY, sources=sources)).state == "healthy"


def test_alerts_that_wait_degrade_and_name_the_place_and_the_refusal() -> None:
    backlog = BacklogSeen(
        "desk", "slack", "#desk", 14, NOW - timedelta(minutes=6), "channel_not_found"
    )
    verdict = judge(replace(HEALTHY, backlogs=(backlog,)))
    assert verdict.state == "degraded"
    assert verdict.words == ("14 alerts wait for slack #desk, the oldest 6 min: channel_not_found")
    assert verdict.since == NOW - timedelta(minutes=6)


def test_an_alert_that_waits_for_seconds_is_on_its_way() -> None:
    backlog = BacklogSeen("desk", "slack", "#desk", 1, NOW - timedelta(seconds=20))
    assert judge(replace(HEALTHY, backlogs=(backlog,))).state == "healthy"


def test_a_sink_turned_off_by_its_receiver_degrades() -> None:
    backlog = BacklogSeen("desk", "hook", "", 0, None, turned_off=True)
    verdict = judge(replace(HEALTHY, backlogs=(backlog,)))
    assert verdict.state == "degraded"
    assert "turned off" in verdict.words


@pytest.mark.parametrize(("stage", "state"), [("source", "healthy"), ("deliver", "degraded")])
def test_a_dead_letter_of_a_publisher_is_a_note_and_one_of_ours_degrades(
    stage: str, state: str
) -> None:
    letters = (DeadLettersSeen(stage, "refused", total=9, recent=2),)
    verdict = judge(replace(HEALTHY, dead_letters=letters))
    assert verdict.state == state
    assert "2 dead letters in ten minutes" in verdict.findings[0].words


def test_old_dead_letters_are_no_reason_to_get_up() -> None:
    letters = (DeadLettersSeen("deliver", "refused", total=9, recent=0),)
    assert judge(replace(HEALTHY, dead_letters=letters)).findings == ()


def test_down_comes_before_degraded_and_the_others_are_counted() -> None:
    backlog = BacklogSeen("desk", "slack", "#desk", 14, NOW - timedelta(minutes=6))
    seen = replace(HEALTHY, processes=(worker(silent_s=14),), backlogs=(backlog,))
    verdict = judge(seen)
    assert verdict.state == "down"
    assert verdict.words.endswith("(and 1 more)")


def test_what_goes_on_keeps_its_beginning_from_verdict_to_verdict() -> None:
    letters = (DeadLettersSeen("deliver", "refused", total=9, recent=2),)
    first = judge(replace(HEALTHY, dead_letters=letters))
    later = NOW + timedelta(minutes=3)
    alive = worker(at=later)
    second = judge(replace(HEALTHY, at=later, dead_letters=letters, processes=(alive,)), first)
    assert second.since == NOW


def test_healthy_since_lasts_until_something_breaks() -> None:
    first = judge(HEALTHY)
    later = NOW + timedelta(seconds=5)
    second = judge(replace(HEALTHY, at=later), first)
    broken = judge(replace(HEALTHY, at=later, processes=()), second)
    again = judge(replace(HEALTHY, at=later), broken)
    assert [one.since for one in (second, again)] == [NOW, later]
    assert isinstance(broken, Verdict)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=-1), "0 s"),
        (timedelta(seconds=119), "119 s"),
        (timedelta(seconds=120), "2 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_durations_are_said_as_one_speaks(span: timedelta, words: str) -> None:
    assert say_duration(span) == words


def test_a_source_that_a_person_paused_is_noted_and_one_turned_off_is_not() -> None:
    sources = (SourceSeen("a", "ok"), SourceSeen("b", "paused"), SourceSeen("c", "paused", NOW))
    (note,) = judge(replace(HEALTHY, sources=sources)).findings
    assert (note.level, note.words) == ("note", "1 of 3 sources are paused (c)")


def canary(sent_s: float, back_s: float | None = None, fault: str = "") -> CanarySeen:
    """Sent so many seconds ago, back so many seconds ago."""
    back_at = None if back_s is None else NOW - timedelta(seconds=back_s)
    return CanarySeen(int(-sent_s), NOW - timedelta(seconds=sent_s), back_at, fault)


@pytest.mark.parametrize(
    ("canaries", "state", "words"),
    [
        ((canary(70, 69), canary(10)), "healthy", "Every stage"),
        ((canary(70), canary(10)), "degraded", "within 60 s (sent 70 s ago)"),
        ((canary(200, 100), canary(10)), "degraded", "took 100 s through"),
        ((canary(190), canary(130), canary(70), canary(10)), "down", "in time for 3 min"),
        ((canary(190), canary(130), canary(70), canary(10, 9)), "healthy", "Every stage"),
        ((canary(10, fault="not allowed"),), "degraded", "did not take a test article: not"),
    ],
)
def test_a_canary_that_does_not_come_back_in_time_is_a_finding(
    canaries: tuple[CanarySeen, ...], state: str, words: str
) -> None:
    verdict = judge(replace(HEALTHY, canaries=canaries))
    assert verdict.state == state
    assert words in verdict.words


def test_canaries_that_queue_behind_others_are_late_not_lost() -> None:
    canaries = (canary(190), canary(130), canary(70))
    moving = replace(HEALTHY, canaries=canaries, partitions=(lagging(5, moved_s=2),))
    assert judge(moving).state == "degraded"


def test_a_broker_that_is_away_is_the_cause_and_its_canaries_are_not() -> None:
    away = Dependency("Kafka", ok=False, since=HOUR_AGO)
    seen = replace(HEALTHY, broker=away, canaries=(canary(190), canary(130), canary(70)))
    assert [one.room for one in judge(seen).findings] == ["Kafka"]


def test_a_model_that_has_drifted_is_worth_a_note_and_no_alarm() -> None:
    verdict = judge(replace(HEALTHY, drifted=("Arson", "Protest", "Bombing", "Arrest")))
    assert verdict.state == "healthy"
    (note,) = verdict.findings
    assert (note.level, note.room) == ("note", "quality")
    assert note.words.endswith("on 4 topics (Arson, Protest, Bombing, ...)")


def test_workers_with_two_models_are_noted_until_the_old_one_is_gone() -> None:
    both = replace(HEALTHY, processes=(worker("w1", model="a1"), worker("w2", model="b2")))
    assert judge(both).findings[0].words == "Workers use 2 models (a1, b2)"
    gone = worker("w1", model="a1", stopped=True)
    assert judge(replace(both, processes=(gone, worker("w2", model="b2")))).findings == ()


@pytest.mark.parametrize(
    ("unread", "words"),
    [
        (
            {"behind": 1234},
            "Workers are behind: 1,234 doubtful articles were decided by the fast model alone"
            " (add a worker, or raise classifier.reader_patience_s)",
        ),
        (
            {"behind": 0, "broken": 1},
            "The slow reader cannot be loaded: 1 doubtful article was decided by the fast model"
            " alone (the worker's log says why)",
        ),
    ],
)
def test_doubtful_articles_that_nobody_read_degrade_and_say_what_to_do(
    unread: dict[str, int], words: str
) -> None:
    verdict = judge(replace(HEALTHY, unread=unread))
    assert (verdict.state, verdict.words) == ("degraded", words)
    later = judge(replace(HEALTHY, at=NOW + timedelta(seconds=9), unread=unread), verdict)
    assert (later.state, later.since) == ("degraded", NOW)
    assert judge(replace(HEALTHY, unread={"behind": 0, "broken": 0})).findings == ()
