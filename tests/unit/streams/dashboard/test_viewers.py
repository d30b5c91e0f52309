"""Events reach every viewer; a slow one skips to the latest."""

from __future__ import annotations

import asyncio

from streams.dashboard.viewers import Broadcast


async def test_a_new_viewer_is_given_what_is_known_snapshot_first() -> None:
    broadcast = Broadcast()
    broadcast.publish("snapshot", b"1")
    broadcast.publish("stories", b"[]")
    broadcast.publish("snapshot", b"2")
    first = await anext(broadcast.messages())
    assert first == b"event: snapshot\ndata: 2\n\nevent: stories\ndata: []\n\n"


async def test_a_viewer_who_waits_is_given_what_comes() -> None:
    broadcast = Broadcast()
    waiting = asyncio.ensure_future(anext(broadcast.messages()))
    await asyncio.sleep(0)
    broadcast.publish("point", b"{}")
    assert await waiting == b"event: point\ndata: {}\n\n"


async def test_a_slow_viewer_skips_to_the_latest_and_sees_nothing_twice() -> None:
    broadcast = Broadcast()
    messages = broadcast.messages()
    broadcast.publish("snapshot", b"1")
    await anext(messages)
    for number in range(2, 1_000):
        broadcast.publish("snapshot", b"%d" % number)
    assert await anext(messages) == b"event: snapshot\ndata: 999\n\n"
    assert broadcast.publish("point", b"{}") is None
    assert await anext(messages) == b"event: point\ndata: {}\n\n"
