"""When the embedded broker is asked: soon after records, ever later without, at once if told."""

from __future__ import annotations

import asyncio

import pytest

from streams.fetch_pace import (
    AT_BROKER_MS,
    BUSY_S,
    IDLE_AT_BROKER_MS,
    LONGEST_S,
    QUICK_S,
    STAYS_ALONE_S,
    STAYS_BUSY_S,
    FetchPace,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _idle(pace: FetchPace, clock: Clock) -> None:
    clock.now += STAYS_BUSY_S + 1
    for _ in range(20):
        pace.fetched(found=False)


def test_an_idle_line_is_asked_ever_less_often_up_to_once_a_second() -> None:
    clock = Clock()
    pace = FetchPace(clock)
    pace.fetched(found=False)
    assert pace.wait_s == QUICK_S  # it may only be between two records
    clock.now += STAYS_BUSY_S + 1
    waits = []
    for _ in range(10):
        pace.fetched(found=False)
        waits.append(pace.wait_s)
    assert waits == sorted(waits)
    assert waits[:2] == [BUSY_S, 2 * BUSY_S]
    assert waits[-1] == LONGEST_S <= 1.0


def test_a_canary_a_minute_does_not_keep_it_busy_and_a_steady_line_does() -> None:
    clock = Clock()
    pace = FetchPace(clock)

    def waits_after(*gaps_s: float) -> float:
        for gap_s in 20 * gaps_s:
            clock.now += gap_s
            pace.fetched(found=True)
        clock.now += STAYS_ALONE_S + 0.1
        pace.fetched(found=False)
        pace.fetched(found=False)
        return pace.wait_s

    assert waits_after(60.0, 0.02) == 2 * BUSY_S
    assert waits_after(0.2) == BUSY_S


def test_one_record_makes_it_quick_again() -> None:
    clock = Clock()
    pace = FetchPace(clock)
    _idle(pace, clock)
    assert pace.at_broker_ms == IDLE_AT_BROKER_MS
    pace.fetched(found=True)
    assert (pace.wait_s, pace.at_broker_ms) == (QUICK_S, AT_BROKER_MS)


def test_the_longer_nothing_comes_the_longer_it_waits() -> None:
    clock = Clock()
    pace = FetchPace(clock)
    pace.fetched(found=True)
    waits = []
    for _ in range(round(STAYS_ALONE_S / 0.01) - 1):
        clock.now += 0.01
        pace.fetched(found=False)
        waits.append(pace.wait_s)
    assert waits[1] == QUICK_S  # at 50 articles a second
    assert waits[7] == pytest.approx(0.008)
    assert waits == sorted(waits)
    assert waits[-1] == BUSY_S


async def test_a_line_that_is_behind_is_asked_no_less() -> None:
    clock = Clock()
    pace = FetchPace(clock)
    for _ in range(30):
        clock.now += 1.0  # at work
        pace.nudge()
        await pace.wait()
        clock.now += 0.005
        pace.fetched(found=False)
        assert pace.wait_s == QUICK_S
        pace.fetched(found=True)


async def test_a_nudge_ends_the_wait_and_none_is_lost() -> None:
    clock = Clock()
    pace = FetchPace(clock)
    _idle(pace, clock)
    waiting = asyncio.create_task(pace.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    pace.nudge()
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    await waiting
    pace.nudge()  # while the fetch is under way: what it says may have come too late for it
    await pace.wait()
    assert loop.time() - asked_at < LONGEST_S
