"""Never lost, never twice: crashes at every point and every fault, counted at the receivers.

A tenth of the full load runs with the tests; WIREBELL_CHAOS=10 runs all of it.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from connectors.sinks.pace import Pace
from connectors.sinks.sink import Receipt
from streams.ledger import Attempt, Claim, Hold, Ledger, Retry
from streams.settings import Target
from tests.delivery_rig import CHANNELS, SLACK_PACE, Rig, eventually, open_rig
from tests.fakes.alerts import make_alert
from tests.fakes.crash import Crash
from tests.fakes.faults import Fault

LOAD = int(os.environ.get("WIREBELL_CHAOS", "1"))
# Figures for docs/reliability.md (pytest's own fixture): what was owed and what was counted.
Record = Callable[[str, object], None]
SLACK = Target(sink="slack", to="C0000001")
HOOK = Target(sink="hook")
POINTS = (
    "after claim",
    "before hold",
    "after hold",
    "before receipt",
    "after receipt",
    "before retry",
    "before commit",
)


@dataclass(slots=True)
class CrashingLedger(Ledger):
    """A ledger whose process dies when it comes to a point for the `at`-th time."""

    point: str = ""
    at: int = 1
    crashed: asyncio.Event = field(default_factory=asyncio.Event)

    def _pass(self, point: str) -> None:
        if self.crashed.is_set():
            raise Crash(point)
        if point == self.point:
            self.at -= 1
            if self.at <= 0:
                self.crashed.set()
                raise Crash(point)

    async def claim(self, sink: str, limit: int, pace: Pace) -> tuple[list[Claim], float | None]:
        found = await Ledger.claim(self, sink, limit, pace)
        if found[0]:
            self._pass("after claim")
        return found

    async def hold(self, claim: Claim) -> Hold:
        self._pass("before hold")
        held = await Ledger.hold(self, claim)
        self._pass("after hold")
        return held

    async def found(self, claim: Claim, revision: int, receipt: Receipt) -> bool:
        known = await Ledger.found(self, claim, revision, receipt)
        self._pass("after found")
        return known

    async def receipt(
        self, claim: Claim, revision: int, receipt: Receipt, attempt: Attempt
    ) -> bool:
        self._pass("before receipt")
        known = await Ledger.receipt(self, claim, revision, receipt, attempt)
        self._pass("after receipt")
        return known

    async def retry(self, claim: Claim, retry: Retry, attempt: Attempt) -> bool:
        self._pass("before retry")
        return await Ledger.retry(self, claim, retry, attempt)


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        made.timeout_s = 0.3
        yield made


async def run_until_crash(rig: Rig, point: str, at: int, targets: Sequence[Target]) -> bool:
    """One worker's life: until it dies at the point, or until nothing is owed (False)."""
    ledger = CrashingLedger(rig.redis, rig.keys, clock=rig.clock, point=point, at=at)
    worker = rig.deliveries(targets=targets, ledger=ledger)
    life = asyncio.create_task(worker.run(asyncio.Event()))
    try:
        while not ledger.crashed.is_set() and not life.done():
            if await rig.idle():
                return False
            await asyncio.sleep(0.003)
            rig.clock.forward(0.5)
        return True
    finally:
        for turn in worker._rounds:
            for task in turn.running:
                task.cancel()
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        await worker.close()


@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_that_dies_at_any_point_loses_and_doubles_nothing(
    rig: Rig, point: str, record_property: Record
) -> None:
    targets = (SLACK, HOOK)
    # Only a fault leads to a retry.
    rig.slack.faults.among = (Fault("reset_after"), Fault("status", 500))
    rig.slack.faults.share = 0.2 if point == "before retry" else 0.0
    crashes, revision = 0, 1
    number = lives = 30 * LOAD
    worker = rig.deliveries(targets=targets)

    async def grow() -> None:
        await worker.accept([make_alert(f"s{count}", revision) for count in range(number)])

    await grow()
    # Most lives end at the point; some end because all is told, and then every story grows.
    for life in range(2 * lives):
        if crashes == lives:
            break
        if point == "before commit":
            # Died with the alerts in the ledger and nothing acknowledged: Kafka gives them again.
            crashes += 1
            await grow()
            await run_until_crash(rig, point, 1, targets)
        elif await run_until_crash(rig, point, 1 + life % 3, targets):
            crashes += 1
        else:
            revision += 1
            await grow()
        rig.clock.forward(61)
    revision += 1
    await grow()
    rig.slack.faults.share = 0.0
    await rig.settle([worker], step_s=2, within_s=40 * LOAD)
    told = {message.payload["story_id"]: message for message in rig.slack.stories()}
    heard = {body["data"]["story"]["id"] for body in rig.hook.received.values()}
    record_property("owed", 2 * number)
    record_property("lost", 2 * number - len(told) - len(heard))
    record_property("doubled", rig.slack.doubled())
    record_property("faults", crashes)
    assert crashes == lives
    assert len(told) == number
    assert all(message.payload["revision"] == revision for message in told.values())
    assert rig.slack.doubled() == 0
    assert (len(heard), rig.letters) == (number, [])


async def test_a_worker_that_dies_after_finding_an_older_revision_doubles_nothing(
    rig: Rig, record_property: Record
) -> None:
    number = 10 * LOAD
    rig.slack.faults.among, rig.slack.faults.share = (Fault("reset_after"),), 1.0
    worker = rig.deliveries()
    await worker.accept([make_alert(f"s{count}") for count in range(number)])
    async with rig.running(worker):
        await eventually(lambda: len(rig.slack.messages) == number, within_s=10 * LOAD)
    rig.slack.faults.share = 0.0
    await worker.accept([make_alert(f"s{count}", 2) for count in range(number)])
    crashes = 0
    for _ in range(number):
        rig.clock.forward(61)
        crashes += await run_until_crash(rig, "after found", 1, (SLACK,))
    await rig.settle([worker], step_s=2, within_s=40 * LOAD)
    record_property("owed", number)
    record_property("lost", number - len(rig.slack.stories()))
    record_property("doubled", rig.slack.doubled())
    record_property("faults", crashes)
    assert crashes >= 2
    assert len(rig.slack.stories()) == number
    assert {message.payload["revision"] for message in rig.slack.stories()} == {2}
    assert rig.slack.doubled() == 0


FAULTS: dict[str, tuple[Fault, ...]] = {
    "refused and limited": (
        Fault("status", 429, retry_after="3"),
        Fault("status", 429, retry_after="0"),
    ),
    "request lost": (Fault("reset_before"), Fault("timeout")),
    "response lost": (
        Fault("reset_after"),
        Fault("timeout_after"),
        Fault("cut"),
        Fault("garbage"),
        Fault("status_after", 503),
    ),
    "applied late": (Fault("late", late_s=30, where="chat."),),
    "server errors": (Fault("status", 500), Fault("status", 503, retry_after="5")),
}


@pytest.mark.parametrize(
    "kinds", [*FAULTS.values(), sum(FAULTS.values(), ())], ids=[*FAULTS, "all"]
)
async def test_slack_faults_at_a_third_of_all_requests_lose_and_double_nothing(
    rig: Rig, kinds: tuple[Fault, ...], record_property: Record
) -> None:
    targets = tuple(Target(sink="slack", to=channel) for channel in CHANNELS)
    rig.slack.faults.among, rig.slack.faults.share = kinds, 0.33
    workers = [rig.deliveries(targets=targets) for _ in range(2)]
    number = 12 * min(LOAD, 3)
    for revision in (1, 2):
        alerts = [make_alert(f"s{count}", revision) for count in range(number)]
        await workers[0].accept(alerts)
        await rig.settle(workers, within_s=60 + 60 * LOAD)
    record_property("owed", 2 * number * len(CHANNELS))
    record_property("lost", 2 * number * len(CHANNELS) - len(rig.slack.messages))
    record_property("doubled", rig.slack.doubled())
    record_property("faults", rig.slack.faults.made)
    assert rig.slack.faults.made > number
    stories = rig.slack.stories()
    assert len(stories) == number * len(CHANNELS)
    assert {message.payload["revision"] for message in stories} == {2}
    assert all(len(rig.slack.thread(message.ts)) == 1 for message in stories)
    assert (rig.slack.doubled(), rig.letters, rig.slack.violations) == (0, [], [])


async def test_faults_at_a_third_of_all_requests_neither_lose_nor_double_a_story_among_others(
    rig: Rig, record_property: Record
) -> None:
    """Bursts: most stories come in messages of several."""
    kinds: tuple[Fault, ...] = sum(FAULTS.values(), ())
    rig.slack.faults.among, rig.slack.faults.share = kinds, 0.33
    pace = replace(SLACK_PACE, most_together=60, gather_s=4.0)
    workers = [rig.deliveries(sinks=[rig.slack_sink(pace)]) for _ in range(2)]
    number = 0
    for burst in range(5 * min(LOAD, 4)):
        size = 3 + burst % 6
        await workers[0].accept([make_alert(f"s{number + count}") for count in range(size)])
        number += size
        await rig.settle(workers, within_s=60)
    told: Counter[str] = Counter()
    for message in rig.slack.messages:
        told.update(message.payload.get("stories") or [message.payload["story_id"]])
    record_property("owed", number)
    record_property("lost", number - len(told))
    record_property("doubled", told.total() - len(told))
    record_property("faults", rig.slack.faults.made)
    assert (len(told), told.total(), rig.letters) == (number, number, [])
    assert len(rig.slack.messages) < number


async def test_webhook_faults_at_a_third_of_all_requests_lose_nothing(
    rig: Rig, record_property: Record
) -> None:
    rig.hook.faults.among = (
        *FAULTS["request lost"],
        *FAULTS["response lost"],
        *FAULTS["server errors"],
        Fault("late", late_s=30),
    )
    rig.hook.faults.share = 0.33
    worker = rig.deliveries(targets=(HOOK,))
    number = 60 * LOAD
    await worker.accept([make_alert(f"s{count}") for count in range(number)])
    await rig.settle([worker], step_s=20, within_s=60 * LOAD)
    ids: Any = {webhook_id for webhook_id, _ in rig.hook.attempts}
    record_property("owed", number)
    record_property("lost", number - len(rig.hook.received))
    record_property("doubled", len(ids) - number)
    record_property("faults", rig.hook.faults.made)
    assert (len(rig.hook.received), rig.hook.forged, rig.letters) == (number, [], [])
    assert len(ids) == number < len(rig.hook.attempts)


async def test_a_webhook_down_for_forty_hours_gets_everything_and_holds_up_nothing_else(
    rig: Rig, record_property: Record
) -> None:
    rig.hook.faults.among = (Fault("status", 503), Fault("reset_before"), Fault("status", 500))
    rig.hook.faults.share = 1.0
    worker = rig.deliveries(targets=(SLACK, HOOK))
    number, hours = 20 * min(LOAD, 4), 40
    async with rig.running(worker):
        for hour in range(hours):
            first = hour * number // hours
            alerts = [make_alert(f"s{n}") for n in range(first, (hour + 1) * number // hours)]
            await worker.accept(alerts)
            await eventually(functools.partial(_told, rig, first + len(alerts)))
            for _ in range(6):
                rig.clock.forward(600)
                await asyncio.sleep(0.01)
        assert (rig.hook.received, rig.letters) == ({}, [])
        rig.hook.faults.share = 0.0
        await rig.until_idle(step_s=120)
    ids = {webhook_id for webhook_id, _ in rig.hook.attempts}
    record_property("owed", 2 * number)
    record_property("lost", 2 * number - len(rig.hook.received) - len(rig.slack.stories()))
    record_property("doubled", rig.slack.doubled() + len(ids) - number)
    record_property("faults", rig.hook.faults.made)
    assert (len(rig.hook.received), len(ids), rig.letters) == (number, number, [])
    assert rig.hook.faults.made > 3 * number


def _told(rig: Rig, messages: int) -> bool:
    return len(rig.slack.messages) == messages


async def test_a_worker_frozen_past_its_lease_does_not_tell_twice(rig: Rig) -> None:
    """It stands still between claim and hold while another worker does its work."""
    frozen = rig.ledger()
    await rig.deliveries().accept([make_alert()])
    pace = Pace(target_in_flight=4)
    (claim,), _ = await frozen.claim("slack", 1, pace)
    rig.clock.forward(61)
    await rig.settle([rig.deliveries()])
    assert await frozen.hold(claim) != "held"
    assert len(rig.slack.messages) == 1


async def test_a_worker_frozen_between_its_last_look_and_the_socket_sends_nothing(rig: Rig) -> None:
    """It holds the lease, and wakes with that answer when another has told the story."""
    ledger = FrozenLedger(rig.redis, rig.keys, clock=rig.clock)
    frozen, other = rig.deliveries(ledger=ledger), rig.deliveries()
    await frozen.accept([make_alert()])
    async with rig.running(frozen):
        await eventually(ledger.reached.is_set)
        rig.clock.forward(61)
        async with rig.running(other):
            await eventually(lambda: len(rig.slack.messages) == 1)
            ledger.woken.set()
            await rig.until_idle()
    assert (len(rig.slack.messages), rig.slack.count("chat.postMessage")) == (1, 1)


@dataclass(slots=True)
class FrozenLedger(Ledger):
    """A ledger whose process stands still when it has just been told that it holds a lease."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self, claim: Claim) -> Hold:
        held = await Ledger.hold(self, claim)
        self.reached.set()
        await self.woken.wait()
        return held


async def test_what_a_worker_knows_is_written_down_though_its_lease_was_lost(rig: Rig) -> None:
    """It sent, froze before its receipt, and wakes while another holds the claim."""
    ledger, pace = rig.ledger(), Pace(target_in_flight=4)
    worker = rig.deliveries()
    await worker.accept([make_alert()])
    (late,), _ = await ledger.claim("slack", 1, pace)
    assert await ledger.hold(late) == "held"
    rig.clock.forward(61)
    (second,), _ = await ledger.claim("slack", 1, pace)
    assert (second.state, second.fence) == ("unknown", late.fence + 1)
    attempt = Attempt(
        at=rig.clock.now(), sink="slack", target="", story_id="s1", revision=1, outcome="delivered"
    )
    assert not await ledger.receipt(late, 1, {"channel": "C0000001", "ts": "1.1"}, attempt)
    assert await ledger.hold(second) == "done"
