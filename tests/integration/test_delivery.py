"""Delivery on real Redis and real servers: what is told, to whom, how often, and when."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from redis.exceptions import RedisError

from connectors.records import Alert
from connectors.sinks.pace import Pace
from streams.delivery import Deliveries
from streams.embedded import EmbeddedRedis
from streams.ledger import Attempt
from streams.settings import SubscriptionSettings, Target
from tests.delivery_rig import Rig, eventually, open_rig
from tests.fakes.alerts import MORNING, make_alert
from tests.fakes.faults import Fault

SLACK = Target(sink="slack", to="C0000001")
OTHER = Target(sink="slack", to="C0000002")
HOOK = Target(sink="hook")


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        yield made


def _reached(things: list[Any], number: int) -> bool:
    return len(things) == number


async def next_attempt(rig: Rig, after: int) -> datetime:
    """When the ledger, having written down so many attempts, will make the next."""
    log: list[Attempt] = []
    while len(log) < after:
        await asyncio.sleep(0.005)
        log = await rig.ledger().attempts()
    assert log[0].next_at is not None
    return log[0].next_at


async def test_a_story_is_one_message_that_grows(rig: Rig) -> None:
    worker = rig.deliveries(targets=(SLACK, HOOK))
    for revision in (1, 2, 3):
        await worker.accept([make_alert(revision=revision)])
        await rig.settle([worker])
    (message,) = rig.slack.stories()
    assert message.payload["revision"] == 3
    assert message.edits == 2
    assert [row.payload["revision"] for row in rig.slack.thread(message.ts)] == [2, 3]
    assert [body["type"] for body in rig.hook.received.values()] == [
        "story.new",
        "story.update",
        "story.update",
    ]
    assert (rig.slack.violations, rig.hook.forged, rig.letters) == ([], [], [])


async def test_revisions_that_pile_up_become_one_message(rig: Rig) -> None:
    worker = rig.deliveries()
    await worker.accept([make_alert(revision=revision) for revision in (1, 2, 5, 3)])
    await rig.settle([worker])
    (message,) = rig.slack.messages
    assert message.payload["revision"] == 5


async def test_accepting_the_same_alerts_again_changes_nothing(rig: Rig) -> None:
    worker = rig.deliveries(targets=(SLACK, HOOK))
    alerts = [make_alert(f"s{number}") for number in range(5)]
    for _ in range(3):
        await worker.accept(alerts)
        await rig.settle([worker])
    assert (len(rig.slack.messages), len(rig.hook.attempts)) == (5, 5)


async def test_minor_growth_edits_without_a_word_in_the_thread(rig: Rig) -> None:
    worker = rig.deliveries()
    first = make_alert()
    await worker.accept([first])
    await rig.settle([worker])
    await worker.accept([make_alert(revision=2, tolls=first.story.tolls)])
    await rig.settle([worker])
    (message,) = rig.slack.messages
    assert message.edits == 1


async def test_only_a_step_up_in_priority_is_broadcast(rig: Rig) -> None:
    worker = rig.deliveries()
    for revision, priority in ((1, "routine"), (2, "routine"), (3, "flash"), (4, "flash")):
        await worker.accept([make_alert(revision=revision, priority=priority)])  # type: ignore[arg-type]
        await rig.settle([worker])
    replies = rig.slack.thread(rig.slack.stories()[0].ts)
    assert [reply.body["reply_broadcast"] for reply in replies] == [False, True, False]


async def test_a_correction_reaches_who_was_told_though_it_does_not_match(rig: Rig) -> None:
    worker = rig.deliveries()
    worker.subscriptions = [
        SubscriptionSettings(id="desk", min_priority="urgent", deliver=(SLACK,))
    ]
    await worker.accept([make_alert("told", priority="urgent"), make_alert("not-told")])
    await rig.settle([worker])
    for story in ("told", "not-told"):
        await worker.accept([make_alert(story, 2, kind="correction", corrected="It was a drill.")])
    await rig.settle([worker])
    (message,) = rig.slack.stories()
    assert message.payload["story_id"] == "told"
    assert "It was a drill." in str(message.body["blocks"])


async def test_a_message_that_somebody_deleted_is_posted_anew(rig: Rig) -> None:
    worker = rig.deliveries()
    await worker.accept([make_alert()])
    await rig.settle([worker])
    rig.slack.messages.clear()
    await worker.accept([make_alert(revision=2)])
    await rig.settle([worker])
    assert [row.payload["revision"] for row in rig.slack.messages] == [2]


async def test_a_limited_channel_holds_up_no_other_channel(rig: Rig) -> None:
    worker = rig.deliveries(targets=(SLACK, OTHER))
    rig.slack.faults.queue.append(Fault("status", 429, retry_after="30", where="C0000001"))
    await worker.accept([make_alert()])
    async with rig.running(worker):
        await eventually(lambda: len(rig.slack.stories("C0000002")) == 1)
        await worker.accept([make_alert("s2")])
        await eventually(lambda: len(rig.slack.stories("C0000002")) == 2)
        rig.clock.forward(29)
        await asyncio.sleep(0.1)
        assert rig.slack.stories("C0000001") == []
        rig.clock.forward(2)
        await eventually(lambda: len(rig.slack.stories("C0000001")) == 2)
    assert rig.slack.count("chat.postMessage") == 5


async def test_a_dead_endpoint_delays_only_itself(rig: Rig) -> None:
    rig.hook.faults.among, rig.hook.faults.share = (Fault("timeout"),), 1.0
    slack = rig.slack_sink()
    rig.timeout_s = 0.5
    worker = rig.deliveries(sinks=[slack, rig.hook_sink()], targets=(SLACK, HOOK))
    alerts = [make_alert(f"s{number}") for number in range(60)]
    async with rig.running(worker):
        await worker.accept(alerts)
        await eventually(lambda: len(rig.slack.messages) == 60)
        # The dead one has not even been tried with all of them yet.
        assert len(rig.hook.attempts) < 60
        rig.hook.faults.share = 0.0
        await rig.until_idle(step_s=5)
    assert len(rig.hook.received) == 60


async def test_a_webhook_is_retried_with_the_same_id_and_a_fresh_time_stamp(rig: Rig) -> None:
    rig.hook.faults.queue += [Fault("status", 500), Fault("status_after", 500), Fault("cut")]
    worker = rig.deliveries(targets=(HOOK,))
    await worker.accept([make_alert()])
    async with rig.running(worker):
        for attempt in (1, 2):
            rig.clock.moment = await next_attempt(rig, attempt)
        await rig.until_idle(step_s=0)
    assert len({webhook_id for webhook_id, _ in rig.hook.attempts}) == 1
    # A cut answer after 202 is an answer: accepted.
    assert len(rig.hook.attempts) == 3
    assert len(rig.hook.received) == 1
    log = await rig.ledger().attempts()
    assert [row.attempt for row in reversed(log)] == [1, 2, 3]
    assert log[-1].next_at == log[-1].at + timedelta(seconds=5)


async def test_a_schedule_survives_a_restart(rig: Rig) -> None:
    rig.hook.faults.queue += [Fault("status", 500)] * 3
    worker = rig.deliveries(targets=(HOOK,))
    await worker.accept([make_alert()])
    async with rig.running(worker):
        await eventually(lambda: len(rig.hook.attempts) == 1)
    for wait_s, attempts in ((5, 2), (300, 3), (1_800, 4)):
        rig.clock.forward(wait_s - 2)
        next_worker = rig.deliveries(targets=(HOOK,))
        async with rig.running(next_worker):
            await asyncio.sleep(0.05)
            assert len(rig.hook.attempts) == attempts - 1
            rig.clock.forward(3)
            await eventually(functools.partial(_reached, rig.hook.attempts, attempts))
    assert len(rig.hook.received) == 1


async def test_a_receiver_that_is_gone_is_turned_off_and_somebody_is_told(rig: Rig) -> None:
    rig.hook.faults.queue.append(Fault("status", 410))
    worker = rig.deliveries(targets=(HOOK,))
    await worker.accept([make_alert()])
    async with rig.running(worker):
        await eventually(lambda: len(rig.letters) == 1)
        await worker.accept([make_alert("s2")])
        await asyncio.sleep(0.1)
        assert len(rig.hook.attempts) == 1
        (state,) = await rig.ledger().destinations()
        assert "410" in state.off
        assert await rig.ledger().turn_on("hook|")
        await eventually(lambda: len(rig.hook.received) == 1)
    (letter,) = rig.letters
    assert (letter.stage, letter.reason, letter.attempts) == ("deliver", "turned_off", 1)


async def test_what_is_refused_becomes_a_dead_letter_that_can_be_replayed(rig: Rig) -> None:
    worker = rig.deliveries(targets=(Target(sink="slack", to="C0000009"),))
    alert = make_alert()
    await worker.accept([alert])
    await rig.settle([worker])
    await worker.accept([alert])  # as a replay does
    rig.slack.channels["C0000009"] = "made-meanwhile"
    await rig.settle([worker])
    assert [letter.reason for letter in rig.letters] == ["refused"]
    assert len(rig.slack.messages) == 1


async def test_a_receiver_that_never_answers_ends_in_a_dead_letter(rig: Rig) -> None:
    rig.hook.faults.among, rig.hook.faults.share = (Fault("status", 500),), 1.0
    worker = rig.deliveries(targets=(HOOK,))
    await worker.accept([make_alert()])
    async with rig.running(worker):
        for attempt in range(1, 13):
            await eventually(functools.partial(_reached, rig.hook.attempts, attempt))
            rig.clock.moment = await next_attempt(rig, attempt)
        await eventually(lambda: len(rig.letters) == 1)
    (letter,) = rig.letters
    assert (letter.reason, letter.attempts) == ("gave_up", 13)
    assert len(rig.hook.attempts) == 13


async def test_flash_goes_first(rig: Rig) -> None:
    worker = rig.deliveries()
    routine = [make_alert(f"r{number}") for number in range(20)]
    await worker.accept([*routine, make_alert("urgent", priority="urgent")])
    await worker.accept([make_alert("flash", priority="flash")])
    await rig.settle([worker])
    first = {message.payload["story_id"] for message in rig.slack.messages[:4]}
    assert {"flash", "urgent"} <= first


async def test_a_night_of_updates_rings_once_in_the_morning_and_a_flash_at_once(rig: Rig) -> None:
    worker = rig.deliveries()
    worker.subscriptions = [
        SubscriptionSettings(id="desk", quiet_hours="07:00-09:00 UTC", deliver=(SLACK,))
    ]
    async with rig.running(worker):
        for revision in (1, 2, 3):
            await worker.accept([make_alert("slow", revision), make_alert("fast", revision)])
        await asyncio.sleep(0.1)
        assert rig.slack.messages == []
        await worker.accept([make_alert("fast", 4, priority="flash")])
        await eventually(lambda: len(rig.slack.messages) == 1)
        await worker.accept([make_alert("fast", 5)])
        rig.clock.forward(3_599)
        await asyncio.sleep(0.1)
        assert len(rig.slack.messages) == 1
        rig.clock.forward(2)
        await rig.until_idle()
    told = [(row.payload["story_id"], row.payload["revision"]) for row in rig.slack.stories()]
    assert told == [("fast", 5), ("slow", 3)]


async def test_many_workers_tell_each_story_once(rig: Rig) -> None:
    targets = (SLACK, OTHER, HOOK)
    workers = [rig.deliveries(targets=targets) for _ in range(4)]
    alerts = [make_alert(f"s{number}") for number in range(50)]
    for worker in workers:
        await worker.accept(alerts)
    await rig.settle(workers)
    assert (len(rig.slack.messages), rig.slack.doubled()) == (100, 0)
    assert len(rig.hook.attempts) == 50


async def test_messages_to_one_channel_keep_their_distance(rig: Rig) -> None:
    paced = rig.slack_sink(Pace(in_flight=8, target_in_flight=4, target_interval_s=1.0))
    worker = rig.deliveries(sinks=[paced], targets=(SLACK, OTHER))
    await worker.accept([make_alert(f"s{number}") for number in range(5)])
    async with rig.running(worker):
        for expected in range(1, 6):
            await eventually(functools.partial(_reached, rig.slack.messages, 2 * expected))
            await asyncio.sleep(0.05)
            assert len(rig.slack.messages) == 2 * expected
            rig.clock.forward(1.01)


async def test_redis_found_empty_tells_nobody_twice(rig: Rig) -> None:
    alerts = [make_alert(f"s{number}", at=MORNING) for number in range(20)]
    worker = rig.deliveries(targets=(SLACK, OTHER))
    await worker.accept(alerts)
    await rig.settle([worker])
    names = [key async for key in rig.redis.scan_iter(match=f"{rig.keys.tag}*")]
    await rig.redis.delete(*names)
    rig.clock.forward(600)
    grown = [make_alert(f"s{number}", 2, at=MORNING) for number in range(10)]
    await worker.accept([*alerts, make_alert("later", at=rig.clock.now())])
    await worker.accept(grown)
    await rig.settle([worker])
    assert (len(rig.slack.stories()), rig.slack.doubled()) == (42, 0)
    assert sum(message.edits for message in rig.slack.stories()) == 20


async def test_nothing_is_lost_or_doubled_while_redis_is_away(
    tmp_path: Path, redis_prefix: str
) -> None:
    with EmbeddedRedis(tmp_path) as server:
        async with open_rig(server.url, redis_prefix) as rig:
            worker = rig.deliveries(targets=(SLACK, HOOK))
            await worker.accept([make_alert(f"s{number}") for number in range(30)])
            async with rig.running(worker):
                await eventually(lambda: len(rig.slack.messages) >= 3)
                server.kill()
                with pytest.raises(RedisError):
                    await worker.accept([make_alert("while-away")])
                server.restart()
                await eventually_accepted(worker, [make_alert("while-away")])
                await eventually(lambda: len(rig.hook.received) == 31)
                rig.clock.forward(61)
                await rig.until_idle()
            assert (len(rig.slack.messages), rig.slack.doubled()) == (31, 0)


async def eventually_accepted(worker: Deliveries, alerts: list[Alert]) -> None:
    """Accept as the app does: repeat while Redis is away."""
    for _ in range(500):
        try:
            await worker.accept(alerts)
            return
        except RedisError:
            await asyncio.sleep(0.01)
    raise AssertionError("Redis never came back")


async def test_a_channel_sees_its_own_time_zone_and_keeps_the_time_it_was_sent_at(
    rig: Rig,
) -> None:
    sink = rig.slack_sink()
    zones = {"C0000002": ZoneInfo("Asia/Tokyo")}
    sink._zone_of = lambda channel: zones.get(channel, ZoneInfo("UTC"))
    places = (Target(sink="slack", to="C0000001"), Target(sink="slack", to="C0000002"))
    worker = rig.deliveries(sinks=[sink], targets=places)
    await worker.accept([make_alert()])
    await rig.settle([worker])
    rig.clock.forward(300)
    await worker.accept([make_alert(revision=2)])
    await rig.settle([worker])
    shown = {row.channel: json.dumps(row.body["blocks"]) for row in rig.slack.stories()}
    for channel, hour in (("C0000001", "08"), ("C0000002", "17")):
        assert f"seen {hour}:00 \\u00b7 sent {hour}:00 \\u00b7 updated {hour}:05" in shown[channel]


async def test_a_sink_at_rest_is_asked_ever_less_often_until_there_is_work(rig: Rig) -> None:
    worker = rig.deliveries()
    worker.poll_s = 1.0
    (turn,) = worker._rounds
    rests = []
    for _ in range(4):
        await turn._claim_and_start()
        rests.append(turn.idle_s)
    assert rests == [1.0, 2.0, 4.0, 4.0]
    await worker.accept([make_alert()])
    assert turn.woken.is_set()
    await turn._claim_and_start()
    assert turn.idle_s == 1.0
    await asyncio.gather(*turn.running)
    assert len(rig.slack.messages) == 1
