"""What people do in Slack, over real signed HTTP, and what Slack did not sign."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import aiohttp
import pytest

from connectors.sinks.slack_http import MAX_BODY_BYTES, HttpListener
from connectors.sinks.slack_views import topics_view
from tests.delivery_rig import Rig, eventually, open_rig
from tests.fakes.alerts import MORNING, make_alert
from tests.fakes.slack_socket import answer, click
from tests.slack_room import (
    TOPIC_CHOICES,
    Kafka,
    desk_of,
    shown,
    worker_of,
    working,
)

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@pytest.fixture
async def rig(redis_url: str, redis_prefix: str) -> AsyncIterator[Rig]:
    async with open_rig(redis_url, redis_prefix) as made:
        yield made


@asynccontextmanager
async def http(rig: Rig, kafka: Kafka) -> AsyncIterator[str]:
    stop = asyncio.Event()
    desk = desk_of(rig)
    listener = HttpListener(SECRET, "127.0.0.1", 0, desk, rig.clock)
    task = asyncio.create_task(listener.run(stop))
    try:
        await asyncio.wait_for(listener.ready.wait(), 5)
        async with working(desk.editor, kafka.send):
            yield f"http://127.0.0.1:{listener.port}/slack"
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


def signed(body: bytes, at: float, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": "v0=" + digest,
        "Content-Type": "application/x-www-form-urlencoded",
    }


async def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def test_signed_http_takes_clicks_and_commands(rig: Rig) -> None:
    worker, kafka = worker_of(rig), Kafka()
    await worker.accept([make_alert()])
    async with rig.running(worker), http(rig, kafka) as url:
        await eventually(lambda: bool(rig.slack.messages))
        payload = click(rig.slack.messages[0].body, "not_relevant")
        body = urlencode({"payload": json.dumps(payload)}).encode()
        assert await post(url, body, signed(body, rig.clock())) == (200, "")
        await eventually(lambda: "not relevant: ann" in shown(rig))
        body = urlencode({"command": "/wirebell", "text": "", "user_id": "U1"}).encode()
        status, text = await post(url, body, signed(body, rig.clock()))
        assert (status, "No story is open." in text) == (200, True)
        asked = click(rig.slack.messages[0].body, "wrong_topic")
        body = urlencode({"payload": json.dumps(asked)}).encode()
        assert await post(url, body, signed(body, rig.clock())) == (200, "")
        answered = answer(rig.slack.views[0], "Bombing", "Arson")
        body = urlencode({"payload": json.dumps(answered)}).encode()
        assert await post(url, body, signed(body, rig.clock())) == (200, "")
        await eventually(lambda: len(kafka.records) == 2)
    assert [record.verdict for record in kafka.records] == ["not_relevant", "wrong_topic"]
    assert set(kafka.records[1].right_topics) == {"bombing", "arson"}


async def test_over_http_too_what_cannot_be_written_down_is_not_acknowledged(rig: Rig) -> None:
    worker, kafka = worker_of(rig), Kafka()
    await worker.accept([make_alert()])
    await rig.settle([worker])
    # A window that Slack will not open (its ticket is too old) and a Redis that refuses.
    asked = click(rig.slack.messages[0].body, "split") | {"trigger_id": "old"}
    body = urlencode({"payload": json.dumps(asked)}).encode()
    view = topics_view("wirebell|s1|1|C0000001", "Fuel", TOPIC_CHOICES, ())
    answered = urlencode({"payload": json.dumps(answer(view, "Arson"))}).encode()
    async with http(rig, kafka) as url:
        assert (await post(url, body, signed(body, rig.clock())))[0] == 503
        await rig.redis.set(f"{rig.keys.tag}desk:said", "no hash")
        status, text = await post(url, answered, signed(answered, rig.clock()))
        await rig.redis.delete(f"{rig.keys.tag}desk:said")
    assert (status, json.loads(text)["response_action"]) == (200, "errors")


async def test_what_slack_did_not_sign_is_refused(rig: Rig) -> None:
    kafka = Kafka()
    action = {"block_id": "wirebell|s1|1|C0000001", "action_id": "mute", "action_ts": "1"}
    payload = {"type": "block_actions", "user": {"id": "U1"}, "actions": [action]}
    body = urlencode({"payload": json.dumps(payload)}).encode()
    now = MORNING.timestamp()
    good = signed(body, now)
    forged = [
        {},
        signed(body, now, "another secret"),
        signed(body + b"&x=1", now),
        signed(body, now - 301),
        signed(body, now + 301),
        good | {"X-Slack-Request-Timestamp": str(int(now) + 1)},
        good | {"X-Slack-Request-Timestamp": "soon"},
        good | {"X-Slack-Request-Timestamp": "1e9"},
        good | {"X-Slack-Request-Timestamp": "-" + str(int(now))},
        good | {"X-Slack-Signature": ""},
        good | {"X-Slack-Signature": good["X-Slack-Signature"].replace("v0=", "v1=")},
        good | {"X-Slack-Signature": good["X-Slack-Signature"][:-1]},
        good | {"X-Slack-Signature": "v0=ü"},
    ]
    async with http(rig, kafka) as url:
        for headers in forged:
            given = {"Content-Type": good["Content-Type"], **headers}
            assert (await post(url, body, given))[0] == 401, headers
        assert kafka.records == []
        assert (await post(url, body, signed(body, now - 299)))[0] == 200
        await eventually(lambda: len(kafka.records) == 1)


@pytest.mark.parametrize("body", [b"payload={", b"payload=" + b"[" * 50_000, b"\xff\xfe=1"])
async def test_signed_nonsense_is_a_bad_request(rig: Rig, body: bytes) -> None:
    async with http(rig, Kafka()) as url:
        status, _ = await post(url, body, signed(body, rig.clock()))
    assert status == 400


async def test_a_body_over_the_limit_is_not_read(rig: Rig) -> None:
    body = b"payload=" + b"x" * MAX_BODY_BYTES
    async with http(rig, Kafka()) as url:
        status, _ = await post(url, body, signed(body, rig.clock()))
    assert status == 413
