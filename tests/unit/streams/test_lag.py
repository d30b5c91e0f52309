"""Burrow's rules, one window each, and the lag in seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.lag import STOP_AFTER, WINDOW, LagSample, PartitionLag, evaluate, lag_seconds

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEP = timedelta(seconds=2)


def partition(offsets: list[int], ends: list[int]) -> PartitionLag:
    """A partition sampled every two seconds."""
    one = PartitionLag("articles", 0, (), START)
    for index, (offset, end) in enumerate(zip(offsets, ends, strict=True)):
        one = one.add(LagSample(START + index * STEP, offset, end), keep=1_000)
    return one


def at_end(one: PartitionLag) -> datetime:
    return one.samples[-1].at


def test_a_window_with_any_sample_without_lag_is_ok() -> None:
    offsets = [10] * WINDOW
    one = partition(offsets, [10, *[20] * (WINDOW - 1)])
    assert evaluate(one, at_end(one)) == "ok"


def test_offsets_that_hold_still_while_records_wait_are_a_stall() -> None:
    one = partition([10] * WINDOW, [20] * WINDOW)
    assert evaluate(one, at_end(one)) == "stall"


def test_a_stall_becomes_a_stop_after_two_minutes() -> None:
    count = int(STOP_AFTER / STEP) + 1
    one = partition([10] * count, [20] * count)
    assert evaluate(one, at_end(one)) == "stop"


def test_offsets_that_rise_while_the_lag_never_falls_are_a_warning() -> None:
    offsets = list(range(10, 10 + WINDOW))
    one = partition(offsets, [offset + 5 + index for index, offset in enumerate(offsets)])
    assert evaluate(one, at_end(one)) == "warn"


def test_a_large_lag_that_falls_is_ok() -> None:
    offsets = list(range(0, 100 * WINDOW, 100))
    one = partition(offsets, [50_000] * WINDOW)
    assert evaluate(one, at_end(one)) == "ok"


def test_offsets_that_go_back_are_a_rewind() -> None:
    one = partition([*[50] * (WINDOW - 1), 10], [50] * WINDOW)
    assert evaluate(one, at_end(one)) == "rewind"


@pytest.mark.parametrize("count", range(1, WINDOW))
def test_a_window_not_yet_full_accuses_nobody_of_standing_still(count: int) -> None:
    one = partition([10] * count, [20] * count)
    assert evaluate(one, at_end(one)) == "ok"


def test_a_lag_in_seconds_counts_from_the_moment_the_end_passed_the_offset() -> None:
    one = partition([10, 10, 10, 10], [10, 10, 12, 15])
    assert lag_seconds(one, START + timedelta(seconds=10)) == 6


def test_no_lag_is_no_seconds() -> None:
    one = partition([10, 15], [15, 15])
    assert lag_seconds(one, at_end(one) + timedelta(hours=1)) == 0


def test_an_end_read_before_the_offset_gives_no_negative_lag() -> None:
    assert LagSample(START, offset=12, end=10).lag == 0


@given(st.lists(st.integers(0, 1_000), min_size=WINDOW, max_size=60))
def test_a_consumer_that_is_always_at_the_end_is_never_accused_of_lag(ends: list[int]) -> None:
    ends = sorted(ends)
    one = partition(ends, ends)
    assert evaluate(one, at_end(one)) == "ok"
