"""Incidents told for real: to a Slack, to a webhook, over a restart, with Redis away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.sinks.notices import Notice, Notifier
from connectors.sinks.notifiers import make_notifier
from connectors.sinks.settings import SlackSettings, WebhookSettings
from connectors.sinks.sink import Result
from streams.health import Finding, State, Verdict
from streams.incident_desk import IncidentDesk
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.settings import PageSettings, Settings, Target
from tests.fakes.slack_server import FakeSlack
from tests.fakes.webhook_receiver import SECRET, WebhookReceiver
from tests.lanes import until

HOSTILE = "<!channel> *feed* says & lies"


@dataclass
class Line:
    """A line whose verdict the test says."""

    state: State = "healthy"
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    def verdict(self) -> Verdict:
        """The verdict now."""
        found = (Finding("k", "degraded", "room", HOSTILE, self.since),)
        if self.state == "healthy":
            return Verdict("healthy", "Every stage is moving", self.since, datetime.now(UTC))
        return Verdict(self.state, HOSTILE, self.since, datetime.now(UTC), found)


class Refusing:
    """A receiver that takes nothing for a while."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.refused = 0
        self.open = False

    async def tell(self, notice: Notice, receipt: Mapping[str, str]) -> Result:
        if not self.open:
            self.refused += 1
            return Result("not_sent", detail="not now")
        self.taken.append(notice)
        return Result("delivered")

    async def close(self) -> None:
        """Nothing to give back."""


@asynccontextmanager
async def desk(
    line: Line, notifier: Notifier, redis_url: str, redis_prefix: str
) -> AsyncIterator[None]:
    """A desk at work, with no hold-off."""
    redis, stop = connect_redis(redis_url), asyncio.Event()
    one = IncidentDesk(
        redis, Keys(redis_prefix), notifier, line.verdict, timedelta(0), first_retry_s=0.1
    )
    task = asyncio.create_task(one.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task
        with contextlib.suppress(Exception):
            await redis.aclose()


def slack(server: FakeSlack) -> Notifier:
    settings = SlackSettings.model_validate({"token": server.token, "api_url": server.url})
    return make_notifier(settings, "desk")


def text_of(body: dict[str, Any]) -> str:
    return str(body.get("blocks")) + str(body["text"])


async def test_in_slack_an_incident_is_one_message_and_its_end_is_said(
    redis_url: str, redis_prefix: str
) -> None:
    line = Line("degraded")
    async with FakeSlack() as server:
        async with desk(line, slack(server), redis_url, redis_prefix):
            await until(lambda: len(server.messages) == 1)
            line.state = "down"
            await until(lambda: len(server.messages) == 2)
            line.state = "healthy"
            await until(lambda: len(server.messages) == 3)
        (message,) = server.stories()
        assert message.edits == 2
        assert "Recovered" in text_of(message.body)
        said = server.thread(message.ts)
        assert len(said) == 2
        assert "moving again" in said[1].body["text"]
        assert "<!channel>" not in str(server.requests)
        assert server.violations == []


async def test_a_page_that_starts_anew_edits_the_message_of_the_one_before(
    redis_url: str, redis_prefix: str
) -> None:
    line = Line("down")
    async with FakeSlack() as server:
        async with desk(line, slack(server), redis_url, redis_prefix):
            await until(lambda: len(server.messages) == 1)
        line.state = "healthy"
        async with desk(line, slack(server), redis_url, redis_prefix):
            await until(lambda: len(server.messages) == 2)
        assert len(server.stories()) == 1


async def test_a_webhook_gets_signed_notices_with_ids_of_their_own(
    redis_url: str, redis_prefix: str
) -> None:
    line = Line("down")
    async with WebhookReceiver() as receiver:
        settings = WebhookSettings.model_validate(
            {"url": receiver.url, "secret": SECRET, "allow_private": True}
        )
        async with desk(line, make_notifier(settings, ""), redis_url, redis_prefix):
            await until(lambda: len(receiver.received) == 1)
            line.state = "healthy"
            await until(lambda: len(receiver.received) == 2)
        opened, closed = receiver.received.values()
        assert receiver.forged == []
        assert (opened["type"], closed["type"]) == ("incident.changed", "incident.recovered")
        assert opened["data"]["causes"] == [f"degraded: {HOSTILE}"]
        assert opened["data"]["incident"] == closed["data"]["incident"]


async def test_with_redis_away_it_is_told_all_the_same_and_until_it_is_taken() -> None:
    receiver = Refusing()
    async with desk(Line("down"), receiver, "redis://127.0.0.1:9/0", "nowhere"):
        await until(lambda: receiver.refused >= 2)
        receiver.open = True
        await until(lambda: len(receiver.taken) == 1)
    assert receiver.taken[0].state == "down"


def test_the_environment_names_sink_and_place_in_one_word() -> None:
    page = PageSettings.model_validate({"incident_to": "slack:#ops"})
    assert page.incident_to == Target(sink="slack", to="#ops")


def test_a_place_that_is_no_sink_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ValidationError, match=r"page\.incident_to: there is no sink 'nowhere'"):
        Settings(page=PageSettings(incident_to=Target(sink="nowhere")))
