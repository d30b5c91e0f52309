"""A receiver by somebody who has docs/webhooks.md and the schema, and nothing of ours: HMAC by
hand, two secrets while one replaces the other, repeats dropped by id, bodies as the schema says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import web
from pydantic import SecretStr
from standardwebhooks import Webhook

from connectors.sinks.notices import MAX_CAUSE_CHARS, Notice, WebhookNotifier
from connectors.sinks.settings import WebhookSettings
from connectors.sinks.sink import Delivery
from connectors.sinks.webhook import WebhookSink
from tests.fakes.alerts import MORNING, make_alert

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "webhook.schema.json").read_text(encoding="utf-8")
)
FORMATS = jsonschema.FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator, unused-ignore]
def _is_time(text: object) -> bool:
    return datetime.fromisoformat(str(text)).tzinfo is not None


def secret() -> str:
    """As the docs say to make one."""
    return "whsec_" + base64.b64encode(os.urandom(24)).decode()


@dataclass(slots=True)
class Receiver:
    """Takes what is signed with its one secret; answers each request with the next status."""

    secret: str
    statuses: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: dict[str, Any] = field(default_factory=dict)
    raws: list[bytes] = field(default_factory=list)
    port: int = 0

    async def take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        sent = {name.lower(): value for name, value in request.headers.items()}
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        stamp, number = sent["webhook-timestamp"], sent["webhook-id"]
        signed = f"{number}.{stamp}.".encode() + raw
        mine = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        if mine not in sent["webhook-signature"].split(" ") or abs(time.time() - int(stamp)) > 300:
            return web.Response(status=401)
        Webhook(self.secret).verify(raw, sent)  # the reference library agrees
        body = json.loads(raw)
        jsonschema.Draft202012Validator(SCHEMA, format_checker=FORMATS).validate(body)
        self.headers.append(sent)
        self.raws.append(raw)
        self.bodies.setdefault(number, body)
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made, app = Receiver(secret()), web.Application()
    app.router.add_post("/in", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


def settings_for(receiver: Receiver, *secrets: str) -> WebhookSettings:
    url = f"http://127.0.0.1:{receiver.port}/in"
    both = SecretStr(" ".join(secrets or (receiver.secret,)))
    return WebhookSettings(url=url, secret=both, allow_private=True)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["new first", "old first"])
async def test_while_one_secret_replaces_another_a_receiver_with_either_takes_it(
    receiver: Receiver, order: tuple[int, int]
) -> None:
    secrets = (receiver.secret, secret())
    sink = WebhookSink("hook", settings_for(receiver, *(secrets[at] for at in order)))
    alert = make_alert()
    for each in secrets:
        receiver.secret = each
        assert (await sink.deliver(Delivery("d1", "desk", "", alert))).outcome == "delivered"
    receiver.secret = secret()
    assert (await sink.deliver(Delivery("d1", "desk", "", alert))).status == 401
    await sink.close()


async def test_repeats_have_one_id_one_body_and_the_receiver_needs_nothing_else(
    receiver: Receiver,
) -> None:
    receiver.statuses = [500, 503, 204]
    sink = WebhookSink("hook", settings_for(receiver))
    delivery = Delivery("d1", "desk", "", make_alert(revision=3))
    outcomes = [(await sink.deliver(delivery)).outcome for _ in range(3)]
    together = [Delivery(f"d{n}", "desk", "", make_alert(f"s{n}")) for n in range(3)]
    await sink.deliver_together(together, "cap")
    await sink.close()
    assert outcomes == ["unknown", "unknown", "delivered"]
    assert len({each["webhook-id"] for each in receiver.headers[:3]}) == 1
    assert len(set(receiver.raws[:3])) == 1
    assert [body["type"] for body in receiver.bodies.values()] == [
        "story.update",
        "stories.summary",
    ]
    assert receiver.headers[0]["content-type"].startswith("application/json")


@pytest.mark.parametrize("number", [1, 400])
async def test_an_incident_of_the_line_is_as_the_schema_says_and_fits(
    receiver: Receiver, number: int
) -> None:
    notifier = WebhookNotifier(WebhookSink("notices", settings_for(receiver)))
    causes = tuple("Ж" * MAX_CAUSE_CHARS for _ in range(number))
    notice = Notice(
        incident="i1", number=1, state="down", title="x", causes=causes, since=MORNING, at=MORNING
    )
    assert (await notifier.tell(notice, {})).outcome == "delivered"
    await notifier.close()
    (body,) = receiver.bodies.values()
    assert (body["type"], len(receiver.raws[0]) <= 20_000) == ("incident.changed", True)
    assert body["data"]["causes"]
