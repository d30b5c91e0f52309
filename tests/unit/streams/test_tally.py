"""Counters of several processes added up over restarts; rates and quantiles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from streams.heartbeat import Heartbeat, Sample
from streams.tally import Tally

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAME = "wirebell_articles_screened_total"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def beat(process: str, *samples: Sample, stopped: bool = False) -> Heartbeat:
    return Heartbeat(
        process=process,
        role="worker",
        pid=1,
        host="h",
        started_at=START,
        at=START,
        rss_bytes=0,
        samples=samples,
        stopped=stopped,
    )


def screened(process: str, count: float) -> Heartbeat:
    return beat(process, Sample(NAME, {}, count))


def test_processes_are_added_up() -> None:
    tally = Tally()
    tally.add([screened("a", 10), screened("b", 5)], at(0))
    assert tally.total(NAME) == 15


def test_the_same_heartbeat_again_adds_nothing() -> None:
    tally = Tally()
    tally.add([screened("a", 10)], at(0))
    tally.add([screened("a", 10)], at(1))
    assert tally.total(NAME) == 10


def test_a_process_that_starts_anew_is_added_on_top() -> None:
    tally = Tally()
    tally.add([screened("a", 10)], at(0))
    tally.add([screened("a", 10), screened("a2", 3)], at(1))
    assert tally.total(NAME) == 13


def test_a_process_that_redis_forgot_keeps_its_part_of_the_total() -> None:
    tally = Tally()
    tally.add([screened("a", 10)], at(0))
    tally.add([], at(1))
    assert tally.total(NAME) == 10


def test_the_rate_is_that_of_the_last_minute() -> None:
    tally = Tally()
    for second in range(0, 181, 5):
        tally.add([screened("a", second * 2)], at(second))
    assert tally.per_minute(NAME, at(180)) == pytest.approx(120, rel=0.1)
    tally.add([screened("a", 360)], at(300))
    assert tally.per_minute(NAME, at(300)) == 0


def test_what_was_counted_before_the_page_began_is_no_rate() -> None:
    tally = Tally()
    tally.add([screened("a", 1_000_000)], at(0))
    tally.add([screened("a", 1_000_000)], at(10))
    assert tally.per_minute(NAME, at(10)) == 0


def test_a_gauge_of_a_stopped_process_no_longer_counts() -> None:
    waiting = Sample("wirebell_deliveries_waiting", {"sink": "slack"}, 7)
    tally = Tally()
    tally.add([beat("a", waiting), beat("b", waiting, stopped=True)], at(0))
    assert tally.series("wirebell_deliveries_waiting") == [((("sink", "slack"),), 7)]


def test_labels_select_and_group() -> None:
    dropped = "wirebell_articles_dropped_total"
    tally = Tally()
    off, copies = (
        Sample(dropped, {"reason": "off_topic"}, 4),
        Sample(dropped, {"reason": "muted"}, 2),
    )
    tally.add([beat("a", off, copies)], at(0))
    assert tally.total(dropped, reason="muted") == 2
    assert tally.totals_by(dropped, "reason") == {("off_topic",): 4, ("muted",): 2}


def histogram(*counts: float) -> Heartbeat:
    bounds = ("0.1", "1.0", "10.0", "+Inf")
    name = "wirebell_seen_to_screened_seconds_bucket"
    samples = (
        Sample(name, {"le": bound}, count) for bound, count in zip(bounds, counts, strict=True)
    )
    return beat("a", *samples)


def test_quantiles_are_linear_within_their_bucket() -> None:
    tally = Tally()
    tally.add([histogram(0, 0, 0, 0)], at(0))
    tally.add([histogram(50, 100, 100, 100)], at(10))
    seen = tally.quantiles("wirebell_seen_to_screened_seconds", at(10))
    assert (seen.p50, seen.count) == (pytest.approx(0.1), 100)
    assert seen.p95 == pytest.approx(0.91)


def test_quantiles_beyond_the_last_bound_say_that_bound() -> None:
    tally = Tally()
    tally.add([histogram(0, 0, 0, 0)], at(0))
    tally.add([histogram(0, 0, 0, 5)], at(10))
    assert tally.quantiles("wirebell_seen_to_screened_seconds", at(10)).p50 == 10


def test_nothing_measured_gives_no_quantile() -> None:
    tally = Tally()
    tally.add([histogram(3, 3, 3, 3)], at(0))
    tally.add([histogram(3, 3, 3, 3)], at(10))
    assert tally.quantiles("wirebell_seen_to_screened_seconds", at(10)).p50 is None
    assert Tally().quantiles("wirebell_seen_to_screened_seconds", at(0)).p50 is None
