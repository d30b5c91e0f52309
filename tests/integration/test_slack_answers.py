"""What people do in Slack, over a real websocket, down to the ledger and what
is sent to Kafka.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from connectors.sinks.settings import SlackSettings
from connectors.sinks.sink import Result, Verdict
from connectors.sinks.slack_actions import presses_of
from connectors.sinks.slack_socket import SocketListener
from connectors.sinks.slack_views import submission_of, topics_view
from streams.attempts import attempt_of
from streams.desk import open_editor_desk
from streams.slack_desk import SlackDesk, open_desks
from streams.stories import Stories
from tests.delivery_rig import SLACK_PACE, Rig, eventually, open_rig
from tests.fakes.alerts import make_alert
from tests.fakes.slack_socket import answer, click
from tests.reports import START, article, screened
from tests.slack_room import (
    TOPIC_CHOICES,
    Kafka,
    RecordedEditing,
    desk_of,
    shown,
    worker_of,
    working,
)


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        yield made


@asynccontextmanager
async def listening(rig: Rig, desk: SlackDesk, kafka: Kafka) -> AsyncIterator[None]:
    stop = asyncio.Event()
    listener = SocketListener("xapp-test", rig.slack.url, desk, again_s=0.2)
    task = asyncio.create_task(listener.run(stop))
    try:
        await eventually(lambda: bool(rig.slack.socket.connections))
        async with working(desk.editor, kafka.send):
            yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


@pytest.mark.parametrize(
    ("choice", "says"), [("relevant", "relevant: ann"), ("not_relevant", "not relevant: ann")]
)
async def test_a_click_is_acknowledged_recorded_and_shown(rig: Rig, choice: str, says: str) -> None:
    kafka, worker = Kafka(), worker_of(rig)
    await worker.accept([make_alert()])
    async with listening(rig, desk_of(rig), kafka), rig.running(worker):
        await eventually(lambda: bool(rig.slack.messages))
        payload = click(rig.slack.messages[0].body, choice)
        envelope = await rig.slack.socket.send("interactive", payload)
        _, taken_s = await rig.slack.socket.answer_to(envelope)
        assert taken_s < 3
        await eventually(lambda: says in shown(rig))
        # Slack sends it again when our answer was lost: taken and shown once.
        await rig.slack.socket.answer_to(await rig.slack.socket.send("interactive", payload))
        await eventually(lambda: bool(kafka.records))
        await rig.until_idle()
    assert shown(rig).count("ann") == 1
    (record,) = kafka.records
    assert (record.verdict, record.who, record.who_name) == (choice, "U1", "ann")
    assert (record.story_id, record.revision, record.destination) == ("s1", 1, "slack|C0000001")
    assert record.texts[0] == "Fuel depot at Lindholm set alight"
    assert record.topics == ("sabotage", "arson")
    assert (len(rig.slack.messages), rig.slack.violations) == (1, [])


async def test_who_says_that_the_topic_is_wrong_is_asked_which_is_right(rig: Rig) -> None:
    kafka, worker = Kafka(), worker_of(rig)
    await worker.accept([make_alert()])
    async with listening(rig, desk_of(rig), kafka), rig.running(worker):
        await eventually(lambda: bool(rig.slack.messages))
        payload = click(rig.slack.messages[0].body, "wrong_topic")
        envelope = await rig.slack.socket.send("interactive", payload)
        _, taken_s = await rig.slack.socket.answer_to(envelope)
        assert taken_s < 3
        (view,) = rig.slack.views
        element = view["blocks"][1]["element"]
        assert [each["value"] for each in element["initial_options"]] == ["sabotage", "arson"]
        assert kafka.records == []
        answered = answer(view, "Accident")
        for _ in range(2):  # Slack may send it twice
            envelope = await rig.slack.socket.send("interactive", answered)
            said, _ = await rig.slack.socket.answer_to(envelope)
            assert said is None
        await eventually(lambda: "wrong topic (it is Accident): ann" in shown(rig))
        await eventually(lambda: bool(kafka.records))
        await rig.until_idle()
    (record,) = kafka.records
    assert (record.verdict, record.right_topics) == ("wrong_topic", ("accident",))
    assert (record.destination, rig.slack.violations) == ("slack|C0000001", [])


async def test_who_splits_a_story_is_asked_which_report_leaves(rig: Rig) -> None:
    kafka, worker, desk = Kafka(), worker_of(rig), desk_of(rig)
    editing = desk.editor.editing = RecordedEditing()
    alert = make_alert(revision=2)
    await worker.accept([alert])
    async with listening(rig, desk, kafka), rig.running(worker):
        await eventually(lambda: bool(rig.slack.messages))
        payload = click(rig.slack.messages[0].body, "split")
        await rig.slack.socket.answer_to(await rig.slack.socket.send("interactive", payload))
        (view,) = rig.slack.views
        newest = max(alert.story.reports, key=lambda report: report.reported_at)
        assert newest.publisher in view["blocks"][1]["element"]["initial_option"]["text"]["text"]
        await rig.slack.socket.send("interactive", answer(view))
        await eventually(lambda: "split off: ann" in shown(rig))
        await eventually(lambda: bool(kafka.records))
    assert editing.done == [("split", "s1", newest.article_id)]
    assert (kafka.records[0].article_id, rig.slack.violations) == (newest.article_id, [])


async def test_a_click_that_cannot_be_written_down_is_not_acknowledged(rig: Rig) -> None:
    """Slack then shows a warning at the button, and the person clicks again."""
    desk, worker = desk_of(rig), worker_of(rig)
    await worker.accept([make_alert()])
    await rig.settle([worker])
    press = click(rig.slack.messages[0].body, "relevant")
    away = Redis.from_url("redis://127.0.0.1:1")
    ask = answer(topics_view("wirebell|s1|1|C0000001", "Fuel", TOPIC_CHOICES, ()), "Arson")
    desk.editor = open_editor_desk(away, rig.keys, 72 * 3600)
    assert [await desk.pressed(each) for each in presses_of(press)] == [False]
    submission = submission_of(ask)
    assert submission is not None
    assert "try again" in await desk.submitted(submission)
    await away.aclose()


async def test_a_muted_story_rings_no_more_until_somebody_follows_it(rig: Rig) -> None:
    worker, desk, kafka = worker_of(rig), desk_of(rig), Kafka()
    await worker.accept([make_alert()])
    async with listening(rig, desk, kafka), rig.running(worker):
        await eventually(lambda: bool(rig.slack.messages))
        message = rig.slack.messages[0]
        await rig.slack.socket.send("interactive", click(message.body, "mute"))
        await eventually(lambda: "muted: ann" in shown(rig))
        await worker.accept([make_alert(revision=2, priority="flash")])
        await rig.until_idle()
        assert (len(rig.slack.messages), message.payload["revision"]) == (1, 2)
        await rig.slack.socket.send("interactive", click(message.body, "follow", "U2", "ben"))
        await eventually(lambda: "followed: ben" in shown(rig))
        await worker.accept([make_alert(revision=3)])
        await rig.until_idle()
    assert [row.payload["revision"] for row in rig.slack.thread(message.ts)] == [3]
    assert "muted: ann" not in shown(rig)


async def test_a_muted_story_that_somebody_deletes_stays_away(rig: Rig) -> None:
    worker, kafka = worker_of(rig), Kafka()
    await worker.accept([make_alert()])
    await rig.settle([worker])
    desk = desk_of(rig)
    async with listening(rig, desk, kafka), rig.running(worker):
        payload = click(rig.slack.messages[0].body, "mute")
        await rig.slack.socket.send("interactive", payload)
        await eventually(lambda: "muted" in shown(rig))
        rig.slack.messages.clear()
        await worker.accept([make_alert(revision=2)])
        await rig.until_idle()
    assert rig.slack.messages == []


async def test_a_click_survives_an_outage_of_kafka(rig: Rig) -> None:
    worker, kafka = worker_of(rig), Kafka(away=2)
    await worker.accept([make_alert()])
    async with listening(rig, desk_of(rig), kafka), rig.running(worker):
        await eventually(lambda: bool(rig.slack.messages))
        payload = click(rig.slack.messages[0].body, "relevant")
        await rig.slack.socket.send("interactive", payload)
        await eventually(lambda: "relevant: ann" in shown(rig))
        await eventually(lambda: bool(kafka.records))
    assert [record.verdict for record in kafka.records] == ["relevant"]


async def test_a_connection_that_slack_ends_is_made_again(rig: Rig) -> None:
    worker, kafka = worker_of(rig), Kafka()
    await worker.accept([make_alert()])
    await rig.settle([worker])
    async with listening(rig, desk_of(rig), kafka):
        await rig.slack.socket.hang_up()
        await eventually(
            lambda: rig.slack.socket.opened >= 2 and bool(rig.slack.socket.connections)
        )
        payload = click(rig.slack.messages[0].body, "relevant")
        await rig.slack.socket.answer_to(await rig.slack.socket.send("interactive", payload))
        await eventually(lambda: bool(kafka.records))


async def test_the_slash_command_lists_and_answers_what_is_not_there(rig: Rig) -> None:
    async with listening(rig, desk_of(rig), Kafka()):
        for text, expected in (("", "No story is open."), ("nonsense", "no open story")):
            command = {"command": "/wirebell", "text": text, "user_id": "U1"}
            envelope = await rig.slack.socket.send("slash_commands", command)
            payload, taken_s = await rig.slack.socket.answer_to(envelope)
            assert expected in json.dumps(payload)
            assert payload["response_type"] == "ephemeral"
            assert taken_s < 3


async def test_the_slash_command_lists_open_stories_and_explains_one(rig: Rig) -> None:
    desk = desk_of(rig)
    zones = {"C0000002": "Asia/Tokyo"}
    settings = SlackSettings(token=SecretStr("xoxb-test"), channel_time_zones=zones)
    desk.zone_of = settings.zone_of
    told = article()
    await desk.stories.assign(screened(told), START)
    (story,) = await desk.stories.recent()
    async with listening(rig, desk, Kafka()):
        for text in ("", story.id):
            command = {"command": "/wirebell", "text": text, "user_id": "U1"}
            command["channel_id"] = "C0000002"
            envelope = await rig.slack.socket.send("slash_commands", command)
            payload, _ = await rig.slack.socket.answer_to(envelope)
            answer = "".join(block["text"]["text"] for block in payload["blocks"])
            assert story.headline[:60] in answer
            assert (story.id in answer) is (text == "")
            assert f"{START.astimezone(ZoneInfo('Asia/Tokyo')):%d %b %H:%M} JST" in answer
            assert (told.publisher in answer) is (text == story.id)


async def test_a_choice_made_while_the_message_is_being_sent_is_shown_too(rig: Rig) -> None:
    worker, ledger = worker_of(rig), rig.ledger()
    await worker.accept([make_alert()])
    await rig.settle([worker])
    await worker.accept([make_alert(revision=2)])
    (claim,), _ = await ledger.claim("slack", 1, SLACK_PACE)
    assert await ledger.hold(claim) == "held"
    verdict = Verdict(id="v1", choice="relevant", who="ann", at=rig.clock.now())
    assert await ledger.decide("slack|C0000001", "s1", verdict)
    attempt = attempt_of(claim, Result("delivered"), rig.clock(), 0.1)
    assert await ledger.receipt(claim, 2, claim.receipt, attempt)
    await rig.settle([worker])
    assert "relevant: ann" in shown(rig)


async def test_who_set_up_neither_way_is_not_listened_for(rig: Rig) -> None:
    editor = desk_of(rig).editor
    plain = SlackSettings(token=SecretStr("xoxb-test"), api_url=rig.slack.url)
    asked = plain.model_copy(update={"app_token": SecretStr("xapp-test")})
    stories = Stories(rig.redis, rig.keys, 72 * 3600, ("en",))
    assert open_desks({"slack": plain}, editor, stories, lambda: TOPIC_CHOICES) == []
    (listen,) = open_desks({"slack": asked}, editor, stories, lambda: TOPIC_CHOICES)
    worker, stop = worker_of(rig), asyncio.Event()
    await worker.accept([make_alert()])
    await rig.settle([worker])
    task = asyncio.ensure_future(listen(stop))
    await eventually(lambda: bool(rig.slack.socket.connections))
    payload = click(rig.slack.messages[0].body, "relevant")
    await rig.slack.socket.send("interactive", payload)
    await eventually(lambda: bool(rig.slack.socket.acknowledged))
    stop.set()
    await asyncio.wait_for(task, 10)
    (waiting,) = await editor.choices.waiting()
    assert (waiting.story_id, waiting.verdict) == ("s1", "relevant")


async def test_checking_tries_the_app_token_too(rig: Rig) -> None:
    sink = worker_of(rig).sinks["slack"]
    assert await sink.check() == ""
    rig.slack.socket.app_token = "xapp-another"
    assert await sink.check() == "the app token: Slack answered invalid_auth"
    assert rig.slack.socket.opened == 0


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"type": "view_submission"},
        {"type": "block_actions", "actions": [None, 7, {"block_id": "x|y", "action_id": "mute"}]},
        {"type": "block_actions", "actions": [{"block_id": "wirebell|s1|1|C", "action_id": "rm"}]},
        {
            "type": "block_actions",
            "user": "U1",
            "actions": [{"block_id": "wirebell|s1|1e9|C", "action_id": "mute"}],
        },
    ],
)
async def test_what_is_not_ours_is_acknowledged_and_ignored(rig: Rig, payload: Any) -> None:
    kafka = Kafka()
    async with listening(rig, desk_of(rig), kafka):
        await rig.slack.socket.answer_to(await rig.slack.socket.send("interactive", payload))
    assert kafka.records == []
