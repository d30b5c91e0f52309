"""Settling a batch: who gets an outcome, who becomes a dead letter, when the worker stops."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisAwayError
from redis.exceptions import ResponseError

from connectors.records import RecordError
from streams.batches import Held
from streams.dead_letters import DeadLetter, Origin, Reason, Stage
from streams.outages import StoppedWaiting
from streams.settling import Settler, StepFault, TooManyDeadLettersError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class CountingStep:
    """Settles numbers; `poison` raises always, `flaky` until tried often enough, and Redis is
    away for the first `outages` calls.
    """

    stage: Stage = "screen"
    reason: Reason = "story_failed"

    def __init__(
        self, poison: Sequence[int] = (), flaky: dict[int, int] | None = None, outages: int = 0
    ) -> None:
        self.poison = set(poison)
        self.flaky = dict(flaky or {})
        self.outages = outages
        self.settled: list[int] = []

    def decode(self, raw: bytes) -> int:
        try:
            return int(raw)
        except ValueError as error:
            raise RecordError("not a number") from error

    async def settle(self, records: Sequence[int]) -> None:
        if self.outages:
            self.outages -= 1
            raise RedisAwayError("gone")
        for number in records:
            if number in self.poison:
                raise KeyError(number)
            if self.flaky.get(number, 0) > 0:
                self.flaky[number] -= 1
                raise StepFault("story", "story_failed", "not yet")
        self.settled += records


class Box:
    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        self.letters += letters


def _batch(raws: Sequence[bytes | None], *, ours: bool = True) -> list[Held]:
    return [
        Held(None, raw, b"key", Origin(kafka_topic="articles", partition=0, offset=offset), ours)
        for offset, raw in enumerate(raws)
    ]


def _numbers(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


def _settler(
    step: CountingStep, box: Box, most: int = 100, called_off: bool = False
) -> Settler[int]:
    return Settler(step, box.bury, lambda: NOW, called_off=lambda: called_off, most_in_a_row=most)


@given(poison=st.sets(st.integers(0, 63)), size=st.integers(1, 64))
async def test_exactly_the_poison_is_buried_and_all_else_settled(
    poison: set[int], size: int
) -> None:
    step, box = CountingStep(sorted(poison)), Box()
    await _settler(step, box).settle(_batch(_numbers(size)))
    bad = {number for number in poison if number < size}
    assert set(step.settled) == set(range(size)) - bad
    assert {letter.origin.offset for letter in box.letters} == bad
    assert all(letter.attempts == 3 for letter in box.letters)


async def test_one_poison_record_costs_only_a_few_repeats_of_the_others() -> None:
    step, box = CountingStep([100]), Box()
    await _settler(step, box).settle(_batch(_numbers(256)))
    assert len(step.settled) == 255  # each of the others settled once: halves, not one by one


async def test_a_fault_that_passes_is_not_a_dead_letter() -> None:
    step, box = CountingStep(flaky={3: 2}), Box()
    await _settler(step, box).settle(_batch(_numbers(8)))
    assert box.letters == []
    assert sorted(step.settled) == list(range(8))


async def test_an_outage_is_waited_out_and_nothing_buried() -> None:
    step, box = CountingStep(outages=3), Box()
    await _settler(step, box).settle(_batch(_numbers(4)))
    assert (step.settled, box.letters) == ([0, 1, 2, 3], [])


async def test_an_outage_called_off_says_so_and_buries_nothing() -> None:
    step, box = CountingStep(outages=1_000), Box()
    with pytest.raises(StoppedWaiting):
        await _settler(step, box, called_off=True).settle(_batch([b"1", b"broken"]))
    assert box.letters == []


async def test_letters_wait_for_kafka_like_everything_else() -> None:
    step, box = CountingStep(), Box()
    failures = [RedisAwayError("not yet"), RedisAwayError("not yet")]

    async def bury(letters: Sequence[DeadLetter]) -> None:
        if failures:
            raise failures.pop()
        await box.bury(letters)

    settler = Settler(step, bury, lambda: NOW, called_off=lambda: False)
    await settler.settle(_batch([b"broken"]))
    assert [letter.reason for letter in box.letters] == ["undecodable"]


async def test_a_bad_release_stops_before_it_buries_more() -> None:
    step, box = CountingStep(range(1_000)), Box()
    settler = _settler(step, box, most=10)
    await settler.settle(_batch(_numbers(8)))
    with pytest.raises(TooManyDeadLettersError, match="story_failed"):
        await settler.settle(_batch(_numbers(8)))
    assert len(box.letters) == 8


async def test_a_good_record_between_them_starts_the_count_again() -> None:
    step, box = CountingStep([1, 2, 3, 5, 6, 7]), Box()
    await _settler(step, box, most=3).settle(_batch(_numbers(9)))
    assert len(box.letters) == 6


async def test_garbage_of_strangers_never_stops_the_worker() -> None:
    step, box = CountingStep(), Box()
    settler = _settler(step, box, most=10)
    await settler.settle(_batch([b"no", None] * 50, ours=False))
    assert len(box.letters) == 100
    with pytest.raises(TooManyDeadLettersError):  # the same bytes from our own publisher do
        await settler.settle(_batch([b"no"] * 50, ours=True))


async def test_a_redis_that_refuses_a_script_is_a_fault_and_not_an_outage() -> None:
    class Refused(CountingStep):
        async def settle(self, records: Sequence[int]) -> None:
            raise ResponseError("user_script:1: attempt to index a nil value")

    box = Box()
    await _settler(Refused(), box).settle(_batch([b"1"]))
    assert box.letters[0].reason == "story_failed"
    assert "ResponseError" in box.letters[0].detail


async def test_memory_gone_is_nobodys_dead_letter() -> None:
    class Starved(CountingStep):
        async def settle(self, records: Sequence[int]) -> None:
            raise MemoryError

    box = Box()
    with pytest.raises(MemoryError):
        await _settler(Starved(), box).settle(_batch([b"1"]))
    assert box.letters == []
