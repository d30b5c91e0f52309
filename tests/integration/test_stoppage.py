"""A worker that stopped because everything became a dead letter is not started at once again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner

from streams import stoppage as stoppage_module
from streams.commands.dead_letters import app
from streams.health import Dependency, Observation, judge
from streams.keys import Keys
from streams.stoppage import FIRST_WAIT_S, LONGEST_WAIT_S, Stoppage
from tests.delivery_rig import eventually
from tests.fakes.alerts import Clock


async def test_each_stop_in_a_row_makes_the_next_worker_wait_longer(
    redis: Redis, redis_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock runs while the worker looks away: it must not look away for long.
    monkeypatch.setattr(stoppage_module, "LOOK_EVERY_S", 0.001)
    clock, going = Clock(), asyncio.Event()
    stoppage = Stoppage(redis, Keys(redis_prefix), clock)
    assert await asyncio.wait_for(stoppage.wait_out(going), 5)
    waits = []
    for _ in range(6):
        await stoppage.note("101 records in a row became dead letters")
        before = clock()
        waiting = asyncio.create_task(stoppage.wait_out(going))
        while not waiting.done():
            clock.forward(FIRST_WAIT_S / 4)
            await asyncio.sleep(0.01)
        assert await waiting
        waits.append(clock() - before)
    assert FIRST_WAIT_S <= waits[0] < waits[1] < waits[2]
    assert waits[-1] >= LONGEST_WAIT_S


async def test_a_person_lets_it_go_on_and_a_signal_ends_the_wait(
    redis: Redis, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    stoppage, going = Stoppage(redis, Keys(redis_prefix)), asyncio.Event()
    await stoppage.note("all poison")
    waiting = asyncio.create_task(stoppage.wait_out(going))
    going.set()
    assert not await asyncio.wait_for(waiting, 5)
    config = tmp_path / "wirebell.toml"
    config.write_text(f'[redis]\nurl = "{redis_url}"\nprefix = "{redis_prefix}"\n')
    waiting = asyncio.create_task(stoppage.wait_out(asyncio.Event()))
    for said in ("workers go on", "no worker waits"):
        result = await asyncio.to_thread(
            lambda: CliRunner().invoke(app, ["go-on", "--config", str(config)])
        )
        assert said in result.output
    await eventually(waiting.done)
    assert await waiting


async def test_who_is_on_call_sees_why_nobody_works_and_what_to_do(
    redis: Redis, redis_prefix: str
) -> None:
    clock = Clock()
    stoppage = Stoppage(redis, Keys(redis_prefix), clock)
    assert await stoppage.why() == ""
    await stoppage.note("101 records in a row became dead letters: screening_failed")
    healthy = Dependency("x", ok=True, since=clock.now())
    seen = Observation(at=clock.now(), watching_since=clock.now(), redis=healthy, broker=healthy)
    verdict = judge(replace(seen, stoppage=await stoppage.why()))
    assert verdict.state == "down"
    assert "101 records in a row" in verdict.words and "dead-letters go-on" in verdict.words
    clock.forward(FIRST_WAIT_S + 1)
    assert await stoppage.why() == ""
