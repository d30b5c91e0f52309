"""What people do to stories from Slack, down to the real stories and back into the messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from connectors.records import decode_alert
from connectors.sinks.slack_actions import Press, Question, Submission
from connectors.sinks.slack_views import View, report_key
from streams.delivery import Deliveries
from streams.desk import open_editor_desk
from streams.slack_desk import SlackDesk
from streams.stories import Stories
from tests.delivery_rig import Rig, eventually, open_rig
from tests.reports import DEPOT, DEPOT_RETOLD, FERRY, START, article, screened


class Windows:
    """The windows that were opened."""

    def __init__(self) -> None:
        self.views: list[View] = []

    async def open(self, trigger: str, view: View) -> None:
        self.views.append(view)


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        yield made


def desk_of(rig: Rig, windows: Windows) -> SlackDesk:
    editor = open_editor_desk(rig.redis, rig.keys, 72 * 3600)
    editor.ledger = rig.ledger()
    stories = Stories(rig.redis, rig.keys, 72 * 3600, ("en",))
    return SlackDesk("slack", editor, stories, windows, lambda: [("sabotage", "Sabotage")])


async def working(desk: SlackDesk, worker: Deliveries, stop: asyncio.Event) -> None:
    """A worker's side: what the desk tells Kafka's alerts is delivered."""

    async def send(kafka_topic: str, key: bytes, value: bytes) -> None:
        if kafka_topic == "alerts":
            await worker.accept([decode_alert(value)])

    await desk.editor.run(stop, send)


def headers(rig: Rig) -> list[str]:
    return sorted(row.body["blocks"][0]["text"]["text"] for row in rig.slack.stories())


async def test_two_stories_merged_by_the_slash_command_say_so_in_their_messages(rig: Rig) -> None:
    desk, worker, stop = desk_of(rig, Windows()), rig.deliveries(), asyncio.Event()
    batch = screened(article("a1", DEPOT), article("a2", FERRY, "Harbour Post"))
    kept, other = [each.alert for each in await desk.stories.assign(batch, START) if each.alert]
    await worker.accept([kept, other])
    running = asyncio.create_task(working(desk, worker, stop))
    async with rig.running(worker):
        await eventually(lambda: len(rig.slack.stories()) == 2)
        order = Question(f"merge {kept.story.id} {other.story.id}", "U1", "ann", "q1")
        assert await desk.asked(order) == ["Done."]
        assert await desk.asked(order) == ["Done."]  # Slack asks again
        await eventually(lambda: any(text.startswith("MERGED") for text in headers(rig)))
        await rig.until_idle()
        gone = Question(f"merge {kept.story.id} nobody", "U1", "ann", "q2")
        assert "Not done: there is no story nobody" in (await desk.asked(gone))[0]
    stop.set()
    await running
    shown = json.dumps([row.body["blocks"] for row in rig.slack.stories()], ensure_ascii=False)
    assert len(rig.slack.stories()) == 2
    assert shown.count("merged: ann") == 1
    assert rig.slack.violations == []


async def test_a_report_that_leaves_gets_a_message_of_its_own(rig: Rig) -> None:
    windows = Windows()
    desk, worker, stop = desk_of(rig, windows), rig.deliveries(), asyncio.Event()
    batch = screened(article("a1", DEPOT), article("a2", DEPOT_RETOLD, "Harbour Post", 5))
    alerts = [each.alert for each in await desk.stories.assign(batch, START) if each.alert]
    story = alerts[-1].story
    assert len(story.reports) == 2
    await worker.accept(alerts)
    running = asyncio.create_task(working(desk, worker, stop))
    async with rig.running(worker):
        await eventually(lambda: bool(rig.slack.stories()))
        await rig.until_idle()
        press = Press("p1", "split", story.id, 2, "C0000001", "U1", "ann", "trigger-1")
        assert await desk.pressed(press)
        (view,) = windows.views
        chosen = view["blocks"][1]["element"]["initial_option"]["value"]
        assert chosen == report_key(story.reports[1])
        assert await desk.submitted(Submission(press, (chosen,))) == ""
        await eventually(lambda: len(rig.slack.stories()) == 2)
        await rig.until_idle()
    stop.set()
    await running
    first, second = rig.slack.stories()
    assert first.payload["story_id"] == story.id != second.payload["story_id"]
    assert "split off: ann" in json.dumps(first.body["blocks"])
    assert "Harbour Post" not in json.dumps(first.body["blocks"][-2])
