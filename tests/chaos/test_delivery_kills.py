"""Real processes that deliver, killed by signals; an oracle counts at the receivers."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streams.settings import SubscriptionSettings, Target
from streams.subscriptions import wishes
from tests.delivery_rig import CHANNELS, Rig, eventually, open_rig
from tests.fakes.alerts import make_alert
from tests.fakes.delivery_process import FastClock

LOAD = int(os.environ.get("WIREBELL_CHAOS", "1"))
ROOT = Path(__file__).parents[2]
# A minute of lease is six seconds here: a machine that stalls longer makes a frozen worker.
RATE = 10.0
TARGETS = (*(Target(sink="slack", to=channel) for channel in CHANNELS), Target(sink="hook"))


@dataclass(slots=True)
class Workers:
    """Processes that deliver; at most `number` live at once."""

    command: list[str]
    living: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self) -> asyncio.subprocess.Process:
        """One more, ready."""
        process = await asyncio.create_subprocess_exec(
            *self.command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 30)
        self.living.append(process)
        return process

    async def end(self, process: asyncio.subprocess.Process, sign: signal.Signals) -> int:
        """End one by a signal; its exit code."""
        process.send_signal(sign)
        self.living.remove(process)
        return await asyncio.wait_for(process.wait(), 20)


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        clock = FastClock(time.time(), RATE)
        made.slack.clock = made.slack.faults.clock = made.hook.faults.clock = clock
        yield made


@pytest.fixture
async def workers(rig: Rig, redis_url: str, redis_prefix: str) -> AsyncIterator[Workers]:
    clock = rig.slack.clock
    made = Workers(
        [
            *(sys.executable, "-m", "tests.fakes.delivery_process"),
            *("--redis", redis_url, "--prefix", redis_prefix),
            *("--slack", rig.slack.url, "--hook", rig.hook.url),
            *("--start", str(clock.start), "--rate", str(RATE)),
        ]
    )
    yield made
    for process in list(made.living):
        await made.end(process, signal.SIGKILL)


async def owe(rig: Rig, first: int, number: int, revision: int = 1) -> None:
    """Put alerts into the ledger, as an app that has not been killed."""
    ledger = rig.ledger()
    ledger.clock = rig.slack.clock
    subscription = SubscriptionSettings(id="desk", deliver=TARGETS)
    at = rig.slack.clock.now()
    alerts = [
        make_alert(f"s{count}", revision, at=at, published_at=at)
        for count in range(first, first + number)
    ]
    wanted = [(alert, wishes([subscription], alert, at)) for alert in alerts]
    await ledger.want(wanted, 45.0)


async def all_told(rig: Rig, number: int, revision: int) -> None:
    """Wait until every receiver has every story at the revision, then count."""

    def complete() -> bool:
        told = [row for row in rig.slack.stories() if row.payload["revision"] == revision]
        heard = {
            body["data"]["story"]["id"]
            for body in rig.hook.received.values()
            if body["data"]["story"]["revision"] == revision
        }
        return len(told) == number * len(CHANNELS) and len(heard) == number

    await eventually(complete, within_s=60 * LOAD)
    assert len(rig.slack.stories()) == number * len(CHANNELS)
    assert (rig.slack.doubled(), rig.slack.violations, rig.hook.forged) == (0, [], [])


def _reached(rig: Rig, messages: int) -> bool:
    return len(rig.slack.messages) >= messages


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
async def test_workers_killed_in_the_middle_of_sending_lose_and_double_nothing(
    rig: Rig,
    workers: Workers,
    sign: signal.Signals,
    record_property: Callable[[str, object], None],
) -> None:
    chance = random.Random(7)
    await asyncio.gather(*(workers.start() for _ in range(2)))
    kills, each = 4 * LOAD, 20
    for kill in range(kills):
        sent = len(rig.slack.messages)
        await owe(rig, kill * each, each)
        # In the middle: something is sent, not all of it.
        goal = sent + chance.randrange(1, each)
        await eventually(functools.partial(_reached, rig, goal), within_s=30)
        victim = workers.living[0]
        newcomer = asyncio.create_task(workers.start())
        code = await workers.end(victim, sign)
        assert code == (0 if sign == signal.SIGTERM else -signal.SIGKILL)
        await newcomer
    await all_told(rig, kills * each, 1)
    await owe(rig, 0, kills * each, revision=2)
    await all_told(rig, kills * each, 2)
    assert await rig.redis.llen(f"{rig.keys.tag[1:-2]}-letters") == 0
    owed = kills * each * (len(CHANNELS) + 1)
    heard = {body["data"]["story"]["id"] for body in rig.hook.received.values()}
    record_property("owed", owed)
    record_property("lost", owed - len(rig.slack.stories()) - len(heard))
    record_property("doubled", rig.slack.doubled())
    record_property("faults", kills)
