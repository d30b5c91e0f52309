"""What comes when: first starts, update modes, caps, bursts, mornings and digests. Real Redis
and a real HTTP server in Slack's place.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connectors.records import Alert
from connectors.sinks.console import ConsoleSink
from connectors.sinks.pace import Pace
from connectors.sinks.settings import ConsoleSettings
from streams.delivery import Deliveries
from streams.settings import SubscriptionSettings, Target
from tests.delivery_rig import SLACK_PACE, WEBHOOK_PACE, Rig, eventually, open_rig
from tests.fakes.alerts import MORNING, make_alert
from tests.fakes.faults import Fault

SLACK = Target(sink="slack", to="C0000001")
HOOK = Target(sink="hook")
GATHERING = replace(SLACK_PACE, most_together=60, gather_s=4.0)


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        yield made


def worker_of(rig: Rig, pace: Pace = GATHERING, **wishes: Any) -> Deliveries:
    """A worker with one subscription to one channel."""
    worker = rig.deliveries(sinks=[rig.slack_sink(pace)])
    worker.subscriptions = [SubscriptionSettings(id="desk", deliver=(SLACK,), **wishes)]
    return worker


def some(number: int, first: int = 0, **fields: Any) -> list[Alert]:
    """Alerts of as many stories."""
    return [make_alert(f"s{count}", **fields) for count in range(first, first + number)]


def bundles(rig: Rig) -> list[set[str]]:
    """The stories that each message of several names."""
    return [set(row.payload["stories"]) for row in rig.slack.messages if "stories" in row.payload]


def alone(rig: Rig) -> list[str]:
    """The stories with a message of their own, in order."""
    return [row.payload["story_id"] for row in rig.slack.stories() if row.payload["story_id"]]


def names(alerts: Sequence[Alert]) -> set[str]:
    return {alert.story.id for alert in alerts}


async def test_what_is_older_than_a_subscription_is_noted_without_a_word(rig: Rig) -> None:
    worker = worker_of(rig)
    yesterday = MORNING - timedelta(days=1)
    await worker.accept([make_alert("old", published_at=yesterday), make_alert("fresh")])
    await rig.settle([worker])
    assert alone(rig) == ["fresh"]
    # It grows: now it is news, and comes whole.
    await worker.accept([make_alert("old", 2, published_at=rig.clock.now())])
    await rig.settle([worker])
    assert alone(rig) == ["fresh", "old"]
    assert rig.slack.stories()[1].payload["revision"] == 2


async def test_a_story_noted_silently_tells_no_growth_that_nobody_asked_for(rig: Rig) -> None:
    worker = worker_of(rig, topics=("arson",))
    await worker.accept([make_alert("old", published_at=MORNING - timedelta(days=1))])
    grown = make_alert("old", 2, published_at=rig.clock.now(), topics=())
    await worker.accept([grown])
    await rig.settle([worker])
    assert rig.slack.messages == []


async def test_a_new_subscription_is_silent_about_what_an_old_one_rang_for(rig: Rig) -> None:
    worker = worker_of(rig)
    await worker.accept([make_alert("first")])
    rig.clock.forward(7_200)
    news = SubscriptionSettings(id="news", deliver=(Target(sink="slack", to="C0000002"),))
    worker.subscriptions = [*worker.subscriptions, news]
    await worker.accept([make_alert("late")])
    await rig.settle([worker])
    assert {row.channel for row in rig.slack.stories()} == {"C0000001"}
    assert sorted(alone(rig)) == ["first", "late"]


async def test_what_came_while_the_line_was_down_rings_though_redis_was_emptied(rig: Rig) -> None:
    worker = worker_of(rig)
    await worker.accept([make_alert("before")])
    await rig.settle([worker])
    began = await rig.redis.hgetall(rig.keys.subscription_starts)
    names = [key async for key in rig.redis.scan_iter(match=f"{rig.keys.tag}*")]
    await rig.redis.delete(*names)
    rig.clock.forward(6 * 3_600)
    await worker.accept([make_alert("meanwhile", published_at=MORNING + timedelta(minutes=5))])
    await rig.settle([worker])
    assert alone(rig) == ["before", "meanwhile"]
    # Workers that start now hear of it too.
    assert await rig.redis.hgetall(rig.keys.subscription_starts) == began != {}


@pytest.mark.parametrize(
    ("updates", "edits", "thread"), [("thread", 2, 2), ("edit", 2, 0), ("none", 1, 0)]
)
async def test_a_subscription_says_what_it_hears_of_growth(
    rig: Rig, updates: str, edits: int, thread: int
) -> None:
    worker = worker_of(rig, updates=updates)
    grown = [
        make_alert(),
        make_alert(revision=2),
        make_alert(revision=3, kind="correction", corrected="It was an exercise."),
    ]
    for alert in grown:
        await worker.accept([alert])
        await rig.settle([worker])
    (message,) = rig.slack.stories()
    assert (message.edits, len(rig.slack.thread(message.ts))) == (edits, thread)
    assert message.payload["revision"] == 3


async def test_beyond_the_cap_of_an_hour_one_message_tells_how_many_more(rig: Rig) -> None:
    worker = worker_of(rig, replace(GATHERING, gather_s=0.0), max_per_hour=3)
    rig.clock.forward(120)
    urgent = some(17, priority="urgent", at=rig.clock.now())
    await worker.accept(urgent)
    await worker.accept([make_alert("flash", priority="flash", at=rig.clock.now())])
    async with rig.running(worker):
        await eventually(lambda: len(rig.slack.messages) == 4)
        rig.clock.forward(3_000)
        await asyncio.sleep(0.1)
        assert len(rig.slack.messages) == 4
        rig.clock.forward(600)
        await rig.until_idle()
    rang = alone(rig)
    assert (len(rang), "flash" in rang) == (4, True)
    assert bundles(rig) == [names(urgent) - set(rang)]
    assert rig.slack.messages[-1].body["text"].startswith("And 14 more in the last hour")
    # What was told in that message grows: each would ring by itself now, and the cap holds;
    # the message counts as one of the hour in which it came.
    grown = [make_alert(alert.story.id, 2, priority="urgent") for alert in urgent]
    more = [alert for alert in grown if alert.story.id not in rang]
    await worker.accept(more)
    async with rig.running(worker):
        await eventually(lambda: len(alone(rig)) == 6)
        rig.clock.forward(3_600)
        await rig.until_idle()
    assert bundles(rig)[1:] == [names(more) - set(alone(rig)[4:])]
    assert rig.slack.messages[-1].body["text"].startswith("And 12 more in the last hour")


async def test_a_receiver_of_webhooks_has_its_cap_and_its_summary_too(rig: Rig) -> None:
    """Also when the summary is lost on the way: the same stories come again."""
    worker = rig.deliveries(sinks=[rig.hook_sink(replace(WEBHOOK_PACE, most_together=60))])
    worker.subscriptions = [SubscriptionSettings(id="api", deliver=(HOOK,), max_per_hour=3)]
    rig.clock.forward(120)
    await worker.accept(some(17, priority="urgent", at=rig.clock.now()))
    async with rig.running(worker):
        await eventually(lambda: len(rig.hook.received) == 3)
        rig.hook.faults.queue = [Fault("reset_before"), Fault("status", 503)]
        rig.clock.forward(3_600)
        await rig.until_idle(step_s=0.5)
    bodies = list(rig.hook.received.values())
    summaries = [body["data"] for body in bodies if body["type"] == "stories.summary"]
    rang = {body["data"]["story"]["id"] for body in bodies if "story" in body["data"]}
    more = {story["id"] for summary in summaries for story in summary["stories"]}
    assert (len(rang), len(more), rang & more) == (3, 14, set())
    assert {(summary["reason"], summary["more"]) for summary in summaries} == {("cap", 0)}
    # What grows comes whole.
    grown = sorted(more)[0]
    await worker.accept([make_alert(grown, 2, at=rig.clock.now())])
    await rig.settle([worker])
    assert list(rig.hook.received.values())[-1]["data"]["story"]["id"] == grown
    assert rig.letters == []


async def test_the_terminal_has_its_cap_too(rig: Rig) -> None:
    shown = io.StringIO()
    sink = ConsoleSink("console", ConsoleSettings(), shown)
    worker = rig.deliveries(sinks=[sink])
    terminal = (Target(sink="console"),)
    worker.subscriptions = [SubscriptionSettings(id="all", deliver=terminal, max_per_hour=2)]
    rig.clock.forward(120)
    await worker.accept(some(9, at=rig.clock.now()))
    async with rig.running(worker):
        await eventually(lambda: shown.getvalue().count("Gazette 1") == 2)
        rig.clock.forward(3_600)
        await rig.until_idle(step_s=5)
    assert "And 7 more in the last hour" in shown.getvalue()
    assert shown.getvalue().count("Fuel depot at Lindholm") == 9


async def test_routine_stories_of_a_few_seconds_come_in_one_message(rig: Rig) -> None:
    worker = worker_of(rig)
    burst = some(5)
    await worker.accept(burst[:2])
    await worker.accept([make_alert("grave", priority="urgent")])
    await worker.accept(burst[2:])
    await rig.settle([worker])
    assert alone(rig) == ["grave"]
    assert bundles(rig) == [names(burst)]
    # A story that grows gets a message of its own, and only one.
    for revision in (2, 3):
        await worker.accept([make_alert("s1", revision)])
        await rig.settle([worker])
    assert alone(rig) == ["grave", "s1"]
    assert (rig.slack.doubled(), rig.slack.violations) == (0, [])


async def test_two_routine_stories_keep_a_message_each(rig: Rig) -> None:
    worker = worker_of(rig)
    await worker.accept(some(2))
    await rig.settle([worker])
    assert (sorted(alone(rig)), bundles(rig)) == (["s0", "s1"], [])


async def test_a_night_ends_in_one_summary(rig: Rig) -> None:
    worker = worker_of(rig, quiet_hours="07:00-09:00 UTC")
    night = some(4, priority="urgent")
    await worker.accept(night)
    async with rig.running(worker):
        await asyncio.sleep(0.1)
        assert rig.slack.messages == []
        rig.clock.forward(3_601)
        await rig.until_idle()
    assert (alone(rig), bundles(rig)) == ([], [names(night)])
    assert rig.slack.messages[0].body["text"].startswith("While it was quiet: 4 stories")


async def test_a_digest_comes_at_its_times_and_a_flash_at_once(rig: Rig) -> None:
    worker = worker_of(rig, digest="10:30,18:00 Europe/Kyiv")
    morning = some(3)
    await worker.accept([*morning, make_alert("flash", priority="flash")])
    async with rig.running(worker):
        await eventually(lambda: len(rig.slack.messages) == 1)
        rig.clock.forward(1_700)
        await worker.accept([make_alert("s1", 2)])
        rig.clock.forward(200)
        await rig.until_idle()
        assert bundles(rig) == [names(morning)]
        # What was told in a digest grows: into the next digest, not between.
        later = some(2, first=10)
        await worker.accept([*later, make_alert("s2", 2)])
        rig.clock.forward(3_600)
        await asyncio.sleep(0.1)
        assert len(bundles(rig)) == 1
        rig.clock.forward(8 * 3_600)
        await rig.until_idle()
    assert alone(rig) == ["flash"]
    assert bundles(rig)[1:] == [{*names(later), "s2"}]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset_before"),
        Fault("reset_after"),
        Fault("status_after", 500),
        Fault("garbage"),
        Fault("status", 429, retry_after="7"),
        Fault("late", late_s=30),
    ],
    ids=lambda fault: str(fault.kind),
)
async def test_no_fault_doubles_or_loses_what_comes_together(rig: Rig, fault: Fault) -> None:
    rig.timeout_s = 0.3
    worker = worker_of(rig)
    rig.slack.faults.queue.append(fault)
    burst = some(6)
    await worker.accept(burst)
    await rig.settle([worker])
    assert set().union(*bundles(rig)) | set(alone(rig)) == names(burst)
    assert sum(map(len, bundles(rig))) + len(alone(rig)) == 6
    assert rig.letters == []


async def test_a_worker_that_dies_with_several_in_hand_doubles_none(rig: Rig) -> None:
    rig.timeout_s = 0.3
    worker = worker_of(rig)
    burst = some(6)
    await worker.accept(burst)
    rig.clock.forward(5)
    ledger = rig.ledger()
    claims, _ = await ledger.claim("slack", 10, GATHERING)
    assert len(claims) == 6
    assert {claim.message for claim in claims} == {claims[0].job}
    for claim in claims[:3]:  # half of them marked as being sent, then the end
        assert await ledger.hold(claim) == "held"
    rig.clock.forward(61)
    await rig.settle([worker_of(rig)])
    assert set().union(*bundles(rig)) | set(alone(rig)) == names(burst)
    assert sum(map(len, bundles(rig))) + len(alone(rig)) == 6


async def test_one_message_that_slack_refuses_becomes_one_for_each_story(rig: Rig) -> None:
    worker = worker_of(rig)
    await worker.accept(some(4))
    rig.slack.refuse = "bundle"
    await rig.settle([worker])
    assert sorted(alone(rig)) == ["s0", "s1", "s2", "s3"]
    assert rig.letters == []


async def test_a_receiver_that_failed_for_five_days_is_turned_off(rig: Rig) -> None:
    rig.hook.faults.share, rig.hook.faults.among = 1.0, (Fault("status", 500),)
    pace = Pace(schedule_s=(36_000.0,) * 30, off_after_s=5 * 86_400.0)
    worker = rig.deliveries(sinks=[rig.hook_sink(pace)], targets=(HOOK,))
    await worker.accept([make_alert()])
    async with rig.running(worker), asyncio.timeout(40):
        while not (state := (await rig.ledger().destinations())[0]).off:
            # A clock that runs on while a request is under way would end its lease.
            rig.clock.forward(0 if state.in_flight else 1_800)
            await asyncio.sleep(0.005)
    assert "500" in state.off
    assert [letter.reason for letter in rig.letters] == ["turned_off"]
    # Every ten hours and what the clock's steps add; the first after five days is the last.
    assert 8 <= len(rig.hook.attempts) <= 14
