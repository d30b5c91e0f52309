"""A receiver that fails for five days, in whatever way, is turned off, and says why to a person."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator

import pytest
import structlog

from connectors.sinks.pace import STANDARD_WEBHOOKS, Pace
from streams.settings import Target
from tests.delivery_rig import Rig, eventually, open_rig
from tests.fakes.alerts import make_alert
from tests.fakes.faults import Fault

HOOK = Target(sink="hook")
PACE = Pace(schedule_s=STANDARD_WEBHOOKS, off_after_s=5 * 86_400)


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        yield made


@pytest.mark.parametrize(
    "fault",
    [Fault("status", 503), Fault("status", 429, retry_after="3600"), Fault("status", 422)],
    ids=["fails", "limits", "refuses"],
)
async def test_five_days_of_failures_turn_it_off_until_a_person_turns_it_on(
    rig: Rig, fault: Fault
) -> None:
    rig.hook.faults.among, rig.hook.faults.share = (fault,), 1.0
    worker = rig.deliveries(sinks=[rig.hook_sink(PACE)], targets=(HOOK,))
    with structlog.testing.capture_logs() as said:
        async with rig.running(worker):
            for day in range(1, 7):
                before = len(rig.hook.attempts)
                await worker.accept([make_alert(f"day{day}")])
                await eventually(functools.partial(_more, rig.hook.attempts, before))
                await _written_down(rig)
                rig.clock.forward(86_401)
            await eventually(lambda: any(each.reason == "turned_off" for each in rig.letters))
            (state,) = await rig.ledger().destinations()
            assert state.off.startswith("every attempt has failed for 5 days; the last: ")
            assert str(fault.status) in state.off
            ends = len(rig.hook.attempts)
            await worker.accept([make_alert("waits")])
            rig.hook.faults.share = 0.0
            assert await rig.ledger().turn_on("hook|")
            await eventually(lambda: any("waits" in each for each in rig.hook.received))
    assert len(rig.hook.attempts) > ends
    assert [line["detail"] for line in said if line["log_level"] == "error"] == [state.off]


async def test_a_failure_five_days_after_another_turns_nothing_off(rig: Rig) -> None:
    rig.hook.faults.among, rig.hook.faults.share = (Fault("status", 422),), 1.0
    worker = rig.deliveries(sinks=[rig.hook_sink(PACE)], targets=(HOOK,))
    async with rig.running(worker):
        # Bursts: many failures, few times.
        for number, days in enumerate((0, 5.1, 0.1)):
            rig.clock.forward(days * 86_400)
            await worker.accept([make_alert(f"s{number}{each}") for each in range(6)])
            await eventually(functools.partial(_told, rig, 6 * (number + 1)))
        assert {each.reason for each in rig.letters} == {"refused"}
        (state,) = await rig.ledger().destinations()
        assert (state.off, state.failing_since) == ("", rig.clock() - 5.2 * 86_400)


def _told(rig: Rig, letters: int) -> bool:
    return len(rig.letters) == letters


def _more(attempts: list[tuple[str, str]], than: int) -> bool:
    return len(attempts) > than


async def _written_down(rig: Rig) -> None:
    """What was attempted is in the ledger, before the clock moves on."""
    async with asyncio.timeout(10):
        while (await rig.ledger().destinations())[0].in_flight:  # noqa: ASYNC110 - Redis calls nobody
            await asyncio.sleep(0.01)
