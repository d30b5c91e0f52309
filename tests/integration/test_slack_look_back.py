"""Looking back in Slack: through pages, by a channel's name, on a Redis that is new or emptied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from connectors.sinks.sink import Delivery
from connectors.sinks.slack_blocks import story_message
from streams.settings import Target
from tests.delivery_rig import Rig, eventually, open_rig
from tests.fakes.alerts import MORNING, make_alert
from tests.fakes.faults import Fault


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        yield made


def delivery(story: str, target: str = "C0000001", revision: int = 1) -> Delivery:
    alert = make_alert(story, revision)
    return Delivery(f"{alert.id}:x", "desk", target, alert)


async def test_a_message_is_found_many_pages_back_and_by_the_name_of_its_channel(rig: Rig) -> None:
    rig.slack.page_size = 7
    sink = rig.slack_sink()
    for number in range(40):
        await sink.deliver(delivery(f"s{number}"))
    for target in ("C0000001", "#desk", "desk"):
        found = await sink.look_back(delivery("s0", target))
        assert found is not None
        assert found.receipt["ts"] == rig.slack.messages[0].ts
    assert await sink.look_back(delivery("s0", "#night")) is None
    assert await sink.look_back(delivery("s99")) is None


async def test_a_channel_whose_name_slack_has_resolved_is_not_asked_for(rig: Rig) -> None:
    rig.slack.scopes = "chat:write,channels:history"
    sink = rig.slack_sink()
    await sink.deliver(delivery("s1", "#desk"))
    assert await sink.look_back(delivery("s1", "#desk")) is not None
    assert rig.slack.count("conversations.list") == 0


async def test_news_is_found_many_pages_down_its_thread(rig: Rig) -> None:
    rig.slack.page_size = 5
    sink = rig.slack_sink()
    receipt = (await sink.deliver(delivery("s1"))).receipt
    for revision in range(2, 20):
        step = replace(delivery("s1", revision=revision), receipt=receipt)
        before, receipt = receipt, (await sink.deliver(step)).receipt
    found = await sink.look_back(replace(delivery("s1", revision=19), receipt=before))
    assert found is not None
    assert dict(found.receipt) == dict(receipt)
    assert await sink.look_back(replace(delivery("s1", revision=20), receipt=receipt)) is None


async def test_the_words_of_another_app_are_not_ours(rig: Rig) -> None:
    sink = rig.slack_sink()
    await sink.deliver(delivery("s1"))
    rig.slack.messages[0].body["metadata"]["event_type"] = "somebody_elses"
    assert await sink.look_back(delivery("s1")) is None


async def test_a_found_message_says_what_it_told_so_that_only_news_follows(rig: Rig) -> None:
    """The receipt was lost with Redis; the metadata brings back what the channel knows."""
    sink = rig.slack_sink()
    await sink.deliver(delivery("s1"))
    found = await sink.look_back(delivery("s1", revision=2))
    assert found is not None and found.revision == 1
    await sink.deliver(replace(delivery("s1", revision=2), receipt=found.receipt))
    (reply,) = rig.slack.thread(rig.slack.messages[0].ts)
    assert reply.body["text"] == "4 injured (was 2), according to Gazette 1"
    assert (
        rig.slack.messages[0].body["text"]
        == story_message(make_alert(revision=2), ZoneInfo("UTC")).text
    )


async def test_a_first_start_rings_at_once(rig: Rig) -> None:
    await rig.redis.delete(f"{rig.keys.tag}ledger")
    worker = rig.deliveries()
    async with rig.running(worker):
        await worker.accept([make_alert()])
        await eventually(lambda: len(rig.slack.messages) == 1)
    assert rig.slack.count("conversations.history") == 1


async def test_news_from_after_the_start_needs_no_look_back(rig: Rig) -> None:
    await rig.redis.delete(f"{rig.keys.tag}ledger")
    worker = rig.deliveries()
    await worker.accept([make_alert()])
    await rig.settle([worker])
    rig.clock.forward(3_600)
    fresh = rig.clock.now()
    await worker.accept([make_alert("fresh", at=fresh, published_at=fresh)])
    await rig.settle([worker])
    assert rig.slack.count("conversations.history") == 1


async def test_a_worker_that_saw_redis_emptied_lets_requests_settle_first(rig: Rig) -> None:
    """A request under way at that moment is applied late; the look-back must not miss it."""
    worker = rig.deliveries()
    rig.timeout_s = 0.3
    rig.slack.faults.queue.append(Fault("late", late_s=30, where="chat.postMessage"))
    await worker.accept([make_alert()])
    async with rig.running(worker):
        await eventually(lambda: rig.slack.count("chat.postMessage") == 1)
        names = [key async for key in rig.redis.scan_iter(match=f"{rig.keys.tag}*")]
        await rig.redis.delete(*names)
        await worker.accept([make_alert()])
        await asyncio.sleep(0.2)
        assert rig.slack.count("conversations.history") == 0
        rig.clock.forward(31)
        await eventually(lambda: len(rig.slack.messages) == 1)
        await rig.until_idle()
    assert (len(rig.slack.messages), rig.slack.doubled()) == (1, 0)
    assert rig.slack.count("chat.postMessage") == 1


async def test_a_channel_target_by_name_is_told_once_too(rig: Rig) -> None:
    rig.slack.faults.queue.append(Fault("reset_after", where="chat.postMessage"))
    worker = rig.deliveries(targets=(Target(sink="slack", to="#night"),))
    await worker.accept([make_alert(at=MORNING)])
    await rig.settle([worker])
    assert [message.channel for message in rig.slack.messages] == ["C0000002"]
