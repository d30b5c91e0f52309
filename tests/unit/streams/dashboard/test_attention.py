"""How often the page looks: by who looks on, and by what the line gives cause to."""

from __future__ import annotations

import asyncio
from datetime import datetime

from streams.dashboard.attention import Attention, Turn

NEVER_S = 3_600.0


async def test_a_line_at_rest_is_looked_at_anew_as_soon_as_somebody_comes() -> None:
    attention, stop = Attention(), asyncio.Event()
    attention.worry(uneasy=False)
    looks = 0

    async def look(_now: datetime) -> None:
        nonlocal looks
        looks += 1

    turn = Turn(look, NEVER_S)
    running = asyncio.create_task(turn.run(attention, stop))
    first = asyncio.create_task(attention.somebody())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert looks == 1
    looked = asyncio.create_task(turn.ended())
    with attention.viewer(), attention.viewer():
        await asyncio.wait_for(asyncio.gather(looked, first), 5)
        assert looks == 2  # the second viewer came to a page that was awake
    stop.set()
    attention.end()
    await asyncio.wait_for(running, 5)


async def test_it_rests_longer_only_while_nobody_looks_and_nothing_is_amiss() -> None:
    attention = Attention()
    clock = asyncio.get_running_loop().time

    async def rested() -> bool:
        """Whether it rested for the slow time, not the pace."""
        began = clock()
        await attention.rest(0.0, 0.05)
        return clock() - began >= 0.04

    assert not await rested()  # nothing is known yet
    attention.worry(uneasy=False)
    assert await rested()
    with attention.viewer():
        assert attention.unwatched_s() == 0
        assert not await rested()
    assert await rested()
    attention.worry(uneasy=True)
    assert not await rested()


async def test_trouble_ends_a_rest_that_has_begun() -> None:
    attention = Attention()
    attention.worry(uneasy=False)
    resting = asyncio.create_task(attention.rest(NEVER_S))
    await asyncio.sleep(0)
    attention.worry(uneasy=True)
    await asyncio.wait_for(resting, 5)
